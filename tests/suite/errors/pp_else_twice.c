// Two `#else` in one conditional.
#if 1
#else
#else // ERROR[E0034]: `#else` after `#else`
#elif 1 // ERROR[E0034]: `#elif` after `#else`
#endif
int x;
