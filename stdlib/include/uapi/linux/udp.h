/* By the kernel's own name. */
#include <linux/udp.h>
