void mnemonic(void)
{
	asm volatile("r1 = 1; r1 = frobnicate r2" ::: "r1");
}

void constant(int a)
{
	asm volatile("r1 = %0" :: "i"(a) : "r1");
}

void label(void)
{
	asm volatile("goto nowhere");
}

void callee(void)
{
	asm volatile("call nobody" ::: "r0");
}

void registers(long a, long b)
{
	asm volatile("%0 += %1" :: "r"(a), "r"(b) : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8");
}
