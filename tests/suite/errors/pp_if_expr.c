// Malformed conditions.
#if // ERROR[E0030]: `#if` without an expression
#endif
#if (1 + 2 // ERROR[E0030]: missing `)`
#endif
#if 1 + // ERROR[E0030]: expected a value at the end
#endif
#if 1 2 // ERROR[E0030]: unexpected `2` after the expression
#endif
#if "text" // ERROR[E0030]: a string in a preprocessor expression
#endif
#if F(1) // ERROR[E0030]: `F` is not a function-like macro
#endif
#if defined // ERROR[E0030]: `defined` needs a macro name
#endif
int x;
