// An include of a file that is not there.
#include "no_such_header.h" // ERROR[E0021]: file `no_such_header.h` not found
no error follows from what the header might have declared
