/* Numbers of system calls. */
#include <asm/unistd.h>
