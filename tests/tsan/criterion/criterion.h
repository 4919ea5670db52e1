/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for Criterion, which does not run under ThreadSanitizer: with tests/tsan first on the
 * include path the same test files compile against this, unchanged.
 *
 * A test program is one file, so all of this is one header: Test, TestSuite and ParameterizedTest
 * put their test on a list before main() starts, and main() runs each in a child of its own, one
 * after another. The child leads a process group, so that a time-out, or the end of the test, also
 * ends whatever the test started. The verdict is the child's exit status together with a word of
 * memory that it shares with the parent: an assertion may fail on any thread, and in a child that
 * the test forked.
 *
 * .timeout is in seconds and multiplied by FILCH_TEST_SLACK. An argument runs only the tests that
 * it matches, as a shell pattern over suite/name. The last line is "N passed, N failed"; the exit
 * status is 0 if something passed and nothing failed.
 */
#ifndef FILCH_TESTS_CRITERION_H
#define FILCH_TESTS_CRITERION_H

#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct criterion_test_params {
	size_t size;
	void *params;
	size_t length;
	void (*cleanup)(struct criterion_test_params *);
};

struct cr_options_ {
	int sentinel_; /* what ends the list of options, which may be empty */
	void (*init)(void);
	void (*fini)(void);
	int signal;
	int exit_code;
	bool disabled;
	const char *description;
	double timeout;
	void *data;
};

struct cr_test_ {
	const char *suite;
	const char *name; /* NULL: not a test, but the options of its suite */
	void (*body)(void);
	void (*param_body)(void *);
	struct criterion_test_params (*params)(void);
	struct cr_options_ options;
	struct cr_test_ *next;
};

#define CR_DEFAULT_TIMEOUT_ 60.0 /* seconds, for a test that gives none */
#define CR_RACE_STATUS_     66   /* ThreadSanitizer's exit status after a report */

static struct cr_test_ *cr_tests_, **cr_last_ = &cr_tests_;
struct cr_verdict_ {
	int failures, skipped;
};
static struct cr_verdict_ *cr_verdict_; /* shared with the children */

static inline void cr_add_(struct cr_test_ *test)
{
	*cr_last_ = test;
	cr_last_ = &test->next;
}

/* ---- assertions: cr_assert ends the test, cr_expect goes on -------------------------------- */

static inline void cr_say_(const char *kind, const char *file, int line, const char *what,
                           const char *format, va_list args)
{
	char message[512];

	vsnprintf(message, sizeof(message), format, args);
	fprintf(stderr, "%s:%d: %s: %s%s%s\n", file, line, kind, what,
	        *what && *message ? ": " : "", message);
}

static inline void cr_expect_(const char *file, int line, const char *what, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	cr_say_("expected", file, line, what, format, args);
	va_end(args);
	__atomic_add_fetch(&cr_verdict_->failures, 1, __ATOMIC_SEQ_CST);
}

static inline _Noreturn void cr_assert_(const char *file, int line, const char *what,
                                        const char *format, ...)
{
	va_list args;

	va_start(args, format);
	cr_say_("assertion failed", file, line, what, format, args);
	va_end(args);
	__atomic_add_fetch(&cr_verdict_->failures, 1, __ATOMIC_SEQ_CST);
	_exit(1); /* from whatever thread or task: no handler may run on its stack */
}

static inline _Noreturn void cr_skip_(const char *file, int line, const char *what,
                                      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	cr_say_("skipped", file, line, what, format, args);
	va_end(args);
	__atomic_store_n(&cr_verdict_->skipped, 1, __ATOMIC_SEQ_CST);
	_exit(0);
}

static inline void cr_log_(const char *file, int line, const char *what, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	cr_say_("note", file, line, what, format, args);
	va_end(args);
}

/*
 * The message is optional. An empty format behind it stands in where there is none; behind a real
 * one it is an argument too many, which printf does not look at.
 */
#define CR_CHECK_(how, what, condition, ...) \
	do { \
		if (!(condition)) \
			how(__FILE__, __LINE__, what, __VA_ARGS__); \
	} while (0)
