// Addresses of members that may lie anywhere.
struct __attribute__((packed)) wire {
	unsigned char kind;
	unsigned length;
	unsigned char tail[4];
};
void take(unsigned *p);
void copy(void *to, const void *from);

void f(struct wire *w, unsigned *to)
{
	take(&w->length);
	copy(to, &w->length);
	take((unsigned *)w->tail);
}
