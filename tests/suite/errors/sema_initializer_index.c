// A designator outside its array.
int table[4] = { [4] = 1 }; // ERROR[E0219]: the index 4 is outside `int[4]`
