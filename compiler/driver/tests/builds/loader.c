#include <stdio.h>
#include <bpf/libbpf.h>
#include "counter.h"
#include "counter.skel.h"

int main(void)
{
	struct counter_bpf *skel = counter_bpf__open();

	if (!skel)
		return 1;
	printf("%s %u\n", bpf_program__section_name(skel->progs.count), bpf_map__value_size(skel->maps.counters));
	counter_bpf__destroy(skel);
	return 0;
}
