/* CO-RE: reads of kernel structures that adapt to the layout of the kernel at hand.
 *
 * The builtins below leave a record in .BTF.ext for every access; the loader compares the types in
 * the program with those of the kernel and patches offsets, sizes and answers.
 */
#ifndef __BPF_CORE_READ_H__
#define __BPF_CORE_READ_H__

#include <bpf/bpf_helpers.h>

/* What __builtin_preserve_field_info() answers. */
enum bpf_field_info_kind {
	BPF_FIELD_BYTE_OFFSET = 0,
	BPF_FIELD_BYTE_SIZE = 1,
	BPF_FIELD_EXISTS = 2,
	BPF_FIELD_SIGNED = 3,
	BPF_FIELD_LSHIFT_U64 = 4,
	BPF_FIELD_RSHIFT_U64 = 5,
};

/* What __builtin_btf_type_id() answers. */
enum bpf_type_id_kind {
	BPF_TYPE_ID_LOCAL = 0,
	BPF_TYPE_ID_TARGET = 1,
};

/* What __builtin_preserve_type_info() answers. */
enum bpf_type_info_kind {
	BPF_TYPE_EXISTS = 0,
	BPF_TYPE_SIZE = 1,
	BPF_TYPE_MATCHES = 2,
};

/* What __builtin_preserve_enum_value() answers. */
enum bpf_enum_value_kind {
	BPF_ENUMVAL_EXISTS = 0,
	BPF_ENUMVAL_VALUE = 1,
};

