// Enumerators are names.
enum state {
	IDLE,
	1,
	BUSY = ,
};
int x = IDLE;
