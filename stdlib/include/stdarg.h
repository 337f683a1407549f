/* Variable arguments (C11 7.16). BPF functions cannot have them; the names are for headers. */
#ifndef __SKEP_STDARG_H
#define __SKEP_STDARG_H

typedef __builtin_va_list va_list;
#define va_start(list, last) __builtin_va_start(list, last)
#define va_arg(list, type) __builtin_va_arg(list, type)
#define va_copy(to, from) __builtin_va_copy(to, from)
#define va_end(list) __builtin_va_end(list)

#endif
