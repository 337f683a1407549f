// Assertions about layouts show both sides.
struct s {
	char a;
	long b;
};
_Static_assert(sizeof(struct s) == 9, "packed");
_Static_assert(__builtin_offsetof(struct s, b) < 8);
_Static_assert(sizeof(struct nothing), "?");
