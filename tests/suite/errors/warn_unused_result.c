// What must be looked at is not.
__attribute__((warn_unused_result)) int lock(void *lock);

int f(void *l)
{
	lock(l);
	(void)lock(l);
	return lock(l);
}
