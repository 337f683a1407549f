/* Reversal of bytes; constants are reversed while compiling. */
#ifndef _LINUX_SWAB_H
#define _LINUX_SWAB_H

#include <linux/types.h>

#define ___constant_swab16(x) ((__u16)(((__u16)(x) << 8) | ((__u16)(x) >> 8)))
#define ___constant_swab32(x)                             \
	((__u32)((((__u32)(x) & 0x000000ffU) << 24) |     \
		 (((__u32)(x) & 0x0000ff00U) << 8) |      \
		 (((__u32)(x) & 0x00ff0000U) >> 8) |      \
		 (((__u32)(x) & 0xff000000U) >> 24)))
#define ___constant_swab64(x)                                             \
	((__u64)(((__u64)___constant_swab32((__u32)(x)) << 32) |          \
		 (__u64)___constant_swab32((__u32)((__u64)(x) >> 32))))

#define __swab16(x) \
	((__u16)(__builtin_constant_p(x) ? ___constant_swab16(x) : __builtin_bswap16(x)))
#define __swab32(x) \
	((__u32)(__builtin_constant_p(x) ? ___constant_swab32(x) : __builtin_bswap32(x)))
#define __swab64(x) \
	((__u64)(__builtin_constant_p(x) ? ___constant_swab64(x) : __builtin_bswap64(x)))

static inline __attribute__((always_inline)) __u16 __swab16p(const __u16 *p)
{
	return __swab16(*p);
}
static inline __attribute__((always_inline)) __u32 __swab32p(const __u32 *p)
{
	return __swab32(*p);
}
static inline __attribute__((always_inline)) __u64 __swab64p(const __u64 *p)
{
	return __swab64(*p);
}

#endif
