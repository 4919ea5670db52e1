/* SPDX-License-Identifier: MIT */
/* GET /dashboard: a page that asks for /stats twice a second, built into the program. */
#include "dashboard.h"

#include <stddef.h>

#include "reply.h"

/* The assembler takes the file as it is; the path is that of a build from the top directory. */
__asm__(".pushsection .rodata\n"
        ".globl dashboard_page, dashboard_end\n"
        ".hidden dashboard_page, dashboard_end\n"
        "dashboard_page: .incbin \"server/dashboard/index.html\"\n"
        "dashboard_end:\n"
        ".popsection\n");

extern const char dashboard_page[] __attribute__((visibility("hidden")));
extern const char dashboard_end[] __attribute__((visibility("hidden")));

void dashboard_answer(struct server *s, const struct request *q, struct reply *r)
{
	(void)s, (void)q;
	r->type = "text/html; charset=utf-8";
	r->body = dashboard_page;
	r->length = (size_t)(dashboard_end - dashboard_page);
}
