// A struct defined twice.
struct event { int pid; };
struct event { long pid; }; // ERROR[E0208]: `event` is defined twice
struct event last;
