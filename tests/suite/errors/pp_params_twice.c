// Two parameters of one name.
#define F(a, b, a) b // ERROR[E0012]: parameter `a` appears twice
int x;
