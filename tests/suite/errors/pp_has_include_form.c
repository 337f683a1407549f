// Questions without operands.
#if __has_include
int a;
#endif
#if __has_attribute(1)
int b;
#endif
int c;
