// A statement outside a function.
int x;
for (;;)
	x++;
int y;
