/* Programs at user statically defined tracepoints (USDT).
 *
 * Where an argument of such a point is (a constant, a register, memory that a register points to)
 * is in a note of the traced binary. The loader reads the notes and stores one description per
 * point in the map below; a program looks its arguments up there.
 */
#ifndef __USDT_BPF_H__
#define __USDT_BPF_H__

#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* How many descriptions, and on kernels without cookies how many addresses, there may be. */
#ifndef BPF_USDT_MAX_SPEC_CNT
#define BPF_USDT_MAX_SPEC_CNT 256
#endif
#ifndef BPF_USDT_MAX_IP_CNT
#define BPF_USDT_MAX_IP_CNT (4 * BPF_USDT_MAX_SPEC_CNT)
#endif
#define BPF_USDT_MAX_ARG_CNT 12

enum __bpf_usdt_arg_type {
	BPF_USDT_ARG_CONST,
	BPF_USDT_ARG_REG,
	BPF_USDT_ARG_REG_DEREF,
};

/* Written by the loader, so the layout is fixed. */
struct __bpf_usdt_arg_spec {
	/* The constant, or the offset from the address in the register. */
	__u64 val_off;
	enum __bpf_usdt_arg_type arg_type;
	/* Offset of the register in struct pt_regs. */
	short reg_off;
	/* The argument has 64 - arg_bitshift bits. */
	_Bool arg_signed;
	char arg_bitshift;
};

struct __bpf_usdt_spec {
	struct __bpf_usdt_arg_spec args[BPF_USDT_MAX_ARG_CNT];
	__u64 usdt_cookie;
	short arg_cnt;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BPF_USDT_MAX_SPEC_CNT);
	__type(key, int);
	__type(value, struct __bpf_usdt_spec);
} __bpf_usdt_specs SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BPF_USDT_MAX_IP_CNT);
	__type(key, long);
	__type(value, __u32);
} __bpf_usdt_ip_to_spec_id SEC(".maps") __weak;

extern const _Bool LINUX_HAS_BPF_COOKIE __kconfig;

/* The description of the point that the program was called at. */
static __always_inline struct __bpf_usdt_spec *__bpf_usdt_spec(struct pt_regs *ctx)
{
	int id;

	if (LINUX_HAS_BPF_COOKIE) {
		id = bpf_get_attach_cookie(ctx);
	} else {
		long ip = PT_REGS_IP(ctx);
		int *found = bpf_map_lookup_elem(&__bpf_usdt_ip_to_spec_id, &ip);

		if (!found)
			return NULL;
		id = *found;
	}
	return bpf_map_lookup_elem(&__bpf_usdt_specs, &id);
}

/* How many arguments there are, or a negative error number. */
__weak __hidden int bpf_usdt_arg_cnt(struct pt_regs *ctx)
{
	struct __bpf_usdt_spec *spec = __bpf_usdt_spec(ctx);

	return spec ? spec->arg_cnt : -ESRCH;
}

/* Gives argument number n (from 0) in *res; returns 0 or a negative error number. */
__weak __hidden int bpf_usdt_arg(struct pt_regs *ctx, __u64 n, long *res)
{
	struct __bpf_usdt_spec *spec = __bpf_usdt_spec(ctx);
	struct __bpf_usdt_arg_spec *arg;
	unsigned long value;
	int error;

	*res = 0;
	if (!spec)
		return -ESRCH;
	/* The verifier is to see the bound on the register that is the index. */
	barrier_var(n);
	if (n >= BPF_USDT_MAX_ARG_CNT)
		return -ENOENT;
	barrier_var(n);
	if (n >= spec->arg_cnt)
		return -ENOENT;
	arg = &spec->args[n];

	if (arg->arg_type == BPF_USDT_ARG_CONST) {
		value = arg->val_off;
	} else if (arg->arg_type == BPF_USDT_ARG_REG || arg->arg_type == BPF_USDT_ARG_REG_DEREF) {
		error = bpf_probe_read_kernel(&value, sizeof(value), (void *)ctx + arg->reg_off);
		if (error)
			return error;
		if (arg->arg_type == BPF_USDT_ARG_REG_DEREF) {
			error = bpf_probe_read_user(&value, sizeof(value),
						    (void *)value + arg->val_off);
			if (error)
				return error;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
			value >>= arg->arg_bitshift;
#endif
		}
	} else {
		return -EINVAL;
	}

	/* To the top and back, which drops what is not of the argument and extends its sign. */
	value <<= arg->arg_bitshift;
	if (arg->arg_signed)
		*res = (long)value >> arg->arg_bitshift;
	else
		*res = value >> arg->arg_bitshift;
	return 0;
}

/* The number that user space gave when it attached; 0 if it gave none. */
__weak __hidden long bpf_usdt_cookie(struct pt_regs *ctx)
{
	struct __bpf_usdt_spec *spec = __bpf_usdt_spec(ctx);

	return spec ? spec->usdt_cookie : 0;
}

/* BPF_USDT(name, int a, const char *b): the arguments as parameters. */
#define ___bpf_usdt_value(n)                             \
	({                                               \
		long ___value;                           \
		bpf_usdt_arg(ctx, n, &___value);         \
		(void *)___value;                        \
	})
#define ___bpf_usdt_args0() ctx
#define ___bpf_usdt_args1(x) ___bpf_usdt_args0(), ___bpf_usdt_value(0)
#define ___bpf_usdt_args2(x, args...) ___bpf_usdt_args1(args), ___bpf_usdt_value(1)
#define ___bpf_usdt_args3(x, args...) ___bpf_usdt_args2(args), ___bpf_usdt_value(2)
#define ___bpf_usdt_args4(x, args...) ___bpf_usdt_args3(args), ___bpf_usdt_value(3)
#define ___bpf_usdt_args5(x, args...) ___bpf_usdt_args4(args), ___bpf_usdt_value(4)
#define ___bpf_usdt_args6(x, args...) ___bpf_usdt_args5(args), ___bpf_usdt_value(5)
#define ___bpf_usdt_args7(x, args...) ___bpf_usdt_args6(args), ___bpf_usdt_value(6)
#define ___bpf_usdt_args8(x, args...) ___bpf_usdt_args7(args), ___bpf_usdt_value(7)
#define ___bpf_usdt_args9(x, args...) ___bpf_usdt_args8(args), ___bpf_usdt_value(8)
#define ___bpf_usdt_args10(x, args...) ___bpf_usdt_args9(args), ___bpf_usdt_value(9)
#define ___bpf_usdt_args11(x, args...) ___bpf_usdt_args10(args), ___bpf_usdt_value(10)
#define ___bpf_usdt_args12(x, args...) ___bpf_usdt_args11(args), ___bpf_usdt_value(11)
#define ___bpf_usdt_args(args...) ___bpf_apply(___bpf_usdt_args, ___bpf_narg(args))(args)

#define BPF_USDT(name, args...)                                                \
	name(struct pt_regs *ctx);                                             \
	static __always_inline typeof(name(0))                                 \
	____##name(struct pt_regs *ctx, ##args);                               \
	typeof(name(0)) name(struct pt_regs *ctx)                              \
	{                                                                      \
		___bpf_quietly(____##name(___bpf_usdt_args(args)))             \
	}                                                                      \
	static __always_inline typeof(name(0))                                 \
	____##name(struct pt_regs *ctx, ##args)

#endif /* __USDT_BPF_H__ */
