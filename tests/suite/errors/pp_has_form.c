// Malformed queries.
#if __has_include(stdio) // ERROR[E0035]: `__has_include` needs
#endif
#if __has_attribute // ERROR[E0035]: `__has_attribute` needs an operand
#endif
#if __has_builtin(3) // ERROR[E0035]: `__has_builtin` needs a name
#endif
int x;
