// A struct that contains itself.
struct list {
	int value;
	struct list next; // ERROR[E0207]: the member has the incomplete type `struct list`
};
int f(struct list *l)
{
	return l->value;
}
