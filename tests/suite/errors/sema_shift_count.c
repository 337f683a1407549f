// A shift by more bits than there are.
int f(int x)
{
	return x << 32; // WARNING[W0206]: the shift count 32 is not smaller than the 32 bits of `int`
}
