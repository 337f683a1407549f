// A jump into a statement expression.
int f(int x)
{
	if (x)
		goto inside; // ERROR[E0213]: a jump into a statement expression
	return ({ inside: x + 1; });
}
