//@ axes.S = { signed = "s", unsigned = "u" }
//@ axes.P = { natural = "", packed = "PACKED" }
//@ axes.O = { add = "+=", sub = "-=", mul = "*=", and = "&=", or = "|=", xor = "^=", shl = "<<=", shr = ">>=", set = "=" }
//@ axes.W = ["7", "31", "33", "64"]
//@ axes.K = { pre_inc = "++r.f", post_inc = "r.f++", pre_dec = "--r.f", post_dec = "r.f--", assign = "(r.f = b)", chain = "(r.g = r.f = b)" }

// Updates, and what they yield.
struct up_@S_@W_@P { u8 x : 1; $S64 f : $W; $S64 g : 6; } $P;

u64 update_@O_@S_@W_@P(u64 a, u64 b)
{
	struct up_@S_@W_@P r = { 1, a, b };
	u64 value = (r.f $O (b & 3) + 1);
	return value * 31 + r.f * 7 + r.g + r.x;
}

struct st_@W { u32 lead : 9; s64 f : $W; s8 g : 4; };

u64 step_@K_@W(u64 a, u64 b)
{
	struct st_@W r = { 77, a, 1 };
	u64 value = $K;
	return value * 31 + r.f * 7 + r.g + r.lead;
}
