// A file that includes itself twice at each of many levels.
#if __INCLUDE_LEVEL__ < 40
#include "pp_include_twice.c"
#include "pp_include_twice.c" // ERROR[E0024]: the program includes too much
#endif
