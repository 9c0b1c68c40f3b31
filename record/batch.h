/* What the loop hands to the writer: changes to the store, in order, all or nothing a day. */
#ifndef RECORD_BATCH_H
#define RECORD_BATCH_H

#include "codec/frame.h"
#include "codec/meta.h"
#include "record/latency.h"
#include "store/store.h"

enum op_kind {
        OP_PUT,   /* bytes as they are */
        OP_FRAME, /* a block: pack, put, index */
        OP_ERASE, /* frames of a range of positions, and their index */
        OP_MARK,  /* a mark, still without its byte counters */
};

struct op {
        enum op_kind kind;
        uint32_t place;
        enum store_table table;
        struct store_key key;
        struct store_key to; /* OP_ERASE: last key; key_time and to_time bound the index */
        struct store_key time_key, time_to;
        struct frame_info info;  /* OP_FRAME */
        struct mark_record mark; /* OP_MARK */
        size_t offset, size;     /* of the bytes in the arena */
};

struct batch {
        struct batch *next;
        int64_t done; /* places that are committed already; the writer's progress */
        struct op *ops;
        size_t op_count, op_capacity;
        struct buffer arena;
        int64_t handed_ns;      /* to the writer at, by the clock of receive times ... */
        int64_t handed_mono_ns; /* ... and by the monotonic one */
        struct latency_slots latency;
};

struct batch *batch_new(void);
void batch_free(struct batch *batch);
void batch_clear(struct batch *batch);
size_t batch_bytes(const struct batch *batch);

void batch_put(struct batch *batch, uint32_t place, enum store_table table, struct store_key key,
    struct bytes value);
/* Room for a block that the caller appends to batch->arena after this. batch_end_frame closes it.
 */
struct op *batch_begin_frame(struct batch *batch, uint32_t day, uint32_t stream, uint64_t position,
    const struct frame_info *info);
void batch_end_frame(struct batch *batch);
void batch_erase(struct batch *batch, uint32_t day, uint32_t stream, uint64_t from, uint64_t to,
    int64_t time_from, int64_t time_to);
void batch_mark(struct batch *batch, uint32_t day, uint32_t stream, const struct mark_record *mark);

#endif
