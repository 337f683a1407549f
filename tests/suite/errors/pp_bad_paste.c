// `##` that makes no token.
#define JOIN(a, b) a ## b
int x = JOIN(+, -) 3; // ERROR[E0016]: pasting makes `+-`
