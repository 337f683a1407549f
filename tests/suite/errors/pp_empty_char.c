// An empty character constant in a condition.
#if '' == 0 // ERROR[E0004]: malformed character constant
#endif
int x;
