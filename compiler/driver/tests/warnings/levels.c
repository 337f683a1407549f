#warning hello
#if 0
#endif extra
#define A 1
#define A 2
#define __FILE__ 3
#pragma pop_macro("NEVER_PUSHED")
#include_next <stddef.h>
#define NOT_VARIADIC(x) __VA_ARGS__
#if 0x7fffffffffffffff + 1
#endif
char e = '\q';
int *p; char *c; unsigned *u; const int *k; volatile int *v;
__attribute__((frobnicate)) int fr;
int a[2] = {1, 2,
  3};
int noret(int x) { if (x) return 1;
}
int f(int n) {
  p = c;
  p = u;
  p = k;
  p = v;
  if (p == c)
    return n
      / 0;
  n = n << 40;
  n = n << -1;
  switch ((char)n) {
  case 5 ... 3:
    return 1;
  case 1000:
    return 2;
  }
  p = n;
  n = p;
  return n;
}
int undeclared(int n) {
  return nowhere(n) +
    nowhere(n) + later(n);
}
int later(int n) { return n; }
int without(int n) {
  if (n)
    return;
  return n;
}
void with(int n) {
  return n;
}
int hard_to_read(int a, int b) {
  if (a = b)
    return 1;
  if ((a == b))
    return 2;
  a += a & b == 1;
  a += a | b & 1;
  a += a || b && a;
  a += 1 << a + b;
  if (a)
    if (b) return 3;
    else return 4;
  struct { int a, b; } s = {1
  };
  return s.b;
}
