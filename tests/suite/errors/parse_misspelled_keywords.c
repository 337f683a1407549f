// Keywords with a slip in them, and what would follow from that.
tpyedef unsigned int number;         // ERROR[E0100]: unknown word `tpyedef`
sturct pair { int a, b; };           // ERROR[E0100]: unknown word `sturct`
statc int g(struct pair *p) { return p->a; }

int f(cosnt struct pair *p, number n)
{
	unsigend copy = n;
	fi (p->a)
		return g(0);
	whlie (copy) {
		do {
			copy--;
		} whiel (copy > 3);
	}
	swtich (copy) {
	case 1:
		n = p->a + p->b;
		break;
	csae 2:
		return 3;
	}
	if (n) {
		retrun 2;
	} esle {
		copy = p->a + p->b;
		retunr copy;
	}
	return 0;
}
