// Relocations against the types of the running kernel, and symbols that it has.
#include "vmlinux.h"
#include "returns.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "bpf_experimental.h"

#define KEPT __attribute__((preserve_access_index))
struct task_struct___old { int state; int not_there_at_all; } KEPT;
struct task_struct___few { int pid; int tgid; struct { int x; } missing; } KEPT;
struct unknown_to_any_kernel { int a; } KEPT;
enum bpf_map_type___more { BPF_MAP_TYPE_ARRAY___more = 77, BPF_MAP_TYPE_NEVER___more = 78 };
typedef int never_defined_by_any_kernel;

CASE(fields_exist, 5)
{
	struct task_struct___old *old = 0;
	struct task_struct___few *few = 0;
	return bpf_core_field_exists(few->pid) + 2 * bpf_core_field_exists(old->not_there_at_all) +
		4 * bpf_core_field_exists(struct task_struct, tgid);
}

CASE(sizes_and_offsets, 7)
{
	struct task_struct___few *few = 0;
	return (bpf_core_field_size(few->pid) == 4) +
		2 * (bpf_core_field_offset(few->pid) == bpf_core_field_offset(struct task_struct, pid)) +
		4 * (bpf_core_type_size(struct task_struct) > 1000);
}

CASE(types_exist, 5)
{
	return bpf_core_type_exists(struct task_struct) + 2 * bpf_core_type_exists(struct unknown_to_any_kernel) +
		4 * bpf_core_type_matches(struct list_head) + 8 * bpf_core_type_exists(never_defined_by_any_kernel);
}

CASE(constants_of_enums, 7)
{
	return bpf_core_enum_value_exists(enum bpf_map_type___more, BPF_MAP_TYPE_ARRAY___more) +
		2 * !bpf_core_enum_value_exists(enum bpf_map_type___more, BPF_MAP_TYPE_NEVER___more) +
		4 * (bpf_core_enum_value(enum bpf_map_type___more, BPF_MAP_TYPE_ARRAY___more) == BPF_MAP_TYPE_ARRAY);
}

CASE(ids_of_types, 3)
{
	return (bpf_core_type_id_kernel(struct task_struct) > 0) + 2 * (bpf_core_type_id_local(struct task_struct) > 0);
}

CASE(bit_fields_of_the_kernel, 3)
{
	struct sk_buff *kernel = 0;
	int is_signed = __builtin_preserve_field_info(kernel->ip_summed, BPF_FIELD_SIGNED);
	int left = __builtin_preserve_field_info(kernel->ip_summed, BPF_FIELD_LSHIFT_U64);
	int right = __builtin_preserve_field_info(kernel->ip_summed, BPF_FIELD_RSHIFT_U64);
	return !is_signed + 2 * (left + 2 <= 64 && right == 62);
}

extern int LINUX_KERNEL_VERSION __kconfig;
extern int CONFIG_NEVER_HEARD_OF __kconfig __weak;
extern enum libbpf_tristate CONFIG_BPF_SYSCALL __kconfig __weak;
CASE(configuration, 1)
{
	return LINUX_KERNEL_VERSION >= KERNEL_VERSION(5, 0, 0) && !CONFIG_NEVER_HEARD_OF && CONFIG_BPF_SYSCALL <= TRI_MODULE;
}

extern const void never_defined_anywhere __ksym __weak;
extern void never_called_anywhere(void) __ksym __weak;
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;
CASE(symbols_of_the_kernel, 3)
{
	if (bpf_ksym_exists(never_called_anywhere))
		never_called_anywhere();
	struct sk_buff *kernel = bpf_ksym_exists(bpf_rdonly_cast) ? bpf_rdonly_cast(skb, bpf_core_type_id_kernel(struct sk_buff)) : 0;
	return (&never_defined_anywhere == 0) + 2 * (kernel != 0);
}

static long square(u32 index, long *sum) { *sum += index * index; return index == 4; }
CASE(callbacks, 30)
{
	long sum = 0;
	bpf_loop(100, square, &sum, 0);
	return sum;
}

__attribute__((noinline)) int global_function(int a, u32 b) { return a * b; }
static __attribute__((noinline)) u64 static_function(u8 a, s16 b) { return a + b; }
__weak __attribute__((noinline)) int weak_function(int a) { return a + 1; }
CASE(subprograms, 31)
{
	int a = UNKNOWN(5);
	return global_function(a, a) + static_function(a, -a) + weak_function(a);
}

struct number { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2); __type(key, u32); __type(value, u64); };
struct number inner SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 1); __type(key, u32);
	__array(values, struct number);
} outer SEC(".maps") = { .values = { &inner } };
CASE(maps_in_maps, 9)
{
	u32 key = 0; u64 nine = 9;
	void *map = bpf_map_lookup_elem(&outer, &key);
	if (!map)
		return 1;
	bpf_map_update_elem(map, &key, &nine, BPF_ANY);
	u64 *value = bpf_map_lookup_elem(&inner, &key);
	return value ? *value : 2;
}

CASE(iterated, 10)
{
	int sum = 0, i;
	bpf_for(i, 0, 5)
		sum += i;
	return sum;
}

CASE(may_end, 4)
{
	int sum = 0;
	while (can_loop) {
		if (++sum >= 4)
			break;
	}
	return sum;
}
