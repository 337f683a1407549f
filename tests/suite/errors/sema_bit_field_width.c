// A bit-field wider than its type.
struct flags { unsigned char mode : 9; }; // ERROR[E0225]: a bit-field of 9 bits in `unsigned char`, which has 8
struct flags all;
