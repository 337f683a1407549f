// A function defined twice.
static int f(void) { return 1; }
static int f(void) { return 2; } // ERROR[E0208]: `f` is defined twice
int g(void) { return f(); }
