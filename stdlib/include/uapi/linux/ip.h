/* By the kernel's own name. */
#include <linux/ip.h>
