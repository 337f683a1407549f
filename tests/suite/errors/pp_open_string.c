// A string that does not end on its line.
const char s[] =
	"abc // ERROR[E0002]: string without its closing quote
	;
