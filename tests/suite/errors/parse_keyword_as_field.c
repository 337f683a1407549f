// A keyword as the name of a field.
struct s {
	int case;
	int b;
};
int f(struct s *p)
{
	return p->case;
}
