/* What a C library offers: what the machine's says, if it has one for headers; else nothing. */
#if __has_include_next(<features.h>) && __has_include(<bits/wordsize.h>) && __has_include(<gnu/stubs.h>)
#include_next <features.h>
#endif
