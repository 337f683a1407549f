// A global initialised with what is not constant.
int f(void);
int start = f(); // ERROR[E0217]: the initialiser of a variable with static storage is not constant
