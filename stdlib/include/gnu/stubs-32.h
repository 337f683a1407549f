/* Empty: what the C library of the host looks for when it takes the target for a 32-bit one. */
