// An attribute nobody knows.
int f(void) __attribute__((frobnicate)); // WARNING[W0204]: unknown attribute `frobnicate` ignored
int f(void) { return 0; }
