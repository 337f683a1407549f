// Bit-fields that cannot be.
struct s {
	int a : 40;
	int b : -1;
	int c : 0;
	float d : 3;
	char *e : 4;
};
