/* Who copies a stream elsewhere, and how far they are: what is not there yet must stay as it is. */
#include "recon/internal.h"
#include "store/layout.h"

bool recon_is_awaited(
    struct reader *reader, const struct recon_stream *stream, uint64_t from, uint64_t to)
{
        const struct store_ops *ops = reader->store->ops;
        struct store_txn meta;
        struct store_cursor cursor;
        bool awaited = false;
        if (ops->begin(reader->store, STORE_META, false, &meta, NULL))
                return true;
        int code = ops->seek(&meta, STORE_SINKS, key_sink(stream->number, 0), &cursor);
        while (!code && cursor.key.stream == stream->number && !awaited) {
                struct sink_record sink;
                awaited =
                    sink_read(cursor.value, &sink) || (sink.position >= from && sink.position < to);
                code = ops->next(&cursor);
        }
        ops->done(&cursor);
        ops->abort(&meta);
        return awaited;
}
