// Ends of conditionals that never began.
#endif // ERROR[E0033]: `#endif` without `#if`
#else // ERROR[E0033]: `#else` without `#if`
#elif 1 // ERROR[E0033]: `#elif` without `#if`
int x;
