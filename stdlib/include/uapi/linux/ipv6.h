/* By the kernel's own name. */
#include <linux/ipv6.h>
