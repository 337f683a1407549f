// An unknown type of a field.
struct key {
	int a;
	pid_t pid;
	int b;
};
