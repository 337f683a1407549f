/* Programs at probes: registers by role, and typed parameters for functions whose only argument is
 * a context.
 *
 * Registers belong to a machine: -D__TARGET_ARCH_x86, _arm64 or _riscv says which; without it they
 * are those of x86-64.
 */
#ifndef __BPF_TRACING_H__
#define __BPF_TRACING_H__

#include <bpf/bpf_helpers.h>

#if defined(__TARGET_ARCH_arm64)
#define bpf_target_arm64
#elif defined(__TARGET_ARCH_riscv)
#define bpf_target_riscv
#elif defined(__TARGET_ARCH_x86) || !(defined(__aarch64__) || defined(__riscv))
#define bpf_target_x86
#elif defined(__aarch64__)
#define bpf_target_arm64
#else
#define bpf_target_riscv
#endif
#define bpf_target_defined

/* The names of registers in vmlinux.h (and inside the kernel) differ from those for user space. */
#if defined(__KERNEL__) || defined(__VMLINUX_H__)
#define ___bpf_kernel_registers
#endif

#if defined(bpf_target_x86)

#ifdef ___bpf_kernel_registers
#define __PT_PARM1_REG di
#define __PT_PARM2_REG si
#define __PT_PARM3_REG dx
#define __PT_PARM4_REG cx
#define __PT_FP_REG bp
#define __PT_RC_REG ax
#define __PT_SP_REG sp
#define __PT_IP_REG ip
#else
#define __PT_PARM1_REG rdi
#define __PT_PARM2_REG rsi
#define __PT_PARM3_REG rdx
#define __PT_PARM4_REG rcx
#define __PT_FP_REG rbp
#define __PT_RC_REG rax
#define __PT_SP_REG rsp
#define __PT_IP_REG rip
#endif
#define __PT_PARM5_REG r8
#define __PT_PARM6_REG r9
/* The return address is on the stack: its place, not its value. */
#define __PT_RET_REG __PT_SP_REG
#define __PT_REGS_CAST(x) (x)
/* System calls take the fourth argument elsewhere. */
#define __PT_PARM4_SYSCALL_REG r10
#define PT_REGS_SYSCALL_REGS(ctx) ((struct pt_regs *)PT_REGS_PARM1(ctx))
#define BPF_KPROBE_READ_RET_IP(ip, ctx) \
	({ (ip) = 0; bpf_probe_read_kernel(&(ip), sizeof(ip), (void *)PT_REGS_RET(ctx)); })
#define BPF_KRETPROBE_READ_RET_IP(ip, ctx)                    \
	({                                                    \
		(ip) = 0;                                     \
		bpf_probe_read_kernel(&(ip), sizeof(ip),      \
				      (void *)(PT_REGS_FP(ctx) + sizeof(ip))); \
	})

#elif defined(bpf_target_arm64)

struct pt_regs___arm64 {
	unsigned long orig_x0;
} __attribute__((preserve_access_index));

#define __PT_PARM1_REG regs[0]
#define __PT_PARM2_REG regs[1]
#define __PT_PARM3_REG regs[2]
#define __PT_PARM4_REG regs[3]
#define __PT_PARM5_REG regs[4]
#define __PT_PARM6_REG regs[5]
#define __PT_PARM7_REG regs[6]
#define __PT_PARM8_REG regs[7]
#define __PT_FP_REG regs[29]
#define __PT_RET_REG regs[30]
#define __PT_RC_REG regs[0]
#define __PT_SP_REG sp
#define __PT_IP_REG pc
#define __PT_REGS_CAST(x) ((const struct user_pt_regs *)(x))
/* The first argument of a system call is overwritten by its result. */
#define PT_REGS_PARM1_SYSCALL(x) PT_REGS_PARM1_CORE_SYSCALL(x)
#define PT_REGS_PARM1_CORE_SYSCALL(x) \
	BPF_CORE_READ((const struct pt_regs___arm64 *)(x), orig_x0)
#define PT_REGS_SYSCALL_REGS(ctx) ((struct pt_regs *)PT_REGS_PARM1(ctx))
#define BPF_KPROBE_READ_RET_IP(ip, ctx) ({ (ip) = PT_REGS_RET(ctx); })
#define BPF_KRETPROBE_READ_RET_IP BPF_KPROBE_READ_RET_IP

#else /* riscv */

