/* By the kernel's own name. */
#include <linux/icmp.h>
