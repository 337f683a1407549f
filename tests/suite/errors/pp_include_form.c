// Include directives without a name.
#include stdio // ERROR[E0020]: `#include` needs "FILE" or <FILE>
#include "" // ERROR[E0020]: empty file name
#include <open // ERROR[E0020]: `#include` needs
int x;
