// A condition that is no expression.
#if VERSION >= 
int a;
#elif (1 + 2
int b;
#endif
int c;
