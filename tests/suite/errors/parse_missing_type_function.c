// A function without a type.
main(int argc)
{
	return argc;
}
