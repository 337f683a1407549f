// Three broken declarations; what follows them is understood.
typedef unsigned int u32
struct a {
	u32 one;
	unknown_t two;
};
int array[-1];
enum e { A, B = "text", C };

int f(struct a *a)
{
	return a->one + C;
}
