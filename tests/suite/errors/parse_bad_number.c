// Numbers that are none.
int a = 0x;
int b = 09;
int c = 12abc;
long d = 99999999999999999999;
