// A division by zero in a condition.
#if 0 && 1 / 0
#endif
#if 1 / 0 // ERROR[E0031]: division by zero
#endif
int x;
