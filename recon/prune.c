#include "recon/prune.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "recon/internal.h"
#include "store/layout.h"

/* What the stream had in that day, as a gap. ERR_NOT_FOUND: nothing. */
static int pruned_gap(struct reader *reader, const struct recon_stream *stream, uint32_t day,
    struct gap_record *ret_gap)
{
        const struct store_ops *ops = reader->store->ops;
        struct store_txn txn;
        struct bytes value;
        struct mark_record mark;
        int code = ops->begin(reader->store, day, false, &txn, NULL);
        if (code)
                return code;
        code = ops->get(&txn, STORE_MARKS, key_mark(stream->number), &value);
        code = code ? code : mark_read(value, &mark);
        ops->abort(&txn);
        if (code || mark.next_position == mark.first_position)
                return code ? code : ERR_NOT_FOUND;
        *ret_gap = gap_of_pruned(&mark, day);
        return 0;
}

static int mark_pruned(struct reader *reader, uint32_t day, struct store_txn *meta)
{
        const struct store_ops *ops = reader->store->ops;
        for (size_t i = 0; i < reader->stream_count; i++) {
                const struct recon_stream *stream = &reader->streams[i];
                struct gap_record gap;
                struct buffer value;
                int code = pruned_gap(reader, stream, day, &gap);
                if (code == ERR_NOT_FOUND)
                        continue;
                if (code)
                        return code;
                buffer_init(&value, 4096);
                gap_write(&value, &gap);
                ops->put(meta, STORE_PRUNED, key_day(stream->number, day), buffer_bytes(&value));
                buffer_deinit(&value);
        }
        return 0;
}

static int prune_day(struct reader *reader, uint32_t day, struct error *error)
{
        const struct store_ops *ops = reader->store->ops;
        struct store_txn meta;
        int code = ops->begin(reader->store, STORE_META, true, &meta, error);
        if (code)
                return code;
        code = mark_pruned(reader, day, &meta);
        if (code) {
                ops->abort(&meta);
                return error_set(error, code, "the day cannot be read: %s", error_name(code));
        }
        code = ops->commit(&meta, error);
        return code ? code : ops->drop(reader->store, day, error);
}

/* The newest day of a stream that was not stopped in order: a running logger may still write to it,
 * since a stream leaves its day only with its book's next image. */
static bool day_is_in_use(const struct reader *reader, uint32_t day)
{
        for (size_t i = 0; i < reader->stream_count; i++) {
                const struct recon_stream *stream = &reader->streams[i];
                if (stream->day_count && stream->days[stream->day_count - 1] == day &&
                    !stream->mark.clean)
                        return true;
        }
        return false;
}

/* Is a stream's part of the day not everywhere yet where it is copied to? */
static bool day_is_awaited(struct reader *reader, uint32_t day)
{
        for (size_t i = 0; i < reader->stream_count; i++) {
                struct mark_record mark;
                struct error error;
                const struct recon_stream *stream = &reader->streams[i];
                if (!day_mark(reader->store, stream->number, day, &mark, &error) &&
                    mark.next_position > mark.first_position &&
                    recon_is_awaited(reader, stream, 0, mark.next_position))
                        return true;
        }
        return false;
}

int recon_prune(
    struct reader *reader, uint32_t limit, struct prune_result *ret_result, struct error *error)
{
        uint32_t *days;
        size_t count;
        int code = reader->store->ops->days(reader->store, &days, &count);
        if (code)
                return error_set(error, code, "the days of the store cannot be listed");
        *ret_result = (struct prune_result){0};
        for (size_t i = 0; i + 1 < count && days[i] < limit && !code; i++) {
                if (day_is_in_use(reader, days[i]))
                        continue;
                if (day_is_awaited(reader, days[i])) {
                        ret_result->awaited++;
                        continue;
                }
                code = prune_day(reader, days[i], error);
                ret_result->dropped += !code;
        }
        free(days);
        return code;
}
