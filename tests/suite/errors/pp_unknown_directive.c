// A misspelled directive.
#inclde "x.h" // ERROR[E0010]: unknown directive `#inclde`
int x;
