// Fields of different types separated by a comma.
struct key {
	int a, long b;
	int c;
};
