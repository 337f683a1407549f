typedef unsigned char u8;
typedef signed char s8;
typedef unsigned short u16;
typedef short s16;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;
typedef unsigned __int128 u128;
typedef __int128 s128;
typedef _Bool bool;
#define noinline __attribute__((noinline))
#define PACKED __attribute__((packed))
#define offsetof(type, member) __builtin_offsetof(type, member)
/* Hides what is known of a value. */
#define opaque(x) ({ __typeof__(x) hidden = (x); asm volatile("" : "+r"(hidden)); hidden; })
