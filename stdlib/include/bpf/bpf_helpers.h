/* What every BPF program needs: sections, maps, attributes, helpers, printing, loops.
 *
 * Include vmlinux.h or linux/types.h (linux/bpf.h does) first: the prototypes of helpers use the
 * kernel's integer types.
 */
#ifndef __BPF_HELPERS__
#define __BPF_HELPERS__

#include <bpf/bpf_helper_defs.h>

/* Maps are variables in the section ".maps"; their attributes are members whose types carry the
 * value: __uint(max_entries, 16) becomes `int (*max_entries)[16]`.
 */
#define __uint(name, val) int (*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, val) typeof(val) *name[]
#define __ulong(name, val) enum { ___bpf_concat(__unique_value, __COUNTER__) = val } name

/* Puts a program, map or variable into a section; the name says what it is. */
#define SEC(name) __attribute__((section(name), used))

#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif
/* A global function that is verified together with its callers, as a static one is. */
#define __hidden __attribute__((visibility("hidden")))

/* Pointer to NULL; vmlinux.h has none because it holds no macros. */
#ifndef NULL
#define NULL ((void *)0)
#endif
#ifndef KERNEL_VERSION
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))
#endif

/* Both work on kernel structures, so they must not become CO-RE relocations: the member that the
 * pointer was taken of has been relocated already.
 */
#undef offsetof
#define offsetof(type, member) ((unsigned long)&((type *)0)->member)
#undef container_of
#define container_of(ptr, type, member)                                \
	({                                                             \
		void *__mptr = (void *)(ptr);                          \
		((type *)(__mptr - offsetof(type, member)));           \
	})

/* Keeps the compiler from moving memory accesses across this point. */
#ifndef barrier
#define barrier() asm volatile("" ::: "memory")
#endif
/* Hides from the compiler what it knows of the variable's value, so that a check on the variable
 * stays a check on the same register that is used after it.
 */
#ifndef barrier_var
#define barrier_var(var) asm volatile("" : "+r"(var))
#endif

#ifndef __bpf_unreachable
#define __bpf_unreachable() __builtin_trap()
#endif

/* A tail call whose index is a constant: kernels since 5.5 turn it into a jump. */
static __always_inline void bpf_tail_call_static(void *ctx, const void *map, const __u32 slot)
{
	if (!__builtin_constant_p(slot))
		__bpf_unreachable();
	bpf_tail_call(ctx, (void *)map, slot);
}

enum libbpf_pin_type {
	LIBBPF_PIN_NONE,
	LIBBPF_PIN_BY_NAME,
};

enum libbpf_tristate {
	TRI_NO = 0,
	TRI_YES = 1,
	TRI_MODULE = 2,
};

/* Externs that the loader resolves: kernel configuration, kernel symbols and functions. */
#define __kconfig __attribute__((section(".kconfig")))
#define __ksym __attribute__((section(".ksyms")))

/* Pointers to kernel objects that may be kept in map values. */
#define __kptr_untrusted __attribute__((btf_type_tag("kptr_untrusted")))
#define __kptr __attribute__((btf_type_tag("kptr")))
#define __percpu_kptr __attribute__((btf_type_tag("percpu_kptr")))
#define __uptr __attribute__((btf_type_tag("uptr")))

