// An atomic operation on a struct.
struct pair { int a, b; };
void f(struct pair *p)
{
	__sync_fetch_and_add(p, 1); // ERROR[E0223]: an atomic operation takes a pointer to an integer or pointer, not `struct pair *`
}
