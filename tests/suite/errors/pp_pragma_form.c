// Malformed pragmas that mean something here.
#pragma pack(3) // ERROR[E0042]: malformed `#pragma pack`
#pragma clang attribute push(nonsense) // ERROR[E0042]: malformed `#pragma clang attribute`
#pragma clang loop unroll // ERROR[E0042]: malformed `#pragma clang loop`
int x;
