/* Error numbers; a BPF program has no variable errno. */
#pragma once
#include <linux/errno.h>
