// A macro call with too many arguments.
#define ONE(a) (a)
#define NONE() 1
#define SOME(a, b, ...) (a)
int x = ONE(1, 2); // ERROR[E0014]: macro `ONE` takes 1 argument, not 2
int y = NONE(1); // ERROR[E0014]: macro `NONE` takes 0 arguments, not 1
int z = SOME(); // ERROR[E0014]: macro `SOME` takes at least 2 arguments, not 1
