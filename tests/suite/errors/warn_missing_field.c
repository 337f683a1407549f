//@ warnings = ["extra"]
// Initialisers that leave members out.
struct point { int x, y; };
struct line { struct point from, to; int width : 4; int : 4; int style; };
union either { int a; long b; };
struct tail { int n; char data[]; };

struct point one = { 1 };
struct point zero = { 0 };
struct point empty = {};
struct point named = { .x = 1 };
struct line nested = { { 1, 2 }, { 3 }, 4, 5 };
struct line flat = { 1, 2, 3 };
struct line whole = { 1, 2, 3, 4, 5, 6 };
union either u = { 1 };
struct tail t = { 1 };
struct point row[2] = { { 1 }, { 2, 3 } };
struct point first[2] = { 1, 2, 3 };
