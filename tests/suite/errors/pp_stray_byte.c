// A byte that starts no token.
int x = 1 @ + 2; // ERROR[E0001]: stray `@`
