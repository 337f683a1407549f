int unset(int a, int b) {
  int x, y, z, r = 0;
  if (a)
    y = 1;
  if (b) z = 1;
  if (a) r +=
    z;
  return r + y +
    x;
}
int cases(int a, int b) {
  switch (a) {
  case 1: b++;
  case 2: return b;
  }
  return a;
}
