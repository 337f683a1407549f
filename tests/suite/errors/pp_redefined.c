// A macro with two meanings.
#define N 1
#define N 1
#define N 2 // WARNING[W0002]: `N` redefined
#undef N junk // WARNING[W0001]: extra tokens after `#undef`
int x;
