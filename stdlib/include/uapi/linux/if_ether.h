/* By the kernel's own name. */
#include <linux/if_ether.h>
