// A function that nobody declared is told of once in each block, and nothing follows from it.
struct task { int pid; };
int f(int x)
{
	struct task *t = current_task(x); // ERROR[E0227]: call of the undeclared function `current_task`
	if (!t)
		t = current_task(0);
	return t->pid + last(t);          // ERROR[E0227]: call of the undeclared function `last`
}
static int last(struct task *t) { return t->pid; }
