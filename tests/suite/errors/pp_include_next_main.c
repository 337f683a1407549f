// `#include_next` where there is nothing to come after.
#include_next "pp_empty.h" // WARNING[W0005]: `#include_next` in the main file
int x;
