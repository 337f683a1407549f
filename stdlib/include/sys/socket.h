/* Sockets: families, types, options. */
#ifndef __SKEP_SYS_SOCKET_H
#define __SKEP_SYS_SOCKET_H

#include <sys/types.h>
#include <linux/socket.h>

typedef unsigned int socklen_t;

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define SOCK_RDM 4
#define SOCK_SEQPACKET 5
#define SOCK_DCCP 6
#define SOCK_PACKET 10

#endif
