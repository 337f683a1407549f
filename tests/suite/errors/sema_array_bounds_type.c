// Sizes of arrays are whole numbers that are known.
int n = 4;
int a[n];
int b[1.5];
int c[sizeof(struct missing)];
int d[1ull << 62];
