// A bit-field of a pointer.
struct flags { void *p : 3; }; // ERROR[E0225]: a bit-field of type `void *`, which is not an integer
struct flags all;
