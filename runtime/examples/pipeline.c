/* SPDX-License-Identifier: MIT */
/*
 * A producer and consumers over a channel of eight items. A full channel suspends the producer, an
 * empty one the consumers; neither holds a thread while it waits.
 *
 *	cc pipeline.c $(pkg-config --cflags --libs filch) -o pipeline && ./pipeline
 */
#include <errno.h>
#include <filch.h>
#include <stdio.h>
#include <string.h>

enum { ITEMS = 100000, CONSUMERS = 3 };

struct consumer {
	filch_chan *in;
	long items, sum;
	int err;
};

static void produce(void *arg)
{
	filch_chan *out = arg;
	int err = 0;

	for (long i = 1; i <= ITEMS && !err; i++)
		err = filch_chan_send(out, &i, FILCH_NEVER);
	filch_chan_close(out); /* the consumers take what is in it, then get -EPIPE */
}

static void consume(void *arg)
{
	struct consumer *c = arg;
	long item;

	while ((c->err = filch_chan_recv(c->in, &item, FILCH_NEVER)) == 0) {
		c->items++;
		c->sum += item;
	}
}

int main(void)
{
	filch *rt = filch_start(NULL);
	filch_chan *chan = filch_chan_new(sizeof(long), 8);
	struct consumer consumers[CONSUMERS];
	filch_group group;
	long items = 0, sum = 0;
	int err = 0;

	if (!rt || !chan) {
		fprintf(stderr, "pipeline: cannot start: %s\n", strerror(rt ? ENOMEM : errno));
		return 1;
	}
	filch_group_init(&group, rt);
	for (int i = 0; i < CONSUMERS && !err; i++) {
		consumers[i] = (struct consumer){ .in = chan };
		err = filch_group_submit(&group, consume, &consumers[i]);
	}
	if (!err)
		err = filch_group_submit(&group, produce, chan);
	if (err)
		filch_chan_close(chan); /* nobody will: do not leave the consumers waiting */
	filch_group_wait(&group);
	for (int i = 0; i < CONSUMERS && !err; i++) {
		items += consumers[i].items;
		sum += consumers[i].sum;
		err = consumers[i].err == -EPIPE ? 0 : consumers[i].err;
	}
	filch_chan_free(chan);
	filch_stop(rt);
	if (err)
		fprintf(stderr, "pipeline: %s\n", strerror(-err));
	else
		printf("%ld items, sum %ld\n", items, sum);
	return err != 0;
}
