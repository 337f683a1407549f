// A file that includes itself.
#include "pp_include_self.c" // ERROR[E0022]: inclusion nested deeper
