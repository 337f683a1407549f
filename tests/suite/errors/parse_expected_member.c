// A member needs a type and a name.
struct s {
	int;
	int 3;
	*p;
};
int x;