#define CR_TRUE_(how, a, ...)   CR_CHECK_(how, #a, (a), __VA_ARGS__)
#define CR_NOT_(how, a, ...)    CR_CHECK_(how, "not " #a, !(a), __VA_ARGS__)
#define CR_NULL_(how, a, ...)   CR_CHECK_(how, #a " is null", (a) == NULL, __VA_ARGS__)
#define CR_SOME_(how, a, ...)   CR_CHECK_(how, #a " is not null", (a) != NULL, __VA_ARGS__)
#define CR_EQ_(how, a, b, ...)  CR_CHECK_(how, #a " == " #b, (a) == (b), __VA_ARGS__)
#define CR_NEQ_(how, a, b, ...) CR_CHECK_(how, #a " != " #b, (a) != (b), __VA_ARGS__)
#define CR_LT_(how, a, b, ...)  CR_CHECK_(how, #a " < " #b, (a) < (b), __VA_ARGS__)
#define CR_LEQ_(how, a, b, ...) CR_CHECK_(how, #a " <= " #b, (a) <= (b), __VA_ARGS__)
#define CR_GT_(how, a, b, ...)  CR_CHECK_(how, #a " > " #b, (a) > (b), __VA_ARGS__)
#define CR_GEQ_(how, a, b, ...) CR_CHECK_(how, #a " >= " #b, (a) >= (b), __VA_ARGS__)
#define CR_STR_(how, a, b, ...) CR_CHECK_(how, #a " equals " #b, strcmp((a), (b)) == 0, __VA_ARGS__)
#define CR_NSTR_(how, a, b, ...) \
	CR_CHECK_(how, #a " differs from " #b, strcmp((a), (b)) != 0, __VA_ARGS__)
#define CR_ARR_(how, a, b, n, ...) \
	CR_CHECK_(how, #a " equals " #b, memcmp((a), (b), (n)) == 0, __VA_ARGS__)
#define CR_NARR_(how, a, b, n, ...) \
	CR_CHECK_(how, #a " differs from " #b, memcmp((a), (b), (n)) != 0, __VA_ARGS__)
#define CR_FLOAT_(how, a, b, e, ...) \
	CR_CHECK_(how, #a " is near " #b, (a) - (b) <= (e) && (b) - (a) <= (e), __VA_ARGS__)

#define cr_assert(...)          CR_TRUE_(cr_assert_, __VA_ARGS__, "", 0)
#define cr_assert_not(...)      CR_NOT_(cr_assert_, __VA_ARGS__, "", 0)
#define cr_assert_null(...)     CR_NULL_(cr_assert_, __VA_ARGS__, "", 0)
#define cr_assert_not_null(...) CR_SOME_(cr_assert_, __VA_ARGS__, "", 0)
#define cr_assert_eq(...)       CR_EQ_(cr_assert_, __VA_ARGS__, "", 0)
#define cr_assert_neq(...)      CR_NEQ_(cr_assert_, __VA_ARGS__, "", 0)
#define cr_assert_lt(...)       CR_LT_(cr_assert_, __VA_ARGS__, "", 0)
#define cr_assert_leq(...)      CR_LEQ_(cr_assert_, __VA_ARGS__, "", 0)
#define cr_assert_gt(...)       CR_GT_(cr_assert_, __VA_ARGS__, "", 0)
#define cr_assert_geq(...)      CR_GEQ_(cr_assert_, __VA_ARGS__, "", 0)
#define cr_assert_str_eq(...)   CR_STR_(cr_assert_, __VA_ARGS__, "", 0)
#define cr_assert_str_neq(...)  CR_NSTR_(cr_assert_, __VA_ARGS__, "", 0)
#define cr_assert_arr_eq(...)   CR_ARR_(cr_assert_, __VA_ARGS__, "", 0)
#define cr_assert_arr_neq(...)  CR_NARR_(cr_assert_, __VA_ARGS__, "", 0)
#define cr_assert_float_eq(...) CR_FLOAT_(cr_assert_, __VA_ARGS__, "", 0)
#define cr_assert_fail(...)     cr_assert_(__FILE__, __LINE__, "", "" __VA_ARGS__)
#define cr_fatal(...)           cr_assert_(__FILE__, __LINE__, "", "" __VA_ARGS__)

#define cr_expect(...)          CR_TRUE_(cr_expect_, __VA_ARGS__, "", 0)
#define cr_expect_not(...)      CR_NOT_(cr_expect_, __VA_ARGS__, "", 0)
#define cr_expect_null(...)     CR_NULL_(cr_expect_, __VA_ARGS__, "", 0)
#define cr_expect_not_null(...) CR_SOME_(cr_expect_, __VA_ARGS__, "", 0)
#define cr_expect_eq(...)       CR_EQ_(cr_expect_, __VA_ARGS__, "", 0)
#define cr_expect_neq(...)      CR_NEQ_(cr_expect_, __VA_ARGS__, "", 0)
#define cr_expect_lt(...)       CR_LT_(cr_expect_, __VA_ARGS__, "", 0)
#define cr_expect_leq(...)      CR_LEQ_(cr_expect_, __VA_ARGS__, "", 0)
#define cr_expect_gt(...)       CR_GT_(cr_expect_, __VA_ARGS__, "", 0)
#define cr_expect_geq(...)      CR_GEQ_(cr_expect_, __VA_ARGS__, "", 0)
#define cr_expect_str_eq(...)   CR_STR_(cr_expect_, __VA_ARGS__, "", 0)
#define cr_expect_str_neq(...)  CR_NSTR_(cr_expect_, __VA_ARGS__, "", 0)
#define cr_expect_arr_eq(...)   CR_ARR_(cr_expect_, __VA_ARGS__, "", 0)
#define cr_expect_arr_neq(...)  CR_NARR_(cr_expect_, __VA_ARGS__, "", 0)
#define cr_expect_float_eq(...) CR_FLOAT_(cr_expect_, __VA_ARGS__, "", 0)
#define cr_expect_fail(...)     cr_expect_(__FILE__, __LINE__, "", "" __VA_ARGS__)
#define cr_fail(...)            cr_expect_(__FILE__, __LINE__, "", "" __VA_ARGS__)

#define cr_skip(...)      cr_skip_(__FILE__, __LINE__, "", "" __VA_ARGS__)
#define cr_skip_test(...) cr_skip(__VA_ARGS__)
#define cr_log_info(...)  cr_log_(__FILE__, __LINE__, "", "" __VA_ARGS__)
#define cr_log_warn(...)  cr_log_info(__VA_ARGS__)
#define cr_log_error(...) cr_log_info(__VA_ARGS__)

/* ---- declaring tests ----------------------------------------------------------------------- */

#define CR_ENTRY_(id, ...) \
	static struct cr_test_ id##_entry_ = { __VA_ARGS__ }; \
	__attribute__((constructor)) static void id##_add_(void) \
	{ \
		cr_add_(&id##_entry_); \
	}

#define Test(...) CR_TEST_(__VA_ARGS__, .sentinel_ = 0)
#define CR_TEST_(s, n, ...) \
	static void s##_##n##_body_(void); \
	CR_ENTRY_(s##_##n, .suite = #s, .name = #n, .body = s##_##n##_body_, \
	          .options = { __VA_ARGS__ }) \
	static void s##_##n##_body_(void)

#define TestSuite(...) CR_SUITE_(__VA_ARGS__, .sentinel_ = 0)
#define CR_SUITE_(s, ...) \
	CR_ENTRY_(suite_##s, .suite = #s, .options = { __VA_ARGS__ }) \
	struct cr_test_ /* takes the semicolon */

#define ParameterizedTestParameters(s, n) \
	static struct criterion_test_params s##_##n##_params_(void)
#define ParameterizedTest(...) CR_PARAM_(__VA_ARGS__, .sentinel_ = 0)
#define CR_PARAM_(parameter, s, n, ...) \
	static void s##_##n##_body_(parameter); \
	CR_ENTRY_(s##_##n, .suite = #s, .name = #n, \
	          .param_body = (void (*)(void *))s##_##n##_body_, .params = s##_##n##_params_, \
	          .options = { __VA_ARGS__ }) \
	static void s##_##n##_body_(parameter)
#define cr_make_param_array(...) CR_ARRAY_(__VA_ARGS__, NULL)
#define CR_ARRAY_(type, array, n, ...) \
	((struct criterion_test_params){ sizeof(type), (array), (n), NULL })

/* ---- running them -------------------------------------------------------------------------- */

/* The options of a test, with its suite's for what it does not say itself. */
static inline struct cr_options_ cr_options_of_(const struct cr_test_ *test)
{
	struct cr_options_ o = test->options;

	for (const struct cr_test_ *t = cr_tests_; t; t = t->next) {
		if (t->name || strcmp(t->suite, test->suite) != 0)
			continue;
		o.init = o.init ? o.init : t->options.init;
		o.fini = o.fini ? o.fini : t->options.fini;
		o.signal = o.signal ? o.signal : t->options.signal;
		o.exit_code = o.exit_code ? o.exit_code : t->options.exit_code;
		o.disabled |= t->options.disabled;
		o.timeout = o.timeout > 0 ? o.timeout : t->options.timeout;
	}
	return o;
}

static inline _Noreturn void cr_child_(const struct cr_test_ *test, const struct cr_options_ *o,
                                       void *parameter)
{
	setpgid(0, 0);
	if (o->init)
		o->init();
	if (test->body)
		test->body();
	else
		test->param_body(parameter);
	if (o->fini)
		o->fini();
	exit(0);
}

/* Seconds until a test counts as hung. */
static inline double cr_limit_(const struct cr_options_ *o)
{
	const char *slack = getenv("FILCH_TEST_SLACK");
	double factor = slack ? strtod(slack, NULL) : 1;

	return (o->timeout > 0 ? o->timeout : CR_DEFAULT_TIMEOUT_) * (factor > 0 ? factor : 1);
}

/* Waits for the child; false if its time is over. Kills what is left of its group. */
static inline bool cr_wait_(pid_t child, double seconds, int *status)
{
	struct pollfd end = { (int)syscall(SYS_pidfd_open, child, 0), POLLIN, 0 };
	bool in_time = poll(&end, 1, (int)(seconds * 1000)) == 1;

	kill(-child, SIGKILL);
	kill(child, SIGKILL); /* if it has not come to lead its group */
	waitpid(child, status, 0);
	close(end.fd);
	return in_time;
}

/* Why the test failed, or NULL. */
static inline const char *cr_judge_(const struct cr_options_ *o, int status)
{
	static char why[128];

	if (WIFSIGNALED(status) && WTERMSIG(status) != o->signal)
		snprintf(why, sizeof(why), "crashed: %s", strsignal(WTERMSIG(status)));
	else if (!WIFSIGNALED(status) && o->signal)
		snprintf(why, sizeof(why), "was to end by: %s", strsignal(o->signal));
	else if (cr_verdict_->failures)
		snprintf(why, sizeof(why), "%d failed", cr_verdict_->failures);
	else if (WIFEXITED(status) && WEXITSTATUS(status) == CR_RACE_STATUS_)
		snprintf(why, sizeof(why), "ThreadSanitizer reports an error");
	else if (WIFEXITED(status) && WEXITSTATUS(status) != o->exit_code)
		snprintf(why, sizeof(why), "exit status %d", WEXITSTATUS(status));
	else
		return NULL;
	return why;
}

/* Runs one test (with one parameter); returns whether it failed, -1 if it did not want to run. */
static inline int cr_run_(const struct cr_test_ *test, void *parameter)
{
	struct cr_options_ o = cr_options_of_(test);
	const char *why;
	int status;

	if (o.disabled)
		return -1;
	memset(cr_verdict_, 0, sizeof(*cr_verdict_));
	fflush(NULL);
	pid_t child = fork();
	if (child == 0)
		cr_child_(test, &o, parameter);
	if (child < 0)
		why = "fork fails";
	else if (!cr_wait_(child, cr_limit_(&o), &status))
		why = "timed out";
	else
		why = cr_judge_(&o, status);
	if (why)
		fprintf(stderr, "[FAIL] %s/%s: %s\n", test->suite, test->name, why);
	return why ? 1 : cr_verdict_->skipped ? -1 : 0;
}

static inline void cr_run_all_(const struct cr_test_ *test, int counts[2])
{
	struct criterion_test_params p = { 0, NULL, 1, NULL };

	if (test->params)
		p = test->params();
	for (size_t i = 0; i < p.length; i++) {
		int failed = cr_run_(test, (char *)p.params + i * p.size);

		if (failed >= 0)
			counts[failed]++;
		else
			fprintf(stderr, "[SKIP] %s/%s\n", test->suite, test->name);
	}
}

int main(int argc, char **argv)
{
	int counts[2] = { 0, 0 };
	char name[256];

	cr_verdict_ = mmap(NULL, sizeof(*cr_verdict_), PROT_READ | PROT_WRITE,
	                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (cr_verdict_ == MAP_FAILED) {
		perror("tests: mmap");
		return 1;
	}
	for (const struct cr_test_ *test = cr_tests_; test; test = test->next) {
		snprintf(name, sizeof(name), "%s/%s", test->suite, test->name ? test->name : "");
		if (test->name && (argc < 2 || fnmatch(argv[1], name, 0) == 0))
			cr_run_all_(test, counts);
	}
	printf("%d passed, %d failed\n", counts[0], counts[1]);
	return counts[1] || !counts[0];
}

#endif
