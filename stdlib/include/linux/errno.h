/* Error numbers. */
#include <asm/errno.h>
