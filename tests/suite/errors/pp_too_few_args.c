// A macro call with too few arguments.
#define MAX(a, b) ((a) > (b) ? (a) : (b))
int x = MAX(1); // ERROR[E0014]: macro `MAX` takes 2 arguments, not 1
