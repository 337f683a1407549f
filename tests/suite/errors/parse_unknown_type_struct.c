// A struct named without `struct`.
struct event {
	int pid;
};
int f(event *e)
{
	return e->pid;
}
