/* The kernel's names of the types of POSIX. */
#include <linux/posix_types.h>
