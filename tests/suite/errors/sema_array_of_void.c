// An array of void.
extern void items[4]; // ERROR[E0214]: an array of elements of type `void`
void *f(void) { return items; }
