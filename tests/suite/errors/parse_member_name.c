// A number where a member belongs.
struct s { int a; };
int f(struct s *p)
{
	return p->1;
}
