// A variable of a struct that is only declared.
struct sock;
int f(void)
{
	struct sock sk; // ERROR[E0207]: the variable has the incomplete type `struct sock`
	return sizeof(sk);
}
