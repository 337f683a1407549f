// What C23 adds, as far as a constant expression can tell.
#include <stddef.h>
#if 1'000 != 1000 || !true || 0b1'1 != 3
#error numbers
#endif
constexpr int size = 1'000 / 0b101;
constexpr unsigned char small = 0xf'f;
static constexpr long table[] = { 1, 2, size };
int list[size];
static_assert(sizeof(list) == 200 * sizeof(int) && small == 255);
static_assert(true && !false && sizeof(true) == 1 && 1'0.5 > 10);
static_assert(_Generic(true, bool: 1, default: 0) && _Generic(u8'a', unsigned char: 1, default: 0));
static_assert(nullptr == (void *)0 && sizeof(nullptr) == sizeof(void *) && sizeof(nullptr_t) == 8);
static_assert(_Generic(true ? nullptr : &list[0], int *: 1, default: 0));
auto inferred = 3ull;
static_assert(_Generic(inferred, unsigned long long: 1, default: 0));

int f(int n, int)
{
	constexpr int local = size + 1;
	static_assert(local == 201);
	auto copy = n;
	const auto fixed = 2L;
	typeof_unqual(fixed) sum = fixed;
	static_assert(_Generic(&sum, long *: 1, default: 0));
	int *p = nullptr;
	bool set = n > 3;
	switch (n) {
	case local:
		return 1;
	case size:
		if (p != nullptr || set)
			unreachable();
	}
	return sum + copy + (p == nullptr) + !set;
}