#define __PT_PARM1_REG a0
#define __PT_PARM2_REG a1
#define __PT_PARM3_REG a2
#define __PT_PARM4_REG a3
#define __PT_PARM5_REG a4
#define __PT_PARM6_REG a5
#define __PT_PARM7_REG a6
#define __PT_PARM8_REG a7
#define __PT_FP_REG s0
#define __PT_RET_REG ra
#define __PT_RC_REG a0
#define __PT_SP_REG sp
#define __PT_IP_REG pc
#define __PT_REGS_CAST(x) ((const struct user_regs_struct *)(x))
#define PT_REGS_SYSCALL_REGS(ctx) ((struct pt_regs *)PT_REGS_PARM1(ctx))
#define BPF_KPROBE_READ_RET_IP(ip, ctx) ({ (ip) = PT_REGS_RET(ctx); })
#define BPF_KRETPROBE_READ_RET_IP BPF_KPROBE_READ_RET_IP

#endif

/* Registers that a machine does not have are no members: a use of them does not compile. */
#ifndef __PT_PARM7_REG
#define __PT_PARM7_REG __unsupported__
#endif
#ifndef __PT_PARM8_REG
#define __PT_PARM8_REG __unsupported__
#endif

/* Reads of the context itself. */
#define PT_REGS_PARM1(x) (__PT_REGS_CAST(x)->__PT_PARM1_REG)
#define PT_REGS_PARM2(x) (__PT_REGS_CAST(x)->__PT_PARM2_REG)
#define PT_REGS_PARM3(x) (__PT_REGS_CAST(x)->__PT_PARM3_REG)
#define PT_REGS_PARM4(x) (__PT_REGS_CAST(x)->__PT_PARM4_REG)
#define PT_REGS_PARM5(x) (__PT_REGS_CAST(x)->__PT_PARM5_REG)
#define PT_REGS_PARM6(x) (__PT_REGS_CAST(x)->__PT_PARM6_REG)
#define PT_REGS_PARM7(x) (__PT_REGS_CAST(x)->__PT_PARM7_REG)
#define PT_REGS_PARM8(x) (__PT_REGS_CAST(x)->__PT_PARM8_REG)
#define PT_REGS_RET(x) (__PT_REGS_CAST(x)->__PT_RET_REG)
#define PT_REGS_FP(x) (__PT_REGS_CAST(x)->__PT_FP_REG)
#define PT_REGS_RC(x) (__PT_REGS_CAST(x)->__PT_RC_REG)
#define PT_REGS_SP(x) (__PT_REGS_CAST(x)->__PT_SP_REG)
#define PT_REGS_IP(x) (__PT_REGS_CAST(x)->__PT_IP_REG)

/* Reads of registers somewhere in the kernel, relocated. */
#define PT_REGS_PARM1_CORE(x) BPF_CORE_READ(__PT_REGS_CAST(x), __PT_PARM1_REG)
#define PT_REGS_PARM2_CORE(x) BPF_CORE_READ(__PT_REGS_CAST(x), __PT_PARM2_REG)
#define PT_REGS_PARM3_CORE(x) BPF_CORE_READ(__PT_REGS_CAST(x), __PT_PARM3_REG)
#define PT_REGS_PARM4_CORE(x) BPF_CORE_READ(__PT_REGS_CAST(x), __PT_PARM4_REG)
#define PT_REGS_PARM5_CORE(x) BPF_CORE_READ(__PT_REGS_CAST(x), __PT_PARM5_REG)
#define PT_REGS_PARM6_CORE(x) BPF_CORE_READ(__PT_REGS_CAST(x), __PT_PARM6_REG)
#define PT_REGS_PARM7_CORE(x) BPF_CORE_READ(__PT_REGS_CAST(x), __PT_PARM7_REG)
#define PT_REGS_PARM8_CORE(x) BPF_CORE_READ(__PT_REGS_CAST(x), __PT_PARM8_REG)
#define PT_REGS_RET_CORE(x) BPF_CORE_READ(__PT_REGS_CAST(x), __PT_RET_REG)
#define PT_REGS_FP_CORE(x) BPF_CORE_READ(__PT_REGS_CAST(x), __PT_FP_REG)
#define PT_REGS_RC_CORE(x) BPF_CORE_READ(__PT_REGS_CAST(x), __PT_RC_REG)
#define PT_REGS_SP_CORE(x) BPF_CORE_READ(__PT_REGS_CAST(x), __PT_SP_REG)
#define PT_REGS_IP_CORE(x) BPF_CORE_READ(__PT_REGS_CAST(x), __PT_IP_REG)