#define __CORE_RELO(src, field, info) \
	__builtin_preserve_field_info((src)->field, BPF_FIELD_##info)

/* The bytes that hold a bit-field, read into the end of a u64 where its low bits are. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define __CORE_BITFIELD_PROBE_READ(dst, src, fld)                              \
	bpf_probe_read_kernel((void *)dst, __CORE_RELO(src, fld, BYTE_SIZE),   \
			      (const void *)src + __CORE_RELO(src, fld, BYTE_OFFSET))
#else
#define __CORE_BITFIELD_PROBE_READ(dst, src, fld)                                         \
	bpf_probe_read_kernel((void *)dst + (8 - __CORE_RELO(src, fld, BYTE_SIZE)),       \
			      __CORE_RELO(src, fld, BYTE_SIZE),                           \
			      (const void *)src + __CORE_RELO(src, fld, BYTE_OFFSET))
#endif

/* Moves the bit-field to the top, then down again with the sign it has. */
#define ___core_bitfield_extract(val, s, field)                                \
	({                                                                     \
		val <<= __CORE_RELO(s, field, LSHIFT_U64);                     \
		if (__CORE_RELO(s, field, SIGNED))                             \
			val = ((long long)val) >> __CORE_RELO(s, field, RSHIFT_U64); \
		else                                                           \
			val = val >> __CORE_RELO(s, field, RSHIFT_U64);        \
		val;                                                           \
	})

/* A bit-field behind a pointer that needs a probe read. */
#define BPF_CORE_READ_BITFIELD_PROBED(s, field)                                \
	({                                                                     \
		unsigned long long ___bits = 0;                                \
		__CORE_BITFIELD_PROBE_READ(&___bits, s, field);                \
		___core_bitfield_extract(___bits, s, field);                   \
	})

/* A bit-field behind a pointer that the verifier lets the program follow. */
#define BPF_CORE_READ_BITFIELD(s, field)                                                  \
	({                                                                                \
		const void *___at = (const void *)s + __CORE_RELO(s, field, BYTE_OFFSET); \
		unsigned long long ___bits = 0;                                           \
		/* Keeps the address one value, so that it is relocated once. */          \
		asm volatile("" : "=r"(___at) : "0"(___at));                              \
		switch (__CORE_RELO(s, field, BYTE_SIZE)) {                               \
		case 1: ___bits = *(const unsigned char *)___at; break;                   \
		case 2: ___bits = *(const unsigned short *)___at; break;                  \
		case 4: ___bits = *(const unsigned int *)___at; break;                    \
		case 8: ___bits = *(const unsigned long long *)___at; break;              \
		}                                                                         \
		___core_bitfield_extract(___bits, s, field);                              \
	})

/* Replaces the bits of a bit-field and keeps those around it. */
#define BPF_CORE_WRITE_BITFIELD(s, field, new_val)                                        \
	({                                                                                \
		void *___at = (void *)s + __CORE_RELO(s, field, BYTE_OFFSET);             \
		unsigned int ___size = __CORE_RELO(s, field, BYTE_SIZE);                  \
		unsigned int ___left = __CORE_RELO(s, field, LSHIFT_U64);                 \
		unsigned int ___right = __CORE_RELO(s, field, RSHIFT_U64);                \
		unsigned int ___low = ___right - ___left;                                 \
		unsigned long long ___mask = (~0ULL >> ___right) << ___low;               \
		unsigned long long ___new = ((unsigned long long)(new_val) << ___low) & ___mask; \
		asm volatile("" : "+r"(___at));                                           \
		switch (___size) {                                                        \
		case 1:                                                                   \
			*(unsigned char *)___at = (*(unsigned char *)___at & ~___mask) | ___new; \
			break;                                                            \
		case 2:                                                                   \
			*(unsigned short *)___at = (*(unsigned short *)___at & ~___mask) | ___new; \
			break;                                                            \
		case 4:                                                                   \
			*(unsigned int *)___at = (*(unsigned int *)___at & ~___mask) | ___new; \
			break;                                                            \
		case 8:                                                                   \
			*(unsigned long long *)___at =                                    \
				(*(unsigned long long *)___at & ~___mask) | ___new;       \
			break;                                                            \
		}                                                                         \
	})

#define ___bpf_typeof(type) ((typeof(type) *)0)

/* A field is named by an expression (p->a.b) or by a type and a member (struct s, a.b). */
#define ___bpf_field_ref1(field) (field)
#define ___bpf_field_ref2(type, field) (___bpf_typeof(type)->field)
#define ___bpf_field_ref(args...) ___bpf_apply(___bpf_field_ref, ___bpf_narg(args))(args)

#define bpf_core_field_exists(field...) \
	__builtin_preserve_field_info(___bpf_field_ref(field), BPF_FIELD_EXISTS)
#define bpf_core_field_size(field...) \
	__builtin_preserve_field_info(___bpf_field_ref(field), BPF_FIELD_BYTE_SIZE)
#define bpf_core_field_offset(field...) \
	__builtin_preserve_field_info(___bpf_field_ref(field), BPF_FIELD_BYTE_OFFSET)

#define bpf_core_type_id_local(type) \
	__builtin_btf_type_id(*___bpf_typeof(type), BPF_TYPE_ID_LOCAL)
#define bpf_core_type_id_kernel(type) \
	__builtin_btf_type_id(*___bpf_typeof(type), BPF_TYPE_ID_TARGET)

#define bpf_core_type_exists(type) \
	__builtin_preserve_type_info(*___bpf_typeof(type), BPF_TYPE_EXISTS)
#define bpf_core_type_matches(type) \
	__builtin_preserve_type_info(*___bpf_typeof(type), BPF_TYPE_MATCHES)
#define bpf_core_type_size(type) \
	__builtin_preserve_type_info(*___bpf_typeof(type), BPF_TYPE_SIZE)

#define bpf_core_enum_value_exists(enum_type, enum_value) \
	__builtin_preserve_enum_value(*(typeof(enum_type) *)enum_value, BPF_ENUMVAL_EXISTS)
#define bpf_core_enum_value(enum_type, enum_value) \
	__builtin_preserve_enum_value(*(typeof(enum_type) *)enum_value, BPF_ENUMVAL_VALUE)

/* Reads sz bytes of kernel memory; the address is an access that is relocated. */
#define bpf_core_read(dst, sz, src) \
	bpf_probe_read_kernel(dst, sz, (const void *)__builtin_preserve_access_index(src))
#define bpf_core_read_user(dst, sz, src) \
	bpf_probe_read_user(dst, sz, (const void *)__builtin_preserve_access_index(src))
#define bpf_core_read_str(dst, sz, src) \
	bpf_probe_read_kernel_str(dst, sz, (const void *)__builtin_preserve_access_index(src))
#define bpf_core_read_user_str(dst, sz, src) \
	bpf_probe_read_user_str(dst, sz, (const void *)__builtin_preserve_access_index(src))

extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

/* A pointer that the verifier takes for one to `type`, to be followed without probe reads. */
#define bpf_core_cast(ptr, type) \
	((typeof(type) *)bpf_rdonly_cast((ptr), bpf_core_type_id_kernel(type)))

/* Chains: X(src, a, b, c) reads src->a->b->c. Every arrow but the last is a pointer read into
 * ___p; ___hop() is that pointer with the type that the arrow has.
 */
#define ___hop(s, a) ((typeof((s)->a))___p)
#define ___step(fn, s, a) fn(&___p, sizeof(___p), &(s)->a)
#define ___chain1(fn, end, dst, s, a) end(dst, sizeof(*(dst)), &(s)->a)
#define ___chain2(fn, end, dst, s, a, more...) \
	___step(fn, s, a); ___chain1(fn, end, dst, ___hop(s, a), more)
#define ___chain3(fn, end, dst, s, a, more...) \
	___step(fn, s, a); ___chain2(fn, end, dst, ___hop(s, a), more)
#define ___chain4(fn, end, dst, s, a, more...) \
	___step(fn, s, a); ___chain3(fn, end, dst, ___hop(s, a), more)
#define ___chain5(fn, end, dst, s, a, more...) \
	___step(fn, s, a); ___chain4(fn, end, dst, ___hop(s, a), more)
#define ___chain6(fn, end, dst, s, a, more...) \
	___step(fn, s, a); ___chain5(fn, end, dst, ___hop(s, a), more)
#define ___chain7(fn, end, dst, s, a, more...) \
	___step(fn, s, a); ___chain6(fn, end, dst, ___hop(s, a), more)
#define ___chain8(fn, end, dst, s, a, more...) \
	___step(fn, s, a); ___chain7(fn, end, dst, ___hop(s, a), more)
#define ___chain9(fn, end, dst, s, a, more...) \
	___step(fn, s, a); ___chain8(fn, end, dst, ___hop(s, a), more)
#define ___chain(fn, end, dst, s, path...)                                               \
	({                                                                               \
		const void *___p __attribute__((unused));                                \
		___bpf_apply(___chain, ___bpf_narg(path))(fn, end, dst, s, path);        \
	})

/* The type of src->a->b->c, without const: a variable of that type receives the value. */
#if __clang_major__ >= 19
#define ___value_type __typeof_unqual__
#else
#define ___value_type typeof
#endif
#define ___arrow1(s, a) (s)->a
#define ___arrow2(s, a, more...) ___arrow1((s)->a, more)
#define ___arrow3(s, a, more...) ___arrow2((s)->a, more)
#define ___arrow4(s, a, more...) ___arrow3((s)->a, more)
#define ___arrow5(s, a, more...) ___arrow4((s)->a, more)
#define ___arrow6(s, a, more...) ___arrow5((s)->a, more)
#define ___arrow7(s, a, more...) ___arrow6((s)->a, more)
#define ___arrow8(s, a, more...) ___arrow7((s)->a, more)
#define ___arrow9(s, a, more...) ___arrow8((s)->a, more)
#define ___arrow_type(s, path...) \
	___value_type(___bpf_apply(___arrow, ___bpf_narg(path))(s, path))

/* Into memory of the program. */
#define BPF_CORE_READ_INTO(dst, src, path...) \
	___chain(bpf_core_read, bpf_core_read, dst, src, path)
#define BPF_CORE_READ_USER_INTO(dst, src, path...) \
	___chain(bpf_core_read_user, bpf_core_read_user, dst, src, path)
#define BPF_PROBE_READ_INTO(dst, src, path...) \
	___chain(bpf_probe_read_kernel, bpf_probe_read_kernel, dst, src, path)
#define BPF_PROBE_READ_USER_INTO(dst, src, path...) \
	___chain(bpf_probe_read_user, bpf_probe_read_user, dst, src, path)

/* The same for strings: at most sizeof(*dst) bytes up to the zero. */
#define BPF_CORE_READ_STR_INTO(dst, src, path...) \
	___chain(bpf_core_read, bpf_core_read_str, dst, src, path)
#define BPF_CORE_READ_USER_STR_INTO(dst, src, path...) \
	___chain(bpf_core_read_user, bpf_core_read_user_str, dst, src, path)
#define BPF_PROBE_READ_STR_INTO(dst, src, path...) \
	___chain(bpf_probe_read_kernel, bpf_probe_read_kernel_str, dst, src, path)
#define BPF_PROBE_READ_USER_STR_INTO(dst, src, path...) \
	___chain(bpf_probe_read_user, bpf_probe_read_user_str, dst, src, path)

/* As a value. The probe variants are not relocated. */
#define BPF_CORE_READ(src, path...)                             \
	({                                                      \
		___arrow_type(src, path) __r;                   \
		BPF_CORE_READ_INTO(&__r, src, path);            \
		__r;                                            \
	})
#define BPF_CORE_READ_USER(src, path...)                        \
	({                                                      \
		___arrow_type(src, path) __r;                   \
		BPF_CORE_READ_USER_INTO(&__r, src, path);       \
		__r;                                            \
	})
#define BPF_PROBE_READ(src, path...)                            \
	({                                                      \
		___arrow_type(src, path) __r;                   \
		BPF_PROBE_READ_INTO(&__r, src, path);           \
		__r;                                            \
	})
#define BPF_PROBE_READ_USER(src, path...)                       \
	({                                                      \
		___arrow_type(src, path) __r;                   \
		BPF_PROBE_READ_USER_INTO(&__r, src, path);      \
		__r;                                            \
	})

#endif /* __BPF_CORE_READ_H__ */
