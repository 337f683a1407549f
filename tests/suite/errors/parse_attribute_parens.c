// An attribute in one pair of parentheses.
struct s {
	int a;
} __attribute__(packed);
int g;
