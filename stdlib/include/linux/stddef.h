/* Groups of members that can be named as one, and arrays at the end of structures. */
#ifndef _LINUX_STDDEF_H
#define _LINUX_STDDEF_H

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* The same members twice: anonymous, and under a name. */
#define __struct_group(TAG, NAME, ATTRS, MEMBERS...)    \
	union {                                         \
		struct { MEMBERS } ATTRS;               \
		struct TAG { MEMBERS } ATTRS NAME;      \
	} ATTRS

/* A flexible array where C does not allow one: alone or in a union. */
#define __DECLARE_FLEX_ARRAY(TYPE, NAME)                \
	struct {                                        \
		struct { } __empty_##NAME;              \
		TYPE NAME[];                            \
	}

#ifndef __counted_by
#define __counted_by(m)
#endif
#ifndef __counted_by_le
#define __counted_by_le(m)
#endif
#ifndef __counted_by_be
#define __counted_by_be(m)
#endif

#endif
