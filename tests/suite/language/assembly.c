// Inline assembly: constraints, goto, naked functions, symbols.
#include "returns.h"

__attribute__((used)) static int limit = 40;

CASE(operands, 47)
{
	long a = 5, b;
	asm volatile("%0 = %1; %0 += %[more]" : "=&r"(b) : "r"(a), [more] "i"(37));
	asm("%[x] += 5" : [x] "+r"(b));
	asm volatile("%0 = %1" : "=r"(a) : "0"(b));
	return b + (a == 47) - 1;
}

static void *(*old_style)(void) = (void *)37;

CASE(a_comment_names_an_operand, 37)
{
	long n;
	asm volatile("%0 = %[number] /* old_style */" : "=r"(n) : [number] "i"(old_style));
	return n;
}

CASE(memory_operand, 9)
{
	long in = 9, out;
	asm volatile("%0 = *(u64 *)%1" : "=r"(out) : "m"(in));
	asm volatile("*(u64 *)%0 = %1" : "=m"(in) : "r"(out) : "memory");
	return in;
}

CASE(jumps_out, 4)
{
	int n = UNKNOWN(3);
	asm goto("if %0 > 2 goto %l[large]" : : "r"(n) : : large);
	return 1;
large:
	asm goto("if %0 == 3 goto %l1" : : "r"(n) : : done);
	return 2;
done:
	return 4;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define DISTANCE "((%l[out] - 1b - 8) / 8) & 0xffff"
#else
#define DISTANCE "(((%l[out] - 1b - 8) / 8) & 0xffff) << 16"
#endif

// As the kernel's headers write `may_goto` for compilers that do not know it.
CASE(a_jump_in_bytes, 5)
{
	long n = 0;
	for (int i = 0; i < UNKNOWN(5); i++) {
		asm goto("1:.byte 0xe5; .byte 0; .long " DISTANCE "; .short 0" : : : : out);
		n++;
	}
out:
	return n;
}

CASE(labels_of_its_own, 10)
{
	long n = UNKNOWN(4L), sum = 0;
	asm volatile("1: %[sum] += %[n]; %[n] += -1; if %[n] != 0 goto 1b; if %[n] == 0 goto l%=; %[sum] = 0; l%=:"
		     : [sum] "+r"(sum), [n] "+r"(n));
	return sum;
}

CASE(symbols, 40)
{
	long p;
	asm volatile("%0 = limit ll; %0 = *(u32 *)(%0 + 0)" : "=r"(p) : : "memory");
	return p;
}

static __attribute__((naked, noinline, used)) int seven(void)
{
	asm volatile("r0 = 7; exit;" : : : "r0");
}

CASE(naked_function, 7)
{
	return seven();
}

SEC("tc") RETURNS(9) __attribute__((naked)) int naked_program(void)
{
	asm volatile("r1 = 4; r0 = 5; r0 += r1; exit;" : : : "r0", "r1");
}

CASE(helper_by_number, 1)
{
	long id;
	asm volatile("call %[get]; %[id] = r0" : [id] "=r"(id) : [get] "i"(BPF_FUNC_ktime_get_ns)
		     : "r0", "r1", "r2", "r3", "r4", "r5");
	return id != 0;
}

CASE(empty_barriers, 6)
{
	int a = 1, b = 2, c;
	asm volatile("" : "+g"(a));
	asm volatile("" : "=r"(c) : "0"(b + 1));
	__asm__ __volatile__("" ::: "memory");
	asm("" : "+r"(a), "+r"(b));
	return a + b + c;
}
