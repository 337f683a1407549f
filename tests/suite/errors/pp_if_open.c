// A condition without its end.
#if 1 // ERROR[E0032]: conditional without `#endif`
int x;
#ifdef NEVER // ERROR[E0032]: conditional without `#endif`
int y;
