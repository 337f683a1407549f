// Constants that do not fit what they are stored in.
unsigned char bytes[] = {1, 255, 256};

char f(void)
{
	short s = 0x12345;

	return s + 200 ? 200 : 1;
}
