// `->` on a struct that is no pointer.
struct event { int pid; };
int f(struct event e)
{
	return e->pid; // ERROR[E0221]: `struct event` is not a pointer
}
