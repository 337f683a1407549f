//@ warnings = ["switch-enum"]
// Switches over enumerations: what they leave out, and what is not in the enumeration.
enum color { RED, GREEN, BLUE, ALIAS = BLUE };
enum many { M0, M1, M2, M3, M4, M5 = -1 };
enum __attribute__((flag_enum)) flags { F1 = 1, F2 = 2, F4 = 4 };
enum open { O1, O2 } __attribute__((enum_extensibility(open)));
enum parts { P1, P2 __attribute__((unavailable)), P3 __attribute__((deprecated)), P4 __attribute__((unused)), P5 };
typedef enum { T1 = -1, T2 = 5 } named;
struct s { enum color c; enum color bits : 4; };

int one(enum color c) { switch (c) { case RED: case GREEN: return 1; } return 0; } // WARNING[W0249]: enumeration value `BLUE` not handled in switch
int two(struct s *p) { switch (p->c) { case RED: return 1; } return 0; }
int three(struct s *p) { switch (p->bits) { } return 0; }
int more(enum many m) { switch (m) { case M3 ... M4: return 1; } return 0; }
int foreign(enum color c) { switch (c) { case RED ... 3: return 1; } return 0; } // WARNING[W0250]: the case 3 is no value of `enum color`
int combined(enum flags f) { switch (f) { case F1: case 3: return 1; case 8: return 2; } return 0; }
int extended(enum open o) { switch (o) { case O1: case 9: return 1; } return 0; }
int partial(enum parts p) { switch (p) { case P1: return 1; } return 0; }
int negative(named n) { switch (n) { case T1: return 1; } return 0; }
int rest(enum color c) { switch (c) { case RED: return 1; default: return 0; } } // WARNING[W0251]: enumeration values `GREEN` and `BLUE` not explicitly handled in switch
int number(enum color c, int x) { switch ((int)c) { case RED: return 1; } switch (x ? c : BLUE) { case RED: return 2; } return 0; }
int whole(enum color c) { switch (c) { case RED: case GREEN: case BLUE: return 1; } return 0; }
