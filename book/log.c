#include "book/log.h"

#include <string.h>

#include "base/error.h"

/* Each entry: the struct event (pointers meaningless), then its order message if it has one, its
 * bids, its asks. All are multiples of 8 bytes, so nothing is ever misaligned. */

static size_t order_size(const struct event *event)
{
        return event->type == TYPE_ORDER ? sizeof(struct order_message) : 0;
}

static size_t entry_size(const struct event *event)
{
        return sizeof(*event) + order_size(event) + event_level_count(event) * sizeof(struct level);
}

void event_log_init(struct event_log *log, size_t size_limit)
{
        *log = (struct event_log){0};
        buffer_init(&log->buffer, size_limit);
}

void event_log_deinit(struct event_log *log)
{
        buffer_deinit(&log->buffer);
        log->head = log->count = 0;
}

void event_log_clear(struct event_log *log)
{
        buffer_clear(&log->buffer);
        log->head = log->count = 0;
}

/* Move what is left to the front once the dropped part is the larger one. */
static void event_log_compact(struct event_log *log)
{
        struct buffer *buffer = &log->buffer;
        if (log->head < buffer->size - log->head && log->head < buffer->limit / 2)
                return;
        memmove(buffer->data, buffer->data + log->head, buffer->size - log->head);
        buffer->size -= log->head;
        log->head = 0;
}

int event_log_append(struct event_log *log, const struct event *event)
{
        struct buffer *buffer = &log->buffer;
        if (log->head)
                event_log_compact(log);
        if (entry_size(event) > buffer->limit - buffer->size)
                return ERR_FULL;
        buffer_append(buffer, event, sizeof(*event));
        buffer_append(buffer, event->order, order_size(event));
        for (enum side s = 0; s < SIDES; s++)
                buffer_append(buffer, event->levels[s], event->count[s] * sizeof(struct level));
        log->count++;
        return 0;
}

bool event_log_next(
    const struct event_log *log, struct event_log_cursor *cursor, struct event *ret_event)
{
        size_t at = log->head + cursor->offset;
        if (at >= log->buffer.size)
                return false;
        const uint8_t *entry = log->buffer.data + at;
        memcpy(ret_event, entry, sizeof(*ret_event));
        const struct level *levels = (const struct level *)(const void *)(entry +
            sizeof(*ret_event) + order_size(ret_event));
        ret_event->order = ret_event->type == TYPE_ORDER
            ? (const struct order_message *)(const void *)(entry + sizeof(*ret_event))
            : NULL;
        ret_event->levels[SIDE_BID] = levels;
        ret_event->levels[SIDE_ASK] = levels + ret_event->count[SIDE_BID];
        cursor->offset += entry_size(ret_event);
        return true;
}

void event_log_drop(struct event_log *log)
{
        struct event event;
        struct event_log_cursor cursor = {0};
        if (!event_log_next(log, &cursor, &event))
                return;
        log->head += cursor.offset;
        if (!--log->count)
                event_log_clear(log);
}
