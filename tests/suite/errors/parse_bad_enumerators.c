// One bad enumerator, and all others are there.
enum first { A1, B1 = , C1 };
enum second { A2, "two", C2 };       // ERROR[E0100]: expected a name or `}`, found a string
enum third { A3, int B3, C3 };       // ERROR[E0100]: expected a name after `,`, found the type `int`
enum fourth { A4, B4 == 2, C4 };
enum fifth { A5, B5 : 2, C5 };
enum sixth { A6, B6[3], C6 };
enum seventh { A7, if, C7 };
enum eighth { A8, , C8 };
enum ninth { A9, B9 = 1 +, C9 };

int f(enum first a, enum ninth i)
{
	return A1 + B1 + C1 + A2 + C2 + A3 + B3 + C3 + A4 + B4 + C4 + A5 + B5 + C5 + A6 + B6 + C6 + A7 + C7 +
	       A8 + C8 + A9 + B9 + C9 + a + i;
}
