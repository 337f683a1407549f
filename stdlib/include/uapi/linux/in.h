/* By the kernel's own name. */
#include <linux/in.h>
