// `case` outside a switch.
int f(int x)
{
	case 1: return x; // ERROR[E0211]: `case` outside a `switch`
}
