// A CO-RE question of a kind that does not exist.
struct task { int pid; };
unsigned f(struct task *t)
{
	return __builtin_preserve_field_info(t->pid, 9); // ERROR[E0232]: there is no kind 9 of this question, the last is 5
}
