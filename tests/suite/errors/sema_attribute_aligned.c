// An alignment that is no power of two.
int x __attribute__((aligned(3))); // ERROR[E0215]: attribute `aligned` takes a power of two, not 3
