/* By the kernel's own name. */
#include <linux/bpf.h>
