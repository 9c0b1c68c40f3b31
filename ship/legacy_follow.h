/* From the record of one symbol to its documents of the older layout, a batch at a time. */
#ifndef SHIP_LEGACY_FOLLOW_H
#define SHIP_LEGACY_FOLLOW_H

#include "recon/recon.h"

typedef struct _bson_t bson_t;

/* Up to where it is written. All zero: nothing is. */
struct legacy_state {
        uint32_t epoch; /* of the last event ... */
        int64_t last_id, event_time_ns;
        int64_t snapshot_ns;  /* by the receive time */
        uint32_t trade_epoch; /* of the last trade ... */
        int64_t trade_id, trade_time_ns;
};

struct legacy_batch {
        bson_t **documents; /* in the order of the stream */
        size_t count, capacity;
        size_t size;               /* bytes */
        struct legacy_state state; /* when it is written */
        bool more;                 /* there is more to write already */
};

void legacy_batch_init(struct legacy_batch *batch);
void legacy_batch_deinit(struct legacy_batch *batch);

/* What comes behind @from of the stream of @levels, and of its trades. No documents: nothing new.
 * Errors as recon_replay's. */
int legacy_follow(struct reader *reader, const struct recon_stream *levels, const char *recorder,
    const struct legacy_state *from, struct legacy_batch *ret_batch, struct error *error);

/* The name of a symbol's collection. */
void legacy_collection(const struct stream_name *name, char ret_collection[META_SYMBOL_SIZE]);

#endif
