/* Width of long. */
#include <asm/types.h>