/* Arguments of system calls: as of functions, but for the registers named above. */
#ifndef __PT_PARM1_SYSCALL_REG
#define __PT_PARM1_SYSCALL_REG __PT_PARM1_REG
#endif
#ifndef __PT_PARM2_SYSCALL_REG
#define __PT_PARM2_SYSCALL_REG __PT_PARM2_REG
#endif
#ifndef __PT_PARM3_SYSCALL_REG
#define __PT_PARM3_SYSCALL_REG __PT_PARM3_REG
#endif
#ifndef __PT_PARM4_SYSCALL_REG
#define __PT_PARM4_SYSCALL_REG __PT_PARM4_REG
#endif
#ifndef __PT_PARM5_SYSCALL_REG
#define __PT_PARM5_SYSCALL_REG __PT_PARM5_REG
#endif
#ifndef __PT_PARM6_SYSCALL_REG
#define __PT_PARM6_SYSCALL_REG __PT_PARM6_REG
#endif
#ifndef __PT_PARM7_SYSCALL_REG
#define __PT_PARM7_SYSCALL_REG __PT_PARM7_REG
#endif
#ifndef PT_REGS_PARM1_SYSCALL
#define PT_REGS_PARM1_SYSCALL(x) (__PT_REGS_CAST(x)->__PT_PARM1_SYSCALL_REG)
#define PT_REGS_PARM1_CORE_SYSCALL(x) \
	BPF_CORE_READ(__PT_REGS_CAST(x), __PT_PARM1_SYSCALL_REG)
#endif
#define PT_REGS_PARM2_SYSCALL(x) (__PT_REGS_CAST(x)->__PT_PARM2_SYSCALL_REG)
#define PT_REGS_PARM2_CORE_SYSCALL(x) \
	BPF_CORE_READ(__PT_REGS_CAST(x), __PT_PARM2_SYSCALL_REG)
#define PT_REGS_PARM3_SYSCALL(x) (__PT_REGS_CAST(x)->__PT_PARM3_SYSCALL_REG)
#define PT_REGS_PARM3_CORE_SYSCALL(x) \
	BPF_CORE_READ(__PT_REGS_CAST(x), __PT_PARM3_SYSCALL_REG)
#define PT_REGS_PARM4_SYSCALL(x) (__PT_REGS_CAST(x)->__PT_PARM4_SYSCALL_REG)
#define PT_REGS_PARM4_CORE_SYSCALL(x) \
	BPF_CORE_READ(__PT_REGS_CAST(x), __PT_PARM4_SYSCALL_REG)
#define PT_REGS_PARM5_SYSCALL(x) (__PT_REGS_CAST(x)->__PT_PARM5_SYSCALL_REG)
#define PT_REGS_PARM5_CORE_SYSCALL(x) \
	BPF_CORE_READ(__PT_REGS_CAST(x), __PT_PARM5_SYSCALL_REG)
#define PT_REGS_PARM6_SYSCALL(x) (__PT_REGS_CAST(x)->__PT_PARM6_SYSCALL_REG)
#define PT_REGS_PARM6_CORE_SYSCALL(x) \
	BPF_CORE_READ(__PT_REGS_CAST(x), __PT_PARM6_SYSCALL_REG)
#define PT_REGS_PARM7_SYSCALL(x) (__PT_REGS_CAST(x)->__PT_PARM7_SYSCALL_REG)
#define PT_REGS_PARM7_CORE_SYSCALL(x) \
	BPF_CORE_READ(__PT_REGS_CAST(x), __PT_PARM7_SYSCALL_REG)

/* The program gets an array of u64. BPF_PROG(name, int a, struct sock *sk) declares name(ctx), which
 * hands the elements, as these parameters, to an inlined function that has the body.
 */
#define ___bpf_ctx_cast0() ctx
#define ___bpf_ctx_cast1(x) ___bpf_ctx_cast0(), (void *)ctx[0]
#define ___bpf_ctx_cast2(x, args...) ___bpf_ctx_cast1(args), (void *)ctx[1]
#define ___bpf_ctx_cast3(x, args...) ___bpf_ctx_cast2(args), (void *)ctx[2]
#define ___bpf_ctx_cast4(x, args...) ___bpf_ctx_cast3(args), (void *)ctx[3]
#define ___bpf_ctx_cast5(x, args...) ___bpf_ctx_cast4(args), (void *)ctx[4]
#define ___bpf_ctx_cast6(x, args...) ___bpf_ctx_cast5(args), (void *)ctx[5]
#define ___bpf_ctx_cast7(x, args...) ___bpf_ctx_cast6(args), (void *)ctx[6]
#define ___bpf_ctx_cast8(x, args...) ___bpf_ctx_cast7(args), (void *)ctx[7]
#define ___bpf_ctx_cast9(x, args...) ___bpf_ctx_cast8(args), (void *)ctx[8]
#define ___bpf_ctx_cast10(x, args...) ___bpf_ctx_cast9(args), (void *)ctx[9]
#define ___bpf_ctx_cast11(x, args...) ___bpf_ctx_cast10(args), (void *)ctx[10]
#define ___bpf_ctx_cast12(x, args...) ___bpf_ctx_cast11(args), (void *)ctx[11]
#define ___bpf_ctx_cast(args...) ___bpf_apply(___bpf_ctx_cast, ___bpf_narg(args))(args)

