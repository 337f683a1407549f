// A misspelt member.
struct event { unsigned pid; char comm[16]; };
int f(struct event *e)
{
	return e->pdi; // ERROR[E0201]: `struct event` has no member `pdi`
}
