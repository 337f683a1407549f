// An integer passed where a pointer is wanted.
static long (*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
int map;
int f(int key)
{
	return bpf_map_lookup_elem(&map, key) != 0; // ERROR[E0228]: `int` is passed as argument 2 to a parameter of type `const void *`
}
