/* By the kernel's own name. */
#include <linux/in6.h>
