/* Who copies a stream elsewhere, and how far they are: what is not there yet must stay as it is. */
#include "recon/internal.h"
#include "store/layout.h"

bool recon_is_awaited(
    struct reader *reader, const struct recon_stream *stream, uint64_t from, uint64_t to)
{
        const struct store_ops *ops = reader->store->ops;
        struct store_txn meta;
        struct sink_record sink;
        struct bytes value;
        if (ops->begin(reader->store, STORE_META, false, &meta, NULL))
                return true;
        int code = ops->get(&meta, STORE_SINKS, key_sink(stream->number, SINK_MONGODB), &value);
        bool awaited = code
            ? code != ERR_NOT_FOUND
            : sink_read(value, &sink) || (sink.position >= from && sink.position < to);
        ops->abort(&meta);
        return awaited;
}
