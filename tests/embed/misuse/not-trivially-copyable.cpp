/* SPDX-License-Identifier: MIT */
/* An argument is copied as bytes: a C++ class that minds does not compile. */
/* expect: trivially copyable */
#include <filch.h>
#include <string>

#ifdef MISUSE
FILCH_TASK(long, length, frame, std::string, s)
{
	(void)frame;
	return (long)s.size();
}
#else
FILCH_TASK(long, length, frame, const std::string *, s)
{
	(void)frame;
	return (long)s->size();
}
#endif
