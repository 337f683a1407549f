//@ warnings = ["unused-parameter"]
// A callback must take what it is given; whoever does not need it says so.
int callback(void *map, int *key, long *value __attribute__((unused)), void *context)
{
	(void)map;
	return *key;
}
