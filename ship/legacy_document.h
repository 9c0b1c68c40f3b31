/* One document of the older layout, made of an event or of a book. */
#ifndef SHIP_LEGACY_DOCUMENT_H
#define SHIP_LEGACY_DOCUMENT_H

#include "book/book.h"
#include "codec/meta.h"

typedef struct _bson_t bson_t;

/* A trade that waits for the next update. */
struct legacy_trade {
        int64_t receive_time_ns, event_time_ns;
        uint32_t epoch;
        int64_t id;
        bool bought;
        struct level level;
        struct scale scale;
};

/* What both kinds of document say of themselves. */
struct legacy_head {
        const struct stream_name *name;
        const char *recorder;
        uint32_t stream, epoch;
        int64_t first_id, last_id;
        int64_t event_time_ns, receive_time_ns;
        const char *gap; /* cause of the gap before it; NULL: none */
};

/* Of @trades as many as fit are taken: *@ret_taken. Free with bson_destroy. NULL: the event is
 * larger than a document can be. */
bson_t *legacy_update(const struct legacy_head *head, const struct event *event,
    const struct scale *scale, const struct legacy_trade *trades, size_t count, size_t *ret_taken);

/* A book larger than a document can be is cut at a depth, which it says. */
bson_t *legacy_snapshot(
    const struct legacy_head *head, const struct book *book, const struct scale *scale);

#endif
