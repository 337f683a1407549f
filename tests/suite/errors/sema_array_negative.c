// An array of negative size.
char buffer[2 - 3]; // ERROR[E0214]: an array of negative size -1
