/* SPDX-License-Identifier: MIT */
#include "date.h"

#include <string.h>

void date_print(char *to, time_t when)
{
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(to, DATE_LENGTH + 1, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* Not the 31st of February, which timegm() takes for the 3rd of March. */
static bool is_day(const struct tm *tm)
{
	struct tm day = { .tm_year = tm->tm_year, .tm_mon = tm->tm_mon, .tm_mday = tm->tm_mday };

	timegm(&day);
	return day.tm_mday == tm->tm_mday;
}

bool date_read(const char *at, size_t length, time_t *when)
{
	/* today's, RFC 850's, asctime's */
	static const char *const forms[] = { "%a, %d %b %Y %H:%M:%S GMT",
		                             "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y" };
	char text[40];

	if (length >= sizeof(text))
		return false;
	memcpy(text, at, length);
	text[length] = '\0';
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(text, forms[i], &tm);

		if (!end || *end)
			continue;
		if (!is_day(&tm))
			return false;
		*when = timegm(&tm);
		return true;
	}
	return false;
}
