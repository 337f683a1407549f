// A macro that is popped but was not pushed.
#pragma pop_macro("X") // WARNING[W0009]: `pop_macro` of `X`, which was not pushed
int x;
