// The size of a struct that is only declared.
struct sock;
unsigned long size = sizeof(struct sock); // ERROR[E0207]: the operand of `sizeof` has the incomplete type `struct sock`
