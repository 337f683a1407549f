// An array initialised with a number.
int table[4] = 1; // ERROR[E0219]: `int[4]` needs an initialiser in braces
