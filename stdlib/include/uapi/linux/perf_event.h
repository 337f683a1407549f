/* By the kernel's own name. */
#include <linux/perf_event.h>
