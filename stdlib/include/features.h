/* What a C library offers: nothing, there is none. */
