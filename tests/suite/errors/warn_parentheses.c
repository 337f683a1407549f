//@ warnings = ["parentheses"]
// What is computed first, and what is compared.
#define FLAG(x, y) x | y & 1
int work(int n);

int conditions(int a, int b)
{
	const int k = 1;
	if (a = b)
		return 1;
	while (a |= work(a))
		b++;
	if ((a = b))
		return 2;
	if ((a == b))
		return 3;
	if ((k == b))
		return 4;
	if ((a + 1 == b))
		return 5;
	return 0;
}

int operators(int a, int b, int c)
{
	int r = a & b == c;
	r += a < b | c;
	r += (a & b) == c;
	r += a == b & b == c;
	r += a || b && c;
	r += a && b || c && a;
	r += a || (b && c);
	r += a | b & c;
	r += a ^ b & c;
	r += a | b ^ c;
	r += a << b + 1;
	r += a - 1 >> b;
	r += FLAG(a, b);
	return r;
}

int branches(int a, int b)
{
	if (a)
		if (b)
			return 1;
		else
			return 2;
	if (a)
		for (; b; b--)
			if (work(b))
				a++;
			else
				a--;
	if (a) {
		if (b)
			return 3;
		else
			return 4;
	}
	return 0;
}
