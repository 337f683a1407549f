// Escape sequences that are none.
char a[] = "\x";
char b = '';
char c[] = "\u12";
