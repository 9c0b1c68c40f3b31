/* The writer: takes batches in order, packs their blocks, commits them, each day's part at once.
 *
 * A batch that the store refuses (disk full) is kept and tried again every second, for ever, while
 * the queue behind it grows to its limit; nothing is skipped. */
#ifndef RECORD_WRITER_H
#define RECORD_WRITER_H

#include "record/batch.h"

struct writer;

struct writer_stats {
        uint64_t commits;
        uint64_t failed_commits;
        uint64_t bytes_written;
        size_t queue_bytes;
        bool failing;             /* the last commit was refused */
        int64_t waiting_since_ns; /* the oldest batch is tried since, monotonic; 0: none waits */
        struct latency latency;
};

/* @without_thread: writer_submit commits itself and returns when it has been tried once. */
int writer_open(
    struct writer **ret_writer, struct store *store, bool without_thread, struct error *error);

/* Wait at most @wait_ns until all is written, then end. ERR_FULL: bytes were left (in @error). */
int writer_close(struct writer *writer, int64_t wait_ns, struct error *error);

/* Without a thread: try again what was refused. With one it does so by itself. */
void writer_retry(struct writer *writer);

/* Hand over a batch; it is the writer's. */
void writer_submit(struct writer *writer, struct batch *batch);

/* An empty batch, a used one where there is one. */
struct batch *writer_batch(struct writer *writer);

struct writer_stats writer_stats(struct writer *writer);

#endif
