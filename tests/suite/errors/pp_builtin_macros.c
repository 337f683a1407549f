// Built-in macros that are changed, or whose value says less than it seems.
#define __LINE__ 3 // WARNING[W0006]: redefining built-in macro `__LINE__`
#undef __FILE__ // WARNING[W0006]: undefining built-in macro `__FILE__`
const char date[] = __DATE__; // WARNING[W0004]: `__DATE__` always has the same value here
