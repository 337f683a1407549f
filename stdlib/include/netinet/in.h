/* Internet addresses and protocols. */
#ifndef __SKEP_NETINET_IN_H
#define __SKEP_NETINET_IN_H

#include <sys/socket.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <asm/byteorder.h>

typedef unsigned short in_port_t;
typedef unsigned int in_addr_t;

#define SOL_IP 0
#define SOL_IPV6 41
#define SOL_ICMPV6 58

#define htons(x) __cpu_to_be16(x)
#define ntohs(x) __be16_to_cpu(x)
#define htonl(x) __cpu_to_be32(x)
#define ntohl(x) __be32_to_cpu(x)

#endif
