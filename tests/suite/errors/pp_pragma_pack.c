// Alignments that no machine has.
#pragma pack(push, 3)
struct s {
	char a;
	int b;
};
#pragma pack(pop)
