// A malformed `#line`.
#line twelve // ERROR[E0041]: `#line` needs a number
#line 3 x // ERROR[E0041]: `#line` needs a number
int x;
