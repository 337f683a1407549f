/* Socket options. */
#include <linux/socket.h>
