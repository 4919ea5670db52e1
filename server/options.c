/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <filch.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind {
	TEXT,
	CHOICE,
	COUNT,
	SECONDS,
	FLAG,
	ABSENT, /* not an option of this program */
	LATER,  /* of a later version */
};

struct option {
	const char *name;
	enum kind kind;
	size_t field;       /* where in struct options */
	size_t least, most; /* COUNT; SECONDS in thousandths */
	const char *value;  /* what --help calls it; CHOICE: the words it may be */
	const char *help;
};

#define FIELD(name) offsetof(struct options, name)
#define BILLION     1000000000
#define YEAR        (366ul * 86400 * 1000)

static struct option table[] = {
	{ "--listen", TEXT, FIELD(listen), 0, 0, "HOST:PORT",
	  "where to listen (127.0.0.1:8080); port 0: any free one" },
	{ "--port-file", TEXT, FIELD(port_file), 0, 0, "FILE",
	  "write the port there once listening" },
	{ "--workers", COUNT, FIELD(workers), 1, 1024, "N",
	  "threads (as many as there are CPUs to use)" },
	{ "--model", ABSENT, FIELD(model), 0, 0, "", "what serves the connections (the first)" },
	{ "--root", TEXT, FIELD(root), 0, 0, "DIR", "what is below /files/ (nothing)" },
	{ "--poller", CHOICE, FIELD(poller), 0, 0, "auto|io_uring|epoll",
	  "how to wait for descriptors (auto)" },
	{ "--max-connections", COUNT, FIELD(max_connections), 1, BILLION, "N",
	  "the others wait in the backlog (100000)" },
	{ "--max-pending", COUNT, FIELD(max_pending), 0, BILLION, "N",
	  "requests in progress; beyond: 503 (0: no limit)" },
	{ "--header-timeout", SECONDS, FIELD(header_timeout), 1, YEAR, "S",
	  "for request line and headers (10)" },
	{ "--body-timeout", SECONDS, FIELD(body_timeout), 1, YEAR, "S",
	  "for the rest of a request (30)" },
	{ "--write-timeout", SECONDS, FIELD(write_timeout), 1, YEAR, "S",
	  "for a client to take an answer, or each MiB of it (30)" },
	{ "--idle-timeout", SECONDS, FIELD(idle_timeout), 1, YEAR, "S",
	  "between two requests (60)" },
	{ "--drain-timeout", SECONDS, FIELD(drain_timeout), 0, YEAR, "S",
	  "for what is in progress at the end (30)" },
	{ "--max-header", COUNT, FIELD(limits.header), 64, BILLION, "BYTES",
	  "request line and headers together (16384)" },
	{ "--max-body", COUNT, FIELD(limits.body), 0, BILLION, "BYTES",
	  "body of a request (1048576)" },
	{ "--access-log", TEXT, FIELD(access_log), 0, 0, "FILE",
	  "a line of JSON for each request (none)" },
	{ "--user", TEXT, FIELD(user), 0, 0, "NAME", "whom to become once listening (nobody else)" },
	{ "--quiet", FLAG, FIELD(quiet), 0, 0, "", "nothing on stdout" },
	{ "--trace", LATER, 0, 0, 0, "", "" },
};

#define END_OF_TABLE (table + sizeof(table) / sizeof(*table))

static const struct options defaults = {
	.listen = "127.0.0.1:8080",
	.poller = "auto",
	.max_connections = 100000,
	.header_timeout = 10ll * BILLION,
	.body_timeout = 30ll * BILLION,
	.write_timeout = 30ll * BILLION,
	.idle_timeout = 60ll * BILLION,
	.drain_timeout = 30ll * BILLION,
	.limits = { 16384, 1048576 },
};

static int help(const struct options *o)
{
	char left[64];

	printf("usage: %s [option value ...]\n\n"
	       "Serves HTTP. On SIGTERM or Ctrl-C it ends what is in progress; a second is final.\n"
	       "Times are in seconds, fractions allowed.\n\n",
	       o->program);
	for (const struct option *option = table; option < END_OF_TABLE; option++) {
		if (option->kind >= ABSENT)
			continue;
		snprintf(left, sizeof(left), "%s %s", option->name, option->value);
		printf("  %-27s %s\n", left, option->help);
	}
	printf("  %-27s %s\n  %-27s %s\n", "--help", "this text", "--version", "the version");
	return 0;
}

