/* By the kernel's own name. */
#include <linux/if_tunnel.h>
