/* By the kernel's own name. */
#include <linux/bpf_perf_event.h>
