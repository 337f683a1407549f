// An arrow with a blank in it.
struct s {
	int x;
};

int f(struct s *p)
{
	return p - > x;
}
