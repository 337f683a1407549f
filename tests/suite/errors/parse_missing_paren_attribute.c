// An attribute list is not closed.
struct key {
	int a;
} __attribute__((packed);
int g;
