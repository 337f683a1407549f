// Opens, changes, loads, runs, reads: the life of a skeleton. The program is built twice, with each of
// the two headers, and must print the same.
#include <stdio.h>
#include <string.h>

enum mode { FAST, SLOW = 7 };
#include "counter.skel.h"
#include <bpf/bpf.h>

int main(void)
{
	char packet[64] = { 0 };
	unsigned long long value = 0;
	unsigned int key = 0;
	struct counter *skel = counter__open();
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet), .repeat = 3);

	if (!skel)
		return 1;
	printf("%d %s %d %d\n", skel->rodata->step, skel->rodata->config.name, skel->rodata->config.which,
	       skel->data->start);
	skel->rodata->step = 5;
	strcpy(skel->rodata->config.name, "A");
	skel->data->start = 100;
	skel->data_hot->hot = 1000;
	skel->bss->total = 7;
	bpf_program__set_autoload(skel->progs.never, false);
	if (counter__load(skel))
		return 2;
	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.count), &opts))
		return 3;
	if (bpf_map_lookup_elem(bpf_map__fd(skel->maps.hits), &key, &value))
		return 4;
	printf("%u %llu %llu %d %u %d\n", opts.retval, value, skel->bss->total, skel->bss->seen,
	       skel->bss->grid[1][2], skel->data->small);
	printf("%d %d\n", skel->kconfig->LINUX_KERNEL_VERSION > 0, skel->links.count == NULL);
	printf("%s %s\n", bpf_map__name(skel->maps.bss), bpf_map__name(skel->maps.data_hot));
	counter__detach(skel);
	counter__destroy(skel);
	counter__destroy(NULL);
	return 0;
}
