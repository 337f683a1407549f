/* Loads every program of an object into the running kernel, one by one, as a test of both compilers.
 *
 * Usage: load_each OBJECT...
 * For each program a line of fields between tabs: object, program, section, result, instructions the
 * verifier walked, what it returned, and the end of what libbpf and the verifier said, with its
 * newlines as `|`. The result is 0 or an error number. An object that cannot be opened is a line whose
 * program is `-`. Programs with a `__retval` annotation are run as the kernel's own test loader does:
 * `WANTED=GOT`, where an error is `E` and its number; of the others that field is `-`.
 * Nothing is attached or pinned: everything is gone when the process ends.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <limits.h>

enum { LOG = 16 << 20, SAID = 1 << 16, SHOWN = 500, PACKET = 64 };

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

/* What the annotation of a program says that it returns, or NULL. */
static const char *wanted_value(const struct btf *btf, const char *name)
{
	static const char annotation[] = "comment:test_retval=";
	int function = btf ? btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) : -1;

	for (unsigned int id = 1; function > 0 && id < btf__type_cnt(btf); id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const char *text = btf__name_by_offset(btf, type->name_off);

		if (btf_is_decl_tag(type) && type->type == (unsigned int)function &&
		    !strncmp(text, annotation, sizeof(annotation) - 1))
			return text + sizeof(annotation) - 1;
	}
	return NULL;
}

/* Names that annotations use, as the kernel's test loader understands them. */
static long named_value(const char *text)
{
	if (!strcmp(text, "INT_MIN"))
		return INT_MIN;
	if (!strcmp(text, "POINTER_VALUE"))
		return 0xbadcafe;
	if (!strcmp(text, "TEST_DATA_LEN"))
		return PACKET;
	return strtol(text, NULL, 0);
}

/* Runs a loaded program that says what it returns. */
static void run(const struct bpf_object *opened, const struct bpf_program *program)
{
	char in[PACKET] = {}, out[PACKET * 4];
	const char *wanted = wanted_value(bpf_object__btf(opened), bpf_program__name(program));
	LIBBPF_OPTS(bpf_test_run_opts, packet, .data_in = in, .data_size_in = sizeof(in), .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);
	LIBBPF_OPTS(bpf_test_run_opts, nothing);
	struct bpf_test_run_opts *options =
		bpf_program__type(program) == BPF_PROG_TYPE_SYSCALL ? &nothing : &packet;

	if (!wanted || bpf_program__type(program) == BPF_PROG_TYPE_STRUCT_OPS)
		printf("-\t");
	else if (bpf_prog_test_run_opts(bpf_program__fd(program), options))
		printf("%d=E%d\t", (int)named_value(wanted), errno);
	else
		printf("%d=%d\t", (int)named_value(wanted), (int)options->retval);
}

static void report(const char *object, const struct bpf_object *opened, const struct bpf_program *program, int error)
{
	const char *counts = strstr(verifier, "processed ");
	const char *name = program ? bpf_program__name(program) : "-";
	const char *section = program ? bpf_program__section_name(program) : "-";

	printf("%s\t%s\t%s\t%d\t%lu\t", object, name, section, -error, counts ? strtoul(counts + 10, NULL, 10) : 0);
	if (error)
		printf("-\t");
	else
		run(opened, program);
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
		report(object, NULL, NULL, -errno);
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
		report(object, opened, found, error);
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
