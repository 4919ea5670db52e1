/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <filch.h>

#include "reply.h"
#include "server.h"

/* Counters of each worker; the last two exist in the totals only. */
static const struct figure {
	const char *name;
	size_t field;
} figures[] = {
	{ "tasks", offsetof(struct filch_stats, tasks) },
	{ "published", offsetof(struct filch_stats, published) },
	{ "steals", offsetof(struct filch_stats, steals) },
	{ "steal_misses", offsetof(struct filch_stats, steal_misses) },
	{ "parks", offsetof(struct filch_stats, parks) },
	{ "wakes", offsetof(struct filch_stats, wakes) },
	{ "waits", offsetof(struct filch_stats, waits) },
	{ "pending", offsetof(struct filch_stats, pending) },
	{ "stacks", offsetof(struct filch_stats, stacks) },
};

#define FIGURES    (sizeof(figures) / sizeof(*figures))
#define OF_WORKERS (FIGURES - 2)

static unsigned long long value(const struct filch_stats *stats, const struct figure *figure)
{
	return *(const uint64_t *)((const char *)stats + figure->field);
}

static struct filch_stats stats_of(filch *rt, int worker)
{
	struct filch_stats stats = { 0 };

	filch_stats(rt, worker, &stats); /* zeros where there is no runtime */
	return stats;
}

static void print_json(struct buffer *page, const struct filch_stats *stats)
{
	for (size_t i = 0; i < FIGURES; i++)
		buffer_print(page, "%s\"%s\":%llu", i ? "," : "{", figures[i].name,
		             value(stats, &figures[i]));
	buffer_print(page, "}");
}

void report_stats(struct server *s, const struct request *q, struct reply *r)
{
	filch *rt = s->executor->runtime;
	struct filch_stats stats = stats_of(rt, -1);
	unsigned workers = filch_workers(rt);

	(void)q;
	buffer_print(&r->page,
	             "{\"requests\":%zu,\"connections\":%zu,\"total\":", server_answered(s),
	             atomic_load(&s->clients.count));
	print_json(&r->page, &stats);
	buffer_print(&r->page, ",\"workers\":[");
	for (unsigned i = 0; i < workers; i++) {
		stats = stats_of(rt, (int)i);
		buffer_print(&r->page, "%s", i ? "," : "");
		print_json(&r->page, &stats);
	}
	buffer_print(&r->page, "]}\n");
	reply_page(r, "application/json");
}

void report_metrics(struct server *s, const struct request *q, struct reply *r)
{
	filch *rt = s->executor->runtime;
	struct filch_stats stats = stats_of(rt, -1);
	unsigned workers = filch_workers(rt);
	struct buffer *page = &r->page;

	(void)q;
	buffer_print(page, "# TYPE filch_requests_total counter\nfilch_requests_total %zu\n",
	             server_answered(s));
	buffer_print(page, "# TYPE filch_connections gauge\nfilch_connections %zu\n",
	             atomic_load(&s->clients.count));
	for (size_t i = OF_WORKERS; i < FIGURES; i++)
		buffer_print(page, "# TYPE filch_%s gauge\nfilch_%s %llu\n", figures[i].name,
		             figures[i].name, value(&stats, &figures[i]));
	for (size_t i = 0; i < OF_WORKERS; i++) {
		buffer_print(page, "# TYPE filch_%s_total counter\n", figures[i].name);
		for (unsigned w = 0; w < workers; w++) {
			stats = stats_of(rt, (int)w);
			buffer_print(page, "filch_%s_total{worker=\"%u\"} %llu\n", figures[i].name,
			             w, value(&stats, &figures[i]));
		}
	}
	reply_page(r, "text/plain; version=0.0.4");
}
