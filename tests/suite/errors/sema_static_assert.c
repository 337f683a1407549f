// A static assertion that does not hold.
struct event { int pid; char comm[16]; };
_Static_assert(sizeof(struct event) == 16, "event must be 16 bytes"); // ERROR[E0216]: static assertion failed: event must be 16 bytes
