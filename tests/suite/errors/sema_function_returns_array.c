// A function that returns an array.
typedef int four[4];
four f(void); // ERROR[E0218]: a function cannot return `four` (aka `int[4]`)
