// An initialiser of a member that does not exist.
struct event { int pid; };
struct event e = { .tid = 1 }; // ERROR[E0201]: `struct event` has no member `tid`
