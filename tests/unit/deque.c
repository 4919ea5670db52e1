/* SPDX-License-Identifier: MIT */
/* The deque alone. Many thieves at full length are in stress/deque.c. */
#include "deque.h"

#include "../support.h"

TestSuite(deque, .timeout = WATCHDOG);

static struct deque_array *retired[64];
static int retirements;

/* Old arrays are kept to the end of a test, as if a thief were still reading. */
static void retire(struct deque_array *old)
{
	retired[retirements++] = old;
}

static void free_retired(void)
{
	while (retirements)
		free(retired[--retirements]);
}

static struct deque *deque(int64_t capacity, int64_t index)
{
	static struct deque d;

	CHECK_EQ(deque_init(&d, capacity, index, retire), 0);
	return &d;
}

static void end(struct deque *d)
{
	deque_destroy(d);
	free_retired();
}

static void *item(intptr_t n)
{
	return (void *)n;
}

static void push(struct deque *d, intptr_t n)
{
	void *it = item(n);

	CHECK_EQ(deque_push(d, &it, 1), 0);
}

/* Where the indices begin: in the middle, and where they pass the edges of what they are made of. */
static const int64_t starts[] = { 0, -3, INT32_MAX - 3, UINT32_MAX - (int64_t)3, INT64_MIN, INT64_MAX - 3, INT64_MAX - 100 };

Test(deque, the_owner_takes_the_youngest_and_thieves_the_oldest)
{
	for (size_t s = 0; s < LENGTH(starts); s++) {
		struct deque *d = deque(8, starts[s]);

		for (intptr_t i = 1; i <= 6; i++)
			push(d, i);
		CHECK_EQ(deque_size(d), 6);
		CHECK(deque_oldest(d) == item(1)); /* and leaves it there */
		CHECK(deque_steal(d) == item(1));
		CHECK(deque_oldest(d) == item(2));
		CHECK(deque_pop(d) == item(6));
		CHECK(deque_steal(d) == item(2));
		CHECK(deque_pop(d) == item(5));
		CHECK(deque_pop(d) == item(4));
		CHECK(deque_pop(d) == item(3));
		CHECK(!deque_pop(d) && !deque_oldest(d) && !deque_steal(d) && !deque_size(d));
		push(d, 7);
		CHECK(deque_steal(d) == item(7));
		CHECK(!deque_pop(d) && !deque_steal(d) && !deque_size(d));
		end(d);
	}
}

Test(deque, it_grows_from_two_and_retires_each_array_once)
{
	for (size_t s = 0; s < LENGTH(starts); s++) {
		struct deque *d = deque(2, starts[s]);
		struct deque_array *seen[16];
		int arrays = 0;

		for (intptr_t i = 1; i <= 1000; i++) {
			struct deque_array *before = d->array;

			push(d, i);
			if (d->array != before)
				seen[arrays++] = before;
			if (i % 3 == 0)
				CHECK(deque_steal(d) == item(i / 3));
		}
		CHECK_EQ(retirements, arrays);
		CHECK(arrays >= 8);
		for (int i = 0; i < arrays; i++)
			CHECK(retired[i] == seen[i]);
		for (intptr_t i = 1000; i > 333; i--)
			CHECK(deque_pop(d) == item(i));
		CHECK(!deque_pop(d));
		end(d);
	}
}

Test(deque, places_are_used_again_without_growth)
{
	for (size_t s = 0; s < LENGTH(starts); s++) {
		struct deque *d = deque(4, starts[s]);

		for (intptr_t i = 1; i <= 400; i++) {
			push(d, i);
			push(d, i + 1000);
			CHECK(deque_steal(d) == item(i));
			CHECK(deque_steal(d) == item(i + 1000));
		}
		CHECK_EQ(retirements, 0);
		end(d);
	}
}

Test(deque, many_are_pushed_at_once)
{
	for (size_t s = 0; s < LENGTH(starts); s++) {
		for (int64_t n = 1; n <= 70; n++) {
			struct deque *d = deque(2, starts[s]);
			void *items[70];

			for (int64_t i = 0; i < n; i++)
				items[i] = item(i + 1);
			push(d, 100);
			CHECK_EQ(deque_push(d, items, n), 0);
			CHECK_EQ(deque_size(d), n + 1);
			CHECK_EQ(retirements, n > 1);
			CHECK(deque_steal(d) == item(100));
			for (int64_t i = 0; i < n / 2; i++)
				CHECK(deque_steal(d) == item(i + 1));
			for (int64_t i = n; i > n / 2; i--)
				CHECK(deque_pop(d) == item(i));
			CHECK(!deque_pop(d));
			end(d);
		}
	}
}

Test(deque, pop_if_takes_only_the_youngest)
{
	struct deque *d = deque(4, 0);

	CHECK(!deque_pop_if(d, item(1)));
	push(d, 1);
	push(d, 2);
	CHECK(!deque_pop_if(d, item(1)));
	CHECK(deque_pop_if(d, item(2)));
	CHECK(!deque_pop_if(d, item(2)));
	CHECK(deque_steal(d) == item(1));
	CHECK(!deque_pop_if(d, item(1))); /* its entry is still in the array */
	CHECK_EQ(deque_size(d), 0);
	end(d);
}

/*
 * A thief that was stopped between reading an entry and its CAS, played by hand: the owner uses the place again, and the
 * thief's CAS must fail, or it would return an item that was taken before and lose the one that is there.
 */
Test(deque, a_paused_thief_fails_when_its_place_was_used_again)
{
	for (size_t s = 0; s < LENGTH(starts); s++) {
		struct deque *d = deque(2, starts[s]);
		uint64_t top;
		void *read;

		push(d, 1);
		top = load_seq(&d->top);
		read = load_relaxed(&d->array->entry[top & d->array->mask]);
		CHECK(read == item(1));
		CHECK(deque_pop(d) == item(1));
		push(d, 2);
		push(d, 3);
		CHECK(d->array->entry[top & d->array->mask] != item(1));
		CHECK(!cas_seq(&d->top, &top, top + 1));
		CHECK(deque_steal(d) == item(2));
		CHECK(deque_steal(d) == item(3));
		end(d);
	}
}

/* The same with a growth in between: the old array still says what the thief read, and its CAS decides. */
Test(deque, a_paused_thief_reads_the_same_in_the_array_that_was_outgrown)
{
	struct deque *d = deque(2, 0);
	struct deque_array *old = d->array;
	uint64_t top;

	push(d, 1);
	push(d, 2);
	top = load_seq(&d->top);
	for (intptr_t i = 3; i <= 9; i++)
		push(d, i);
	CHECK(d->array != old);
	CHECK(old->entry[top & old->mask] == item(1));
	CHECK(cas_seq(&d->top, &top, top + 1));
	for (intptr_t i = 2; i <= 9; i++)
		CHECK(deque_steal(d) == item(i));
	end(d);
}

Test(deque, what_it_outgrew_is_kept_until_it_is_destroyed)
{
	struct deque d;
	struct deque_array *first;

	CHECK_EQ(deque_init(&d, 2, 0, deque_keep), 0);
	first = d.array;
	for (intptr_t i = 1; i <= 1000; i++)
		CHECK_EQ(deque_push_one(&d, (void *)i), 0);
	CHECK(d.array != first);
	CHECK(first->entry[0] == (void *)1); /* freed, AddressSanitizer would say so */
	for (intptr_t i = 1; i <= 1000; i++)
		CHECK(deque_steal(&d) == (void *)i);
	deque_destroy(&d); /* and if it were not freed here, the leak checker */
}
