/* SPDX-License-Identifier: MIT */
#include "date.h"

#include <string.h>

void date_print(char *to, time_t when)
{
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(to, DATE_LENGTH + 1, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* Of RFC 850's two digits: the last such year that is not over fifty years ahead. */
static int whole_year(int year)
{
	time_t now = time(NULL);
	struct tm today;

	gmtime_r(&now, &today);
	return today.tm_year + 50 - (today.tm_year + 50 - year) % 100;
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
	enum { TODAY, RFC_850, ASCTIME };
	static const char *const forms[] = { [TODAY] = "%a, %d %b %Y %H:%M:%S GMT",
		                             [RFC_850] = "%A, %d-%b-%y %H:%M:%S GMT",
		                             [ASCTIME] = "%a %b %e %H:%M:%S %Y" };
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
		if (i == RFC_850)
			tm.tm_year = whole_year(tm.tm_year);
		if (!is_day(&tm))
			return false;
		*when = timegm(&tm);
		return true;
	}
	return false;
}
