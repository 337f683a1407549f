// A bit-field has a width, and no type that anything else could have.
struct flags { unsigned mode : 3; };

int use(struct flags *all)
{
	__auto_type copy = all->mode; // ERROR[E0225]: a bit-field has no type that a variable could have
	typeof(all->mode) other = copy; // ERROR[E0225]: a bit-field has no type that a variable could have
	typeof(all->mode + 0) sum = copy;
	return other + sum + _Alignof(all->mode); // ERROR[E0225]: a bit-field has no alignment
}
