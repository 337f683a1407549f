// A macro named `defined`.
#define defined(x) 1 // ERROR[E0011]: `defined` cannot be a macro
#undef // ERROR[E0011]: `#undef` needs a macro name
int x;
