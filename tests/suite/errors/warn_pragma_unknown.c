// Pragmas about warnings that are wrong themselves.
#pragma clang diagnostic ignored "-Wunused-varable"
#pragma clang diagnostic off "-Wall"
#pragma GCC diagnostic pop
int x;
