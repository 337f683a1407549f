// One name for three kinds of things.
struct thing {
	int x;
};
union thing *a;
enum thing { ONE };
struct thing {
	int y;
};