/* Values of any type come as u64, which pointers and numbers convert from without a word. */
#define ___bpf_quietly(call)                                                   \
	_Pragma("GCC diagnostic push")                                         \
	_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")                 \
	return call;                                                           \
	_Pragma("GCC diagnostic pop")

#define BPF_PROG(name, args...)                                                \
	name(unsigned long long *ctx);                                         \
	static __always_inline typeof(name(0))                                 \
	____##name(unsigned long long *ctx, ##args);                           \
	typeof(name(0)) name(unsigned long long *ctx)                          \
	{                                                                      \
		___bpf_quietly(____##name(___bpf_ctx_cast(args)))              \
	}                                                                      \
	static __always_inline typeof(name(0))                                 \
	____##name(unsigned long long *ctx, ##args)

/* BPF_PROG2(name, type, arg, type, arg): for structures passed by value, which take one or two
 * elements. ___bpf_slots() counts elements; each argument is copied from where it starts.
 */
#define ___bpf_nth2(_, _1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16,  \
		    _17, _18, _19, _20, _21, _22, _23, _24, N, ...)                        \
	N
#define ___bpf_narg2(...)                                                                  \
	___bpf_nth2(_, ##__VA_ARGS__, 12, 12, 11, 11, 10, 10, 9, 9, 8, 8, 7, 7, 6, 6, 5, 5, 4, 4, \
		    3, 3, 2, 2, 1, 1, 0)
#define ___bpf_slots(t) (sizeof(t) > 8 ? 2 : 1)
#define ___bpf_arg_at(t, at)                                                   \
	({                                                                     \
		union { unsigned long long raw[2]; t typed; } ___arg = {};     \
		___arg.raw[0] = ctx[at];                                       \
		if (___bpf_slots(t) == 2)                                      \
			___arg.raw[1] = ctx[(at) + 1];                         \
		___arg.typed;                                                  \
	})
#define ___bpf_pass0(at)
#define ___bpf_pass1(at, t, x) , ___bpf_arg_at(t, at)
#define ___bpf_pass2(at, t, x, args...) \
	, ___bpf_arg_at(t, at) ___bpf_pass1((at) + ___bpf_slots(t), args)
#define ___bpf_pass3(at, t, x, args...) \
	, ___bpf_arg_at(t, at) ___bpf_pass2((at) + ___bpf_slots(t), args)
#define ___bpf_pass4(at, t, x, args...) \
	, ___bpf_arg_at(t, at) ___bpf_pass3((at) + ___bpf_slots(t), args)
#define ___bpf_pass5(at, t, x, args...) \
	, ___bpf_arg_at(t, at) ___bpf_pass4((at) + ___bpf_slots(t), args)
#define ___bpf_pass6(at, t, x, args...) \
	, ___bpf_arg_at(t, at) ___bpf_pass5((at) + ___bpf_slots(t), args)
#define ___bpf_pass7(at, t, x, args...) \
	, ___bpf_arg_at(t, at) ___bpf_pass6((at) + ___bpf_slots(t), args)
#define ___bpf_pass8(at, t, x, args...) \
	, ___bpf_arg_at(t, at) ___bpf_pass7((at) + ___bpf_slots(t), args)
#define ___bpf_pass9(at, t, x, args...) \
	, ___bpf_arg_at(t, at) ___bpf_pass8((at) + ___bpf_slots(t), args)
#define ___bpf_pass10(at, t, x, args...) \
	, ___bpf_arg_at(t, at) ___bpf_pass9((at) + ___bpf_slots(t), args)
#define ___bpf_pass11(at, t, x, args...) \
	, ___bpf_arg_at(t, at) ___bpf_pass10((at) + ___bpf_slots(t), args)
