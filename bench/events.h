/* Event files: one symbol's image and events, read whole, for benches that need no exchange.
 *
 * bench/events.py writes them and says the format. */
#ifndef BENCH_EVENTS_H
#define BENCH_EVENTS_H

#include "base/error.h"
#include "book/event.h"

struct event_file {
        struct scale scale;
        struct image image; /* bounded is not in the file: false */
        struct event *events;
        size_t event_count;
        uint64_t level_count; /* of the events */
        void *memory;         /* what the levels of image and events point into */
};

/* Read @path. Release with event_file_free.
 *
 * Errors (@ret_file is left unchanged):
 *   ERR_IO       it cannot be opened or read.
 *   ERR_CORRUPT  it is no such file, or not a whole one. */
int event_file_read(struct event_file *ret_file, const char *path);
void event_file_free(struct event_file *file);

#endif
