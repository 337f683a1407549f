//@ warnings = ["implicit-int-conversion"]
// Bits that do not fit; where a mask says so, they do.
struct header {
	unsigned char kind;
	unsigned short port;
};

void f(struct header *h, unsigned x)
{
	h->kind = x;
	h->kind = x & 0x7f;
	h->port = x >> 8;
	h->port = x >> 16;
}
