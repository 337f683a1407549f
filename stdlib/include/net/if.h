/* Network interfaces. */
#pragma once
#include <linux/if.h>
