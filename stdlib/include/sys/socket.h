/* Sockets: families, types, options. */
#ifndef __SKEP_SYS_SOCKET_H
#define __SKEP_SYS_SOCKET_H

#include <sys/types.h>
#include <linux/socket.h>

typedef unsigned int socklen_t;

#endif
