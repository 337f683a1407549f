// A section that is not a string.
int f(void) __attribute__((section(5))); // ERROR[E0215]: attribute `section` takes one string
int f(void) { return 0; }
