struct counts {
	unsigned long long packets;
	unsigned long long bytes;
};
