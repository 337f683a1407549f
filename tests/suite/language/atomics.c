// Atomic builtins of both families.
#include "returns.h"

static long wide = 10;
static int narrow = 10;

CASE(sync_family, 1)
{
	wide = narrow = 10;
	__sync_fetch_and_add(&wide, 5);
	__sync_fetch_and_sub(&wide, 1);
	__sync_fetch_and_or(&wide, 0x100);
	__sync_fetch_and_and(&wide, 0x10f);
	__sync_fetch_and_xor(&wide, 1);
	return wide == (((10 + 5 - 1) | 0x100) & 0x10f ^ 1);
}

CASE(sync_results, 127)
{
	wide = narrow = 10;
	int ok = __sync_fetch_and_add(&narrow, 3) == 10;
	ok |= (__sync_add_and_fetch(&narrow, 3) == 16) << 1;
	ok |= (__sync_sub_and_fetch(&wide, 3) == 7) << 2;
	ok |= (__sync_val_compare_and_swap(&wide, 7, 9) == 7) << 3;
	ok |= __sync_bool_compare_and_swap(&narrow, 16, 1) << 4;
	ok |= (__sync_lock_test_and_set(&narrow, 5) == 1) << 5;
	ok |= (wide == 9 && narrow == 5) << 6;
	return ok;
}

CASE(atomic_family, 15)
{
	wide = narrow = 10;
	int ok = __atomic_fetch_add(&wide, 5, __ATOMIC_RELAXED) == 10;
	ok |= (__atomic_add_fetch(&wide, 5, __ATOMIC_SEQ_CST) == 20) << 1;
	ok |= (__atomic_exchange_n(&narrow, 7, __ATOMIC_ACQ_REL) == 10) << 2;
	ok |= (__atomic_fetch_or(&wide, 1, __ATOMIC_RELEASE) == 20 && __atomic_sub_fetch(&wide, 1, __ATOMIC_RELAXED) == 20) << 3;
	return ok;
}

CASE(compare_exchange, 255)
{
	long expected = 4, new = 12;
	int small = 10, old;
	wide = narrow = 10;
	int ok = !__atomic_compare_exchange_n(&wide, &expected, 11, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	ok |= (expected == 10 && wide == 10) << 1;
	ok |= __atomic_compare_exchange_n(&wide, &expected, 11, 1, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) << 2;
	ok |= (expected == 10 && wide == 11) << 3;
	expected = 11;
	ok |= __atomic_compare_exchange(&wide, &expected, &new, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED) << 4;
	ok |= (wide == 12) << 5;
	__atomic_exchange(&narrow, &small, &old, __ATOMIC_SEQ_CST);
	ok |= (old == 10 && narrow == 10) << 6;
	return ok | __atomic_always_lock_free(sizeof(long), 0) << 7;
}
