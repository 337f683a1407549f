int f(int a)
{
	asm volatile("%0 = %[b]" : "=r"(a) : [c] "r"(a));
	asm volatile("r1 = 1" ::: "r12");
	asm volatile("%0 = 1" : "r"(a));
	asm volatile("" : "=r"(a) : "3"(a));
	return a;
}
