/* Flags of clone and scheduling policies. */
#pragma once
#include <linux/sched.h>
