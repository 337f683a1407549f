// A member of a struct that is only declared.
struct sock;
int f(struct sock *sk)
{
	return sk->family; // ERROR[E0207]: the object has the incomplete type `struct sock`
}
