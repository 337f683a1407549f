//@ warnings = ["pedantic"]
// `__VA_ARGS__` in a macro without dots.
#define F(a) a __VA_ARGS__ // WARNING[W0010]: means nothing outside a macro with `...`
int x;
