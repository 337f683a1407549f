// No `;` after a struct definition.
struct key {
	int pid;
	int cpu;
}

int f(struct key *k)
{
	return k->pid;
}
