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
enum color { RED, GREEN, BLUE };
enum __attribute__((flag_enum)) flags { F1 = 1, F2 = 2, F4 = 4 };
struct holder { enum color c; enum color bits : 4; };
int enumerations(struct holder *h, enum color c, enum flags f, int x) {
  switch (c) { case RED: case GREEN: break; }
  switch (h->c) { case RED: break; default: break; }
  switch (h->bits) { case RED: break; }
  switch (c = h->c) { case RED ... 5: break; }
  switch ((int)c) { case RED: break; }
  switch (x ? c : BLUE) { case RED: break; }
  switch ((enum color)x) { case RED: break; }
  switch (f) { case F1: case 3: break; case 8: break; }
  switch (GREEN) { case GREEN: break; }
  return 0;
}
