// What is constant stays so.
const int limit = 4;
struct s {
	const int id;
	int value;
};

void f(const struct s *p, struct s *q, const int n)
{
	limit = 5;
	p->value = 1;
	q->id = 2;
	n++;
	(*q) = *p;
}