#define ___bpf_pass12(at, t, x, args...) \
	, ___bpf_arg_at(t, at) ___bpf_pass11((at) + ___bpf_slots(t), args)
#define ___bpf_take0()
#define ___bpf_take1(t, x) , t x
#define ___bpf_take2(t, x, args...) , t x ___bpf_take1(args)
#define ___bpf_take3(t, x, args...) , t x ___bpf_take2(args)
#define ___bpf_take4(t, x, args...) , t x ___bpf_take3(args)
#define ___bpf_take5(t, x, args...) , t x ___bpf_take4(args)
#define ___bpf_take6(t, x, args...) , t x ___bpf_take5(args)
#define ___bpf_take7(t, x, args...) , t x ___bpf_take6(args)
#define ___bpf_take8(t, x, args...) , t x ___bpf_take7(args)
#define ___bpf_take9(t, x, args...) , t x ___bpf_take8(args)
#define ___bpf_take10(t, x, args...) , t x ___bpf_take9(args)
#define ___bpf_take11(t, x, args...) , t x ___bpf_take10(args)
#define ___bpf_take12(t, x, args...) , t x ___bpf_take11(args)
#define ___bpf_pass(args...) ___bpf_apply(___bpf_pass, ___bpf_narg2(args))(0, ##args)
#define ___bpf_take(args...) ___bpf_apply(___bpf_take, ___bpf_narg2(args))(args)

#define BPF_PROG2(name, args...)                                               \
	name(unsigned long long *ctx);                                         \
	static __always_inline typeof(name(0))                                 \
	____##name(unsigned long long *ctx ___bpf_take(args));                 \
	typeof(name(0)) name(unsigned long long *ctx)                          \
	{                                                                      \
		return ____##name(ctx ___bpf_pass(args));                      \
	}                                                                      \
	static __always_inline typeof(name(0))                                 \
	____##name(unsigned long long *ctx ___bpf_take(args))

/* The program gets saved registers; BPF_KPROBE(name, int a) takes its parameters out of them. */
struct pt_regs;

#define ___bpf_kprobe_args0() ctx
#define ___bpf_kprobe_args1(x) ___bpf_kprobe_args0(), (void *)PT_REGS_PARM1(ctx)
#define ___bpf_kprobe_args2(x, args...) ___bpf_kprobe_args1(args), (void *)PT_REGS_PARM2(ctx)
#define ___bpf_kprobe_args3(x, args...) ___bpf_kprobe_args2(args), (void *)PT_REGS_PARM3(ctx)
#define ___bpf_kprobe_args4(x, args...) ___bpf_kprobe_args3(args), (void *)PT_REGS_PARM4(ctx)
#define ___bpf_kprobe_args5(x, args...) ___bpf_kprobe_args4(args), (void *)PT_REGS_PARM5(ctx)
#define ___bpf_kprobe_args6(x, args...) ___bpf_kprobe_args5(args), (void *)PT_REGS_PARM6(ctx)
#define ___bpf_kprobe_args7(x, args...) ___bpf_kprobe_args6(args), (void *)PT_REGS_PARM7(ctx)
#define ___bpf_kprobe_args8(x, args...) ___bpf_kprobe_args7(args), (void *)PT_REGS_PARM8(ctx)
#define ___bpf_kprobe_args(args...) ___bpf_apply(___bpf_kprobe_args, ___bpf_narg(args))(args)

