// Messages of the program itself.
#ifndef __bpf__
#error not for this machine
#else
#error no good, "really" // ERROR[E0040]: no good, "really"
#warning be careful // WARNING[W0003]: be careful
#endif
int x;
