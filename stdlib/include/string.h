/* The functions that compilers expand in place (C11 7.24); there is no library behind them, so
 * sizes have to be constants.
 */
#ifndef __SKEP_STRING_H
#define __SKEP_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

#endif
