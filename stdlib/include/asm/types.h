/* Integers of known width. `long` has 64 bits, yet __u64 is `long long` on all machines that matter,
 * so that %llu fits it.
 */
#ifndef _ASM_TYPES_H
#define _ASM_TYPES_H

typedef signed char __s8;
typedef unsigned char __u8;
typedef signed short __s16;
typedef unsigned short __u16;
typedef signed int __s32;
typedef unsigned int __u32;
typedef signed long long __s64;
typedef unsigned long long __u64;

#define __BITS_PER_LONG 64

#endif
