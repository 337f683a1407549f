/* By the kernel's own name. */
#include <linux/unistd.h>
