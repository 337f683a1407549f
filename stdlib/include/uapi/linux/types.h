/* By the kernel's own name. */
#include <linux/types.h>
