/* The kernel's names of the types of POSIX, for every machine. */
#ifndef _LINUX_POSIX_TYPES_H
#define _LINUX_POSIX_TYPES_H

#include <asm/posix_types.h>

#endif
