/* By the kernel's own name. */
#include <linux/pkt_cls.h>
