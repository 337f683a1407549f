// A typedef repeated with another type.
typedef unsigned int u32;
typedef unsigned long u32; // ERROR[E0209]: typedef `u32` is now `unsigned long`, before it was `unsigned int`
u32 x;
