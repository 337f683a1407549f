// A comment that does not end.
int x;
/* from here on // ERROR[E0003]: comment without
int y;
