int *p;
unsigned *u;
const int *k;
void first(void) { p = u; }
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpointer-sign"
void ignored(void) { p = u; p = k; }
#include "plain.h"
#pragma GCC diagnostic error "-Wincompatible-pointer-types-discards-qualifiers"
void error(void) { p = u; p = k; }
#pragma clang diagnostic warning "-Wincompatible-pointer-types-discards-qualifiers"
void warning_again(void) { p = k; }
#pragma clang diagnostic push
#pragma clang diagnostic warning "-Wpointer-sign"
void again(void) { p = u; p = k; }
#pragma clang diagnostic pop
void inner_popped(void) { p = u; p = k; }
#pragma clang diagnostic pop
void popped(void) { p = u; p = k; }
#define QUIET(x) _Pragma("clang diagnostic push") _Pragma("clang diagnostic ignored \"-Wpointer-sign\"") x _Pragma("clang diagnostic pop")
void in_macro(void) {
  QUIET(p = u;)
  p = u;
}
#define OFF _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wpointer-sign\"")
#define ON _Pragma("GCC diagnostic pop")
#define ASSIGN p = u
OFF
void between(void) { p = u; ASSIGN; }
ON
void after(void) {
  p = u;
  ASSIGN;
}
#define VALUE(x) (int)(x)
#define CALL(x) _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wint-conversion\"") \
  p = VALUE(x); _Pragma("GCC diagnostic pop")
void nested(void) { CALL(5) }
void numbers(void) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wint-conversion"
  p = 5;
#pragma GCC diagnostic warning "-Wint-conversion"
  p = 5;
#pragma GCC diagnostic pop
  p = 5;
}
#pragma clang diagnostic pop
#pragma clang diagnostic ignored "-Wnever-heard-of"
#pragma clang diagnostic ignored "pointer-sign"
#pragma clang diagnostic frobnicate "-Wpointer-sign"
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Weverything"
void nothing(void) { p = u; p = 5; }
#pragma clang diagnostic pop
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wincompatible-pointer-types"
void group(void) { p = u; p = k; }
#pragma clang diagnostic pop
#include "leaves.h"
void after_header(void) { p = u; p = k; }
