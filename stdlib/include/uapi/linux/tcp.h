/* By the kernel's own name. */
#include <linux/tcp.h>
