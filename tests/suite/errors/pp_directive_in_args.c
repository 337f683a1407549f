// A pragma between the arguments of a macro.
#define ID(a) a
int x = ID(1
#pragma pack(1) // ERROR[E0025]: `#pragma` inside the arguments of a macro
);
