// Initialisers that do not fit what they initialise.
struct pair {
	int a, b;
};
struct pair one = 1;
struct pair two = {.a = 1, .c = 2};
int three = {1, 2};
int four[2] = {[5] = 1};
char five[2] = "long";
