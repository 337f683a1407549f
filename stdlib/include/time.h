/* Clocks and times. */
#pragma once
#include <linux/time.h>
