typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int aligned_int __attribute__((aligned(16)));
typedef u64 loose_u64 __attribute__((aligned(4)));
enum small { SMALL_A, SMALL_B } __attribute__((packed));
enum plain { PLAIN_A, PLAIN_B = -1 };

struct empty {};
struct one_byte { char a; };
struct mixed { char a; long b; short c; int d; char e; };
struct packed_all { char a; long b; short c; int d; } __attribute__((packed));
struct packed_members { char a; long b __attribute__((packed)); short c; int d __attribute__((packed)); };
struct aligned_all { char a; int b; } __attribute__((aligned(32)));
struct aligned_members { char a; int b __attribute__((aligned(8))); char c __attribute__((aligned(2))); };
struct packed_aligned { char a; long b; } __attribute__((packed, aligned(4)));
struct packed_member_aligned { char a; long b __attribute__((packed, aligned(2))); };
struct aligned_bare { char a; } __attribute__((aligned));
struct typedef_aligned { char a; aligned_int b; char c; };
struct typedef_loose { char a; loose_u64 b; char c; };
struct int128_member { char a; __int128 b; char c; };
struct bits_simple { u32 a : 3; u32 b : 5; u32 c : 24; u32 d : 1; };
struct bits_cross { u32 a : 20; u32 b : 20; u32 c : 20; };
struct bits_mixed_types { u8 a : 3; u32 b : 5; u64 c : 40; u16 d : 9; };
struct bits_after_byte { char a; int b : 3; int c : 30; char d; int e : 9; };
struct bits_zero { u32 a : 3; u32 : 0; u32 b : 3; char c; u64 : 0; char d; };
struct bits_unnamed { u32 a : 3; u32 : 7; u32 b : 3; u64 : 40; };
struct bits_packed { u32 a : 20; u32 b : 20; u64 c : 50; char d; } __attribute__((packed));
struct bits_packed_one { char a; u64 b : 50 __attribute__((packed)); u32 c : 3; };
struct bits_aligned { u32 a : 3; u32 b : 3 __attribute__((aligned(8))); u32 c : 3; };
struct bits_bool { _Bool a : 1; _Bool b : 1; u8 c; _Bool d : 1; };
struct bits_enum { enum small a : 1; enum plain b : 2; enum plain c; };
struct bits_u64 { u64 a : 1; u64 b : 63; u64 c : 1; u64 d : 64; };
struct bits_after_u64 { u64 a; u8 b : 2; u32 c : 31; };
struct bits_128 { unsigned __int128 a : 70; u8 b : 2; };
union bits_union { u32 a : 3; u64 b : 50; char c; };
union bits_union_only { u32 a : 3; };
union bits_union_zero { u8 a : 3; u64 : 0; };
struct bits_only_zero { u64 : 0; char a; };
struct bits_unnamed_only { char a; u64 : 5; };
union mixed_union { char a[3]; short b; struct { char c; int d; } e; };
union packed_union { char a[3]; int b; } __attribute__((packed));
struct anonymous { int a; struct { char b; union { long c; short d; }; }; int e; };
struct anonymous_packed { int a; struct { char b; long c; } __attribute__((packed)); int e; } __attribute__((packed));
struct flexible { int n; long data[]; };
struct flexible_char { int n; char data[]; };
struct zero_array { int n; long data[0]; char more; };
struct arrays { char a[3]; short b[2][3]; struct mixed c[2]; };
struct pointers { void *a; int (*b)(int); char c; struct mixed *d[2]; };
struct nested { char a; struct nested_inner { char b; long c; } d; char e; struct nested_inner f; };
struct floats { float a; double b; long double c; char d; };
struct with_enum { enum small a; enum plain b; };
struct qualified { const char a; volatile int b; const volatile u64 c[2]; };

#pragma pack(push, 1)
struct pack_one { char a; long b; u32 c : 20; u32 d : 20; };
struct pack_one_aligned { char a; long b __attribute__((aligned(8))); };
union pack_one_union { char a[3]; long b; };
#pragma pack(pop)
#pragma pack(push, 2)
struct pack_two { char a; long b; char c; u32 d : 20; u32 e : 20; };
struct pack_two_packed { char a; long b; u32 d : 20; u32 e : 20; } __attribute__((packed));
#pragma pack(4)
struct pack_four { char a; u64 b; struct mixed c; u64 d : 33; u64 e : 33; };
struct pack_four_zero { char a; u64 : 0; char b; };
#pragma pack(pop)
struct pack_none { char a; long b; };
