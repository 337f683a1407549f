// Numbers that a condition cannot hold.
#if 1.5 // ERROR[E0030]: floating constant `1.5`
#endif
#if 10foo // ERROR[E0030]: malformed number `10foo`
#endif
#if 99999999999999999999 // ERROR[E0030]: too large a number
#endif
int x;
