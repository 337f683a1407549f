/* By the kernel's own name. */
#include <linux/filter.h>
