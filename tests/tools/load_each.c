/* Loads every program of an object into the running kernel, one by one, as a test of both compilers.
 *
 * Usage: load_each OBJECT...
 * For each program a line of fields between tabs: object, program, section, result, instructions the
 * verifier walked, and the end of what libbpf and the verifier said, with its newlines as `|`. The
 * result is 0 or an error number. An object that cannot be opened is a line whose program is `-`.
 * Nothing is attached or pinned: everything is gone when the process ends.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <bpf/libbpf.h>

enum { LOG = 16 << 20, SAID = 1 << 16, SHOWN = 500 };

static char *verifier, said[SAID];
static size_t said_len;

static int listen_to(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN && said_len < SAID - 1) {
		int len = vsnprintf(said + said_len, SAID - said_len, format, args);
		said_len += len > 0 ? len : 0;
		if (said_len > SAID - 1)
			said_len = SAID - 1;
	}
	return 0;
}

static void print_end(const char *text)
{
	size_t len = strlen(text);

	for (text += len > SHOWN ? len - SHOWN : 0; *text; text++)
		putchar(*text == '\n' ? '|' : *text == '\t' ? ' ' : *text);
}

static void report(const char *object, const char *name, const char *section, int error)
{
	const char *counts = strstr(verifier, "processed ");

	printf("%s\t%s\t%s\t%d\t%lu\t", object, name, section, -error, counts ? strtoul(counts + 10, NULL, 10) : 0);
	if (error) {
		/* The counts that end a log are no reason. */
		if (counts)
			verifier[counts - verifier] = '\0';
		print_end(verifier[0] ? verifier : said);
	}
	putchar('\n');
	fflush(stdout);
}

/* Loads the program of this number, and no other; says whether there is one. */
static int load(const char *path, const char *object, int wanted, int again)
{
	struct bpf_object *opened;
	struct bpf_program *program, *found = NULL;
	int number = 0, more, error;

	said_len = 0;
	said[0] = verifier[0] = '\0';
	opened = bpf_object__open_file(path, NULL);
	if (!opened) {
		report(object, "-", "-", -errno);
		return 0;
	}
	bpf_object__for_each_program(program, opened) {
		bpf_program__set_autoload(program, number == wanted);
		if (number++ == wanted)
			found = program;
	}
	more = number > wanted + 1;
	if (found) {
		bpf_program__set_log_buf(found, verifier, LOG);
		/* Whole logs are slow: only those who are refused tell all, the second time. */
		bpf_program__set_log_level(found, again ? 1 : 4);
		error = bpf_object__load(opened);
		if (error && !again) {
			bpf_object__close(opened);
			return load(path, object, wanted, 1);
		}
		report(object, bpf_program__name(found), bpf_program__section_name(found), error);
	}
	bpf_object__close(opened);
	return more;
}

int main(int argc, char **argv)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &all);
	libbpf_set_print(listen_to);
	verifier = malloc(LOG);
	if (!verifier)
		return 1;
	for (int i = 1; i < argc; i++) {
		const char *slash = strrchr(argv[i], '/');

		for (int number = 0; load(argv[i], slash ? slash + 1 : argv[i], number, 0); number++)
			;
	}
	return 0;
}
