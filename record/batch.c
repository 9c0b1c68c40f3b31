#include "record/batch.h"

#include <stdlib.h>

#include "base/limits.h"
#include "store/layout.h"

struct batch *batch_new(void)
{
        struct batch *batch = memory_new(sizeof(*batch));
        buffer_init(&batch->arena, SIZE_MAX / 4);
        batch->done = -1;
        return batch;
}

void batch_free(struct batch *batch)
{
        if (!batch)
                return;
        free(batch->ops);
        buffer_deinit(&batch->arena);
        free(batch);
}

void batch_clear(struct batch *batch)
{
        batch->next = NULL;
        batch->done = -1;
        batch->op_count = 0;
        batch->latency = (struct latency_slots){0};
        buffer_clear(&batch->arena);
}

size_t batch_bytes(const struct batch *batch)
{
        return batch->arena.size + batch->op_count * sizeof(struct op);
}

static struct op *batch_add(struct batch *batch, enum op_kind kind, uint32_t place)
{
        if (batch->op_count == batch->op_capacity) {
                batch->op_capacity = batch->op_capacity ? batch->op_capacity * 2 : 64;
                batch->ops = memory_resize(batch->ops, batch->op_capacity * sizeof(struct op));
        }
        struct op *op = &batch->ops[batch->op_count++];
        *op = (struct op){.kind = kind, .place = place, .offset = batch->arena.size};
        return op;
}

void batch_put(struct batch *batch, uint32_t place, enum store_table table, struct store_key key,
    struct bytes value)
{
        struct op *op = batch_add(batch, OP_PUT, place);
        op->table = table;
        op->key = key;
        op->size = value.size;
        buffer_append(&batch->arena, value.data, value.size);
}

struct op *batch_begin_frame(struct batch *batch, uint32_t day, uint32_t stream, uint64_t position,
    const struct frame_info *info)
{
        struct op *op = batch_add(batch, OP_FRAME, day);
        op->info = *info;
        op->key = key_position(stream, position);
        op->time_key = key_time(stream, frame_time_key(info), position);
        return op;
}

void batch_end_frame(struct batch *batch)
{
        struct op *op = &batch->ops[batch->op_count - 1];
        op->size = batch->arena.size - op->offset;
}

void batch_erase(struct batch *batch, uint32_t day, uint32_t stream, uint64_t from, uint64_t to,
    int64_t time_from, int64_t time_to)
{
        struct op *op = batch_add(batch, OP_ERASE, day);
        op->key = key_position(stream, from);
        op->to = key_position(stream, to);
        op->time_key = key_time(stream, time_from, from);
        op->time_to = key_time(stream, time_to, to);
}

void batch_mark(struct batch *batch, uint32_t day, uint32_t stream, const struct mark_record *mark)
{
        struct op *op = batch_add(batch, OP_MARK, day);
        op->key = key_mark(stream);
        op->mark = *mark;
}
