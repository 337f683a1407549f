// A struct used as a union.
struct event { int pid; };
int f(union event *e) // ERROR[E0231]: `event` is the tag of a struct
{
	return 0;
}
