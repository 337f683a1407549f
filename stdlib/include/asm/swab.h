/* Reversal of bytes. */
#include <linux/swab.h>
