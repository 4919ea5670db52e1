/* SPDX-License-Identifier: MIT */
/* What the server knows about itself: /stats and /metrics. */
#ifndef REPORT_H
#define REPORT_H

struct reply;
struct request;
struct server;

void report_stats(struct server *s, const struct request *q, struct reply *r);
void report_metrics(struct server *s, const struct request *q, struct reply *r);

#endif
