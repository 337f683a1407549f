/* Conversions between the byte order of the machine and that of the network. Constants convert
 * while compiling, also where C wants a constant (case labels, initialisers).
 */
#ifndef __BPF_ENDIAN__
#define __BPF_ENDIAN__

#define ___bpf_swab16(x) ((__u16)(((__u16)(x) << 8) | ((__u16)(x) >> 8)))

#define ___bpf_swab32(x)                                          \
	((__u32)((((__u32)(x) & 0x000000ffU) << 24) |             \
		 (((__u32)(x) & 0x0000ff00U) << 8) |              \
		 (((__u32)(x) & 0x00ff0000U) >> 8) |              \
		 (((__u32)(x) & 0xff000000U) >> 24)))

#define ___bpf_swab64(x)                                          \
	((__u64)(((__u64)___bpf_swab32((__u32)(x)) << 32) |       \
		 (__u64)___bpf_swab32((__u32)((__u64)(x) >> 32))))

#define ___bpf_swap(bits, x) \
	(__builtin_constant_p(x) ? ___bpf_swab##bits(x) : __builtin_bswap##bits(x))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define __bpf_ntohs(x) __builtin_bswap16(x)
#define __bpf_htons(x) __builtin_bswap16(x)
#define __bpf_ntohl(x) __builtin_bswap32(x)
#define __bpf_htonl(x) __builtin_bswap32(x)
#define __bpf_be64_to_cpu(x) __builtin_bswap64(x)
#define __bpf_cpu_to_be64(x) __builtin_bswap64(x)
#define __bpf_constant_ntohs(x) ___bpf_swab16(x)
#define __bpf_constant_htons(x) ___bpf_swab16(x)
#define __bpf_constant_ntohl(x) ___bpf_swab32(x)
#define __bpf_constant_htonl(x) ___bpf_swab32(x)
#define __bpf_constant_be64_to_cpu(x) ___bpf_swab64(x)
#define __bpf_constant_cpu_to_be64(x) ___bpf_swab64(x)
#define ___bpf_be(bits, x) ___bpf_swap(bits, x)
#elif __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define __bpf_ntohs(x) (x)
#define __bpf_htons(x) (x)
#define __bpf_ntohl(x) (x)
#define __bpf_htonl(x) (x)
#define __bpf_be64_to_cpu(x) (x)
#define __bpf_cpu_to_be64(x) (x)
#define __bpf_constant_ntohs(x) (x)
#define __bpf_constant_htons(x) (x)
#define __bpf_constant_ntohl(x) (x)
#define __bpf_constant_htonl(x) (x)
#define __bpf_constant_be64_to_cpu(x) (x)
#define __bpf_constant_cpu_to_be64(x) (x)
#define ___bpf_be(bits, x) (x)
#else
#error "__BYTE_ORDER__ is neither little nor big"
#endif

#define bpf_htons(x) ___bpf_be(16, x)
#define bpf_ntohs(x) ___bpf_be(16, x)
#define bpf_htonl(x) ___bpf_be(32, x)
#define bpf_ntohl(x) ___bpf_be(32, x)
#define bpf_cpu_to_be64(x) ___bpf_be(64, x)
#define bpf_be64_to_cpu(x) ___bpf_be(64, x)

#endif /* __BPF_ENDIAN__ */
