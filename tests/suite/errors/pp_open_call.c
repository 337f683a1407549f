// A macro call whose parenthesis is never closed.
#define ID(a) (a)
int x = 1; int y = ID(2; // ERROR[E0015]: missing `)` in the call of macro `ID`
int z;
