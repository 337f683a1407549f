// A macro that is named by a number.
#define 3 three // ERROR[E0011]: macro name must be an identifier, not `3`
int x;
