// `.` on a pointer.
struct event { int pid; };
int f(struct event *e)
{
	return e.pid; // ERROR[E0201]: `struct event *` has no members
}
