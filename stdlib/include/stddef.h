/* Common definitions (C11 7.19). */
#ifndef __SKEP_STDDEF_H
#define __SKEP_STDDEF_H

typedef __PTRDIFF_TYPE__ ptrdiff_t;
typedef __SIZE_TYPE__ size_t;
typedef __WCHAR_TYPE__ wchar_t;
typedef struct {
	long long __a __attribute__((aligned(__alignof__(long long))));
	void *__b __attribute__((aligned(__alignof__(void *))));
} max_align_t;

#ifndef NULL
#define NULL ((void *)0)
#endif
#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif
#if defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202000L
#define unreachable() __builtin_unreachable()
typedef typeof(nullptr) nullptr_t;
#endif

#endif
