// A condition whose value does not fit.
#if 0x7fffffffffffffff + 1 < 0 // WARNING[W0007]: integer overflow in `#if`
#endif
int x;
