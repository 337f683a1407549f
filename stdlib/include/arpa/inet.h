/* Byte order of the network. */
#pragma once
#include <netinet/in.h>
