// Two members of one name.
struct event { int pid; long pid; }; // ERROR[E0208]: two members are named `pid`
struct event last;