#define BPF_KPROBE(name, args...)                                              \
	name(struct pt_regs *ctx);                                             \
	static __always_inline typeof(name(0))                                 \
	____##name(struct pt_regs *ctx, ##args);                               \
	typeof(name(0)) name(struct pt_regs *ctx)                              \
	{                                                                      \
		___bpf_quietly(____##name(___bpf_kprobe_args(args)))           \
	}                                                                      \
	static __always_inline typeof(name(0))                                 \
	____##name(struct pt_regs *ctx, ##args)

/* At the return of a function there is only its result. */
#define ___bpf_kretprobe_args0() ctx
#define ___bpf_kretprobe_args1(x) ___bpf_kretprobe_args0(), (void *)PT_REGS_RC(ctx)
#define ___bpf_kretprobe_args(args...) \
	___bpf_apply(___bpf_kretprobe_args, ___bpf_narg(args))(args)

#define BPF_KRETPROBE(name, args...)                                           \
	name(struct pt_regs *ctx);                                             \
	static __always_inline typeof(name(0))                                 \
	____##name(struct pt_regs *ctx, ##args);                               \
	typeof(name(0)) name(struct pt_regs *ctx)                              \
	{                                                                      \
		___bpf_quietly(____##name(___bpf_kretprobe_args(args)))        \
	}                                                                      \
	static __always_inline typeof(name(0))                                 \
	____##name(struct pt_regs *ctx, ##args)

/* System calls: on some machines the function gets a pointer to the registers of the caller, so
 * the arguments are one read further away. The kernel's configuration says which.
 */
#define ___bpf_syscall_args0() ctx
#define ___bpf_syscall_args1(x) ___bpf_syscall_args0(), (void *)PT_REGS_PARM1_SYSCALL(regs)
#define ___bpf_syscall_args2(x, args...) ___bpf_syscall_args1(args), (void *)PT_REGS_PARM2_SYSCALL(regs)
#define ___bpf_syscall_args3(x, args...) ___bpf_syscall_args2(args), (void *)PT_REGS_PARM3_SYSCALL(regs)
#define ___bpf_syscall_args4(x, args...) ___bpf_syscall_args3(args), (void *)PT_REGS_PARM4_SYSCALL(regs)
#define ___bpf_syscall_args5(x, args...) ___bpf_syscall_args4(args), (void *)PT_REGS_PARM5_SYSCALL(regs)
#define ___bpf_syscall_args6(x, args...) ___bpf_syscall_args5(args), (void *)PT_REGS_PARM6_SYSCALL(regs)
#define ___bpf_syscall_args7(x, args...) ___bpf_syscall_args6(args), (void *)PT_REGS_PARM7_SYSCALL(regs)
#define ___bpf_syscall_args(args...) \
	___bpf_apply(___bpf_syscall_args, ___bpf_narg(args))(args)

#define ___bpf_syswrap_args0() ctx
#define ___bpf_syswrap_args1(x) ___bpf_syswrap_args0(), (void *)PT_REGS_PARM1_CORE_SYSCALL(regs)
#define ___bpf_syswrap_args2(x, args...) ___bpf_syswrap_args1(args), (void *)PT_REGS_PARM2_CORE_SYSCALL(regs)
#define ___bpf_syswrap_args3(x, args...) ___bpf_syswrap_args2(args), (void *)PT_REGS_PARM3_CORE_SYSCALL(regs)
#define ___bpf_syswrap_args4(x, args...) ___bpf_syswrap_args3(args), (void *)PT_REGS_PARM4_CORE_SYSCALL(regs)
#define ___bpf_syswrap_args5(x, args...) ___bpf_syswrap_args4(args), (void *)PT_REGS_PARM5_CORE_SYSCALL(regs)
#define ___bpf_syswrap_args6(x, args...) ___bpf_syswrap_args5(args), (void *)PT_REGS_PARM6_CORE_SYSCALL(regs)
#define ___bpf_syswrap_args7(x, args...) ___bpf_syswrap_args6(args), (void *)PT_REGS_PARM7_CORE_SYSCALL(regs)
#define ___bpf_syswrap_args(args...) \
	___bpf_apply(___bpf_syswrap_args, ___bpf_narg(args))(args)

#define BPF_KSYSCALL(name, args...)                                            \
	name(struct pt_regs *ctx);                                             \
	extern _Bool LINUX_HAS_SYSCALL_WRAPPER __kconfig;                      \
	static __always_inline typeof(name(0))                                 \
	____##name(struct pt_regs *ctx, ##args);                               \
	typeof(name(0)) name(struct pt_regs *ctx)                              \
	{                                                                      \
		struct pt_regs *regs = LINUX_HAS_SYSCALL_WRAPPER ?             \
					       PT_REGS_SYSCALL_REGS(ctx) : ctx; \
		_Pragma("GCC diagnostic push")                                 \
		_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")         \
		if (LINUX_HAS_SYSCALL_WRAPPER)                                 \
			return ____##name(___bpf_syswrap_args(args));          \
		else                                                           \
			return ____##name(___bpf_syscall_args(args));          \
		_Pragma("GCC diagnostic pop")                                  \
	}                                                                      \
	static __always_inline typeof(name(0))                                 \
	____##name(struct pt_regs *ctx, ##args)

/* The older name. */
#define BPF_KPROBE_SYSCALL BPF_KSYSCALL

/* Functions of user programs have the same conventions. */
#define BPF_UPROBE(name, args...) BPF_KPROBE(name, ##args)
#define BPF_URETPROBE(name, args...) BPF_KRETPROBE(name, ##args)

#endif /* __BPF_TRACING_H__ */
