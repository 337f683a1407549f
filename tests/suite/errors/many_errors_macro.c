// The same mistake in a macro is shown where the macro is used.
#define FIELD(p) ((p)->feld)
struct s {
	int field;
};

int one(struct s *p)
{
	return FIELD(p);
}

int two(struct s *p, int n)
{
	return FIELD(p) + FIELD(&n);
}
