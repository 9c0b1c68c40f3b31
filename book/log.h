/* Events kept in memory, first in first out: those that wait for an image, or for a connection.
 *
 * The log copies what it is given and never exceeds its limit in bytes. */
#ifndef BOOK_LOG_H
#define BOOK_LOG_H

#include "base/bytes.h"
#include "book/event.h"

struct event_log {
        struct buffer buffer;
        size_t head; /* bytes that were dropped from the front */
        size_t count;
};

/* Where a walk stands; begins all zero, ends with any change of the log. */
struct event_log_cursor {
        size_t offset;
};

void event_log_init(struct event_log *log, size_t size_limit);
void event_log_deinit(struct event_log *log);
void event_log_clear(struct event_log *log);

/* ERR_FULL: the limit is reached, the log is left unchanged. */
int event_log_append(struct event_log *log, const struct event *event);

/* The next event, its levels borrowed from the log, or false at the end. */
bool event_log_next(
    const struct event_log *log, struct event_log_cursor *cursor, struct event *ret_event);

/* Take the oldest event off. */
void event_log_drop(struct event_log *log);

#endif
