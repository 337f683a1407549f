/* By the kernel's own name. */
#include <linux/ptrace.h>
