// An enumeration constant defined twice.
enum a { NONE, SOME };
enum b { NONE = 5 }; // ERROR[E0208]: `NONE` is defined twice
int f(void) { return NONE; }
