// Too few, too many, and none at all.
#define ADD(a, b) ((a) + (b))
int one = ADD(1);
int two = ADD(1, 2, 3);
int three = ADD;
