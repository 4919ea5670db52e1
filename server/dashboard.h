/* SPDX-License-Identifier: MIT */
#ifndef DASHBOARD_H
#define DASHBOARD_H

struct reply;
struct request;
struct server;

void dashboard_answer(struct server *s, const struct request *q, struct reply *r);

#endif
