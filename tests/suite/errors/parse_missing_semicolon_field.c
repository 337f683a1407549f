// No `;` after a field.
struct key {
	int pid
	int cpu;
};
int f(struct key *k)
{
	return k->cpu;
}
