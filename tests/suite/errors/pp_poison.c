// A poisoned name.
#pragma GCC poison gets
int gets; // ERROR[E0043]: `gets` was poisoned