static int version(const struct options *o)
{
	int v = filch_version();

	printf("%s %d.%d.%d\n", o->program, v / 10000, v / 100 % 100, v % 100);
	return 0;
}

static int bad_value(const struct options *o, const struct option *option, const char *value)
{
	fprintf(stderr, "%s: %s: \"%s\" is not ", o->program, option->name, value);
	if (option->kind == COUNT)
		fprintf(stderr, "a number from %zu to %zu\n", option->least, option->most);
	else if (option->kind == SECONDS)
		fprintf(stderr, "a time in seconds (at least %g, at most a year)\n",
		        (double)option->least / 1000);
	else
		fprintf(stderr, "one of %s\n", option->value);
	return EXIT_USAGE;
}

static bool in_words(const char *word, const char *words)
{
	size_t n = strlen(word);

	for (; words; words = strchr(words, '|')) {
		words += *words == '|';
		if (strncmp(words, word, n) == 0 && (words[n] == '|' || !words[n]))
			return n > 0;
	}
	return false;
}

static bool read_count(const struct option *option, const char *value, size_t *out)
{
	char *end;

	if (!isdigit((unsigned char)*value))
		return false;
	errno = 0;
	*out = strtoul(value, &end, 10);
	return !*end && !errno && *out >= option->least && *out <= option->most;
}

static bool read_seconds(const struct option *option, const char *value, int64_t *out)
{
	double s;
	char *end;

	/* strtod alone would also take "nan", "1e9" and "0x1" */
	if (!*value || value[strspn(value, "0123456789.")])
		return false;
	s = strtod(value, &end);
	if (*end || s * 1000 < (double)option->least || s * 1000 > (double)option->most)
		return false;
	*out = (int64_t)(s * BILLION);
	return true;
}

static int set(struct options *o, const struct option *option, const char *value)
{
	void *field = (char *)o + option->field;
	bool good = true;

	if (option->kind == COUNT)
		good = read_count(option, value, field);
	else if (option->kind == SECONDS)
		good = read_seconds(option, value, field);
	else if (option->kind == FLAG)
		*(bool *)field = true;
	else if (option->kind == CHOICE && !in_words(value, option->value))
		good = false;
	else
		*(const char **)field = value;
	return good ? -1 : bad_value(o, option, value);
}

static int complain(const struct options *o, const char *name, const char *what)
{
	fprintf(stderr, "%s: %s %s\n", o->program, name, what);
	return EXIT_USAGE;
}

/* One option at *argv, "--name value" or "--name=value"; moves *argv on. */
static int parse_one(struct options *o, char ***argv)
{
	char *name = *(*argv)++, *value = strchr(name, '=');
	struct option *option = table;

	if (value)
		*value++ = '\0';
	while (option < END_OF_TABLE && strcmp(option->name, name) != 0)
		option++;
	if (option == END_OF_TABLE || option->kind == ABSENT)
		return complain(o, name, "is not an option (--help lists them)");
	if (option->kind == LATER)
		return complain(o, name, "is not available in this version");
	if (option->kind == FLAG && value)
		return complain(o, name, "takes no value");
	if (option->kind != FLAG && !value && !(value = *(*argv)++))
		return complain(o, name, "needs a value");
	return set(o, option, value);
}

static int check_root(const struct options *o)
{
	int fd = open(o->root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		fprintf(stderr, "%s: --root %s: %s\n", o->program, o->root, strerror(errno));
		return EXIT_USAGE;
	}
	close(fd);
	return -1;
}

static int check_user(const struct options *o)
{
	if (getpwnam(o->user))
		return -1;
	fprintf(stderr, "%s: --user %s: there is nobody of that name\n", o->program, o->user);
	return EXIT_USAGE;
}

static void offer_models(const char *models)
{
	for (struct option *option = table; option < END_OF_TABLE; option++)
		if (option->kind == ABSENT) {
			option->kind = CHOICE;
			option->value = models;
		}
}

int options_parse(struct options *o, const char *models, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	int status = -1;

	*o = defaults;
	o->program = slash ? slash + 1 : argv[0];
	if (models)
		offer_models(models);
	argv++;
	while (*argv && status < 0) {
		if (strcmp(*argv, "--help") == 0)
			return help(o);
		if (strcmp(*argv, "--version") == 0)
			return version(o);
		status = parse_one(o, &argv);
	}
	if (status < 0 && o->root)
		status = check_root(o);
	return status < 0 && o->user ? check_user(o) : status;
}