/* Whether a weak kernel symbol or function exists on the kernel at hand. */
#define bpf_ksym_exists(sym)                                                                  \
	({                                                                                    \
		_Static_assert(!__builtin_constant_p(!!sym),                                  \
			       #sym " should be marked as __weak");                           \
		!!sym;                                                                        \
	})

/* What a global function promises about an argument. */
#define __arg_ctx __attribute__((btf_decl_tag("arg:ctx")))
#define __arg_nonnull __attribute__((btf_decl_tag("arg:nonnull")))
#define __arg_nullable __attribute__((btf_decl_tag("arg:nullable")))
#define __arg_trusted __attribute__((btf_decl_tag("arg:trusted")))
#define __arg_untrusted __attribute__((btf_decl_tag("arg:untrusted")))
#define __arg_arena __attribute__((btf_decl_tag("arg:arena")))

/* Counting arguments: ___bpf_apply(f, ___bpf_narg(args))(args) calls f0, f1, ... f12. */
#ifndef ___bpf_concat
#define ___bpf_concat(a, b) a##b
#endif
#ifndef ___bpf_apply
#define ___bpf_apply(fn, n) ___bpf_concat(fn, n)
#endif
#ifndef ___bpf_nth
#define ___bpf_nth(_, _1, _2, _3, _4, _5, _6, _7, _8, _9, _a, _b, _c, N, ...) N
#endif
#ifndef ___bpf_narg
#define ___bpf_narg(...) ___bpf_nth(_, ##__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#endif

/* ___bpf_fill(arr, a, b, c): arr[0] = a; arr[1] = b; arr[2] = c. */
#define ___bpf_fill0(arr, p, x) do {} while (0)
#define ___bpf_fill1(arr, p, x) arr[p] = x
#define ___bpf_fill2(arr, p, x, rest...) arr[p] = x; ___bpf_fill1(arr, p + 1, rest)
#define ___bpf_fill3(arr, p, x, rest...) arr[p] = x; ___bpf_fill2(arr, p + 1, rest)
#define ___bpf_fill4(arr, p, x, rest...) arr[p] = x; ___bpf_fill3(arr, p + 1, rest)
#define ___bpf_fill5(arr, p, x, rest...) arr[p] = x; ___bpf_fill4(arr, p + 1, rest)
#define ___bpf_fill6(arr, p, x, rest...) arr[p] = x; ___bpf_fill5(arr, p + 1, rest)
#define ___bpf_fill7(arr, p, x, rest...) arr[p] = x; ___bpf_fill6(arr, p + 1, rest)
#define ___bpf_fill8(arr, p, x, rest...) arr[p] = x; ___bpf_fill7(arr, p + 1, rest)
#define ___bpf_fill9(arr, p, x, rest...) arr[p] = x; ___bpf_fill8(arr, p + 1, rest)
#define ___bpf_fill10(arr, p, x, rest...) arr[p] = x; ___bpf_fill9(arr, p + 1, rest)
#define ___bpf_fill11(arr, p, x, rest...) arr[p] = x; ___bpf_fill10(arr, p + 1, rest)
#define ___bpf_fill12(arr, p, x, rest...) arr[p] = x; ___bpf_fill11(arr, p + 1, rest)
#define ___bpf_fill(arr, args...) ___bpf_apply(___bpf_fill, ___bpf_narg(args))(arr, 0, args)

#define ___bpf_pack_args(array, args...)                                                      \
	unsigned long long array[___bpf_narg(args)];                                          \
	_Pragma("GCC diagnostic push")                                                        \
	_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")                                \
	___bpf_fill(array, args);                                                             \
	_Pragma("GCC diagnostic pop")

/* Prints to the file of an iterator. */
#define BPF_SEQ_PRINTF(seq, fmt, args...)                                                     \
	({                                                                                    \
		static const char ___fmt[] = fmt;                                             \
		___bpf_pack_args(___param, args)                                              \
		bpf_seq_printf(seq, ___fmt, sizeof(___fmt), ___param, sizeof(___param));      \
	})

#define BPF_SNPRINTF(out, out_size, fmt, args...)                                             \
	({                                                                                    \
		static const char ___fmt[] = fmt;                                             \
		___bpf_pack_args(___param, args)                                              \
		bpf_snprintf(out, out_size, ___fmt, ___param, sizeof(___param));              \
	})

/* Before 5.2 there were no read-only globals: the format then lives on the stack. */
#ifdef BPF_NO_GLOBAL_DATA
#define BPF_PRINTK_FMT_MOD
#else
#define BPF_PRINTK_FMT_MOD static const
#endif

#define __bpf_printk(fmt, ...)                                                                \
	({                                                                                    \
		BPF_PRINTK_FMT_MOD char ____fmt[] = fmt;                                      \
		bpf_trace_printk(____fmt, sizeof(____fmt), ##__VA_ARGS__);                    \
	})

#define __bpf_vprintk(fmt, args...)                                                           \
	({                                                                                    \
		static const char ___fmt[] = fmt;                                             \
		___bpf_pack_args(___param, args)                                              \
		bpf_trace_vprintk(___fmt, sizeof(___fmt), ___param, sizeof(___param));        \
	})

/* A helper takes five arguments, so the plain one prints three values and the other any number. */
#define ___bpf_pick_printk(...)                                                               \
	___bpf_nth(_, ##__VA_ARGS__, __bpf_vprintk, __bpf_vprintk, __bpf_vprintk,             \
		   __bpf_vprintk, __bpf_vprintk, __bpf_vprintk, __bpf_vprintk, __bpf_vprintk, \
		   __bpf_vprintk, __bpf_printk, __bpf_printk, __bpf_printk, __bpf_printk)

/* Prints a line to the kernel's trace pipe. */
#define bpf_printk(fmt, args...) ___bpf_pick_printk(args)(fmt, ##args)

/* Loops over open-coded iterators (kernel 6.4). */
struct bpf_iter_num;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __weak __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __weak __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __weak __ksym;

/* bpf_for_each(task, p, ...) visits what bpf_iter_task_next() gives. The iterator is destroyed on
 * every way out of the loop; the second initialiser only anchors the destructor to the constructor.
 */
#ifndef bpf_for_each
#define bpf_for_each(type, cur, args...)                                                      \
	for (struct bpf_iter_##type                                                           \
		     ___it __attribute__((aligned(8), cleanup(bpf_iter_##type##_destroy))),   \
	     *___p __attribute__((unused)) =                                                  \
		     (bpf_iter_##type##_new(&___it, ##args),                                  \
		      (void)bpf_iter_##type##_destroy, (void *)0);                            \
	     (((cur) = bpf_iter_##type##_next(&___it)));)
#endif

/* for (i = start; i < end; i++), verified once however large the range. */
#ifndef bpf_for
#define bpf_for(i, start, end)                                                                \
	for (struct bpf_iter_num                                                              \
		     ___it __attribute__((aligned(8), cleanup(bpf_iter_num_destroy))),        \
	     *___p __attribute__((unused)) =                                                  \
		     (bpf_iter_num_new(&___it, (start), (end)),                               \
		      (void)bpf_iter_num_destroy, (void *)0);                                 \
	     ({                                                                               \
		     int *___t = bpf_iter_num_next(&___it);                                   \
		     (___t && ((i) = *___t, (i) >= (start) && (i) < (end)));                  \
	     });)
#endif

#ifndef bpf_repeat
#define bpf_repeat(N)                                                                         \
	for (struct bpf_iter_num                                                              \
		     ___it __attribute__((aligned(8), cleanup(bpf_iter_num_destroy))),        \
	     *___p __attribute__((unused)) =                                                  \
		     (bpf_iter_num_new(&___it, 0, (N)),                                       \
		      (void)bpf_iter_num_destroy, (void *)0);                                 \
	     bpf_iter_num_next(&___it);)
#endif

#endif /* __BPF_HELPERS__ */
