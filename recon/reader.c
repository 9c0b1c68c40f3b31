/* What a store has: streams, days, marks; and their frames in order. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "recon/internal.h"
#include "store/layout.h"

#define TXN_AGE_NS NS_PER_S /* a read transaction lives no longer: it would pin pages */

static struct recon_stream *stream_new(
    struct reader *reader, uint32_t number, const struct stream_name *name)
{
        reader->streams = memory_resize(
            reader->streams, (reader->stream_count + 1) * sizeof(struct recon_stream));
        struct recon_stream *stream = &reader->streams[reader->stream_count++];
        *stream = (struct recon_stream){.number = number, .name = *name};
        return stream;
}

static int read_days(struct store_txn *meta, struct recon_stream *stream)
{
        const struct store_ops *ops = meta->store->ops;
        struct store_cursor cursor;
        int code = ops->seek(meta, STORE_DAYS, key_day(stream->number, 0), &cursor);
        while (!code && cursor.key.stream == stream->number) {
                stream->days =
                    memory_resize(stream->days, (stream->day_count + 1) * sizeof(uint32_t));
                stream->days[stream->day_count++] = (uint32_t)cursor.key.major;
                code = ops->next(&cursor);
        }
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}

static int read_streams(struct reader *reader, struct store_txn *meta)
{
        const struct store_ops *ops = meta->store->ops;
        struct store_cursor cursor;
        int code = ops->seek(meta, STORE_STREAMS, key_stream(0), &cursor);
        while (!code) {
                struct stream_name name;
                code = stream_name_read(cursor.value, &name);
                if (!code)
                        code = read_days(meta, stream_new(reader, cursor.key.stream, &name));
                if (!code)
                        code = ops->next(&cursor);
        }
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}

/* Add the day's counters to what is known of the days before. */
static void mark_add(struct recon_stream *stream, const struct mark_record *day)
{
        struct mark_record total = *day;
        const struct mark_record *before = &stream->mark;
        if (stream->recorded) {
                total.events += before->events;
                total.level_updates += before->level_updates;
                total.images += before->images;
                total.gaps += before->gaps;
                total.image_bytes += before->image_bytes;
                total.change_bytes += before->change_bytes;
                if (before->events)
                        total.first_event_time_ns = before->first_event_time_ns;
        } else {
                stream->first_position = day->first_position;
        }
        stream->mark = total;
        stream->recorded = true;
}

int day_mark(struct store *store, uint32_t number, uint32_t day, struct mark_record *ret_mark,
    struct error *error)
{
        const struct store_ops *ops = store->ops;
        struct store_txn txn;
        struct bytes value;
        struct mark_record mark;
        struct archive_record archive = {0};
        int code = ops->begin(store, day, false, &txn, error);
        if (code)
                return code;
        code = ops->get(&txn, STORE_MARKS, key_mark(number), &value);
        code = code ? code : mark_read(value, &mark);
        int archived = code ? code : ops->get(&txn, STORE_MARKS, key_archive(number), &value);
        if (!code && archived != ERR_NOT_FOUND)
                code = archived ? archived : archive_read(value, &archive);
        ops->abort(&txn);
        if (code)
                return code;
        mark.images += (uint64_t)archive.images;
        mark.image_bytes += (uint64_t)archive.image_bytes;
        mark.change_bytes += (uint64_t)archive.change_bytes;
        *ret_mark = mark;
        return 0;
}

/* Days that were announced but not written, or were dropped since, are left out. */
static int read_marks(struct reader *reader, struct recon_stream *stream, struct error *error)
{
        size_t kept = 0;
        for (size_t i = 0; i < stream->day_count; i++) {
                struct mark_record mark;
                error->code = 0;
                int code = day_mark(reader->store, stream->number, stream->days[i], &mark, error);
                if (code == ERR_NOT_FOUND)
                        continue;
                if (code)
                        return error->code
                            ? code
                            : error_set(error, code, "%s:%s: its mark cannot be read: %s",
                                  stream->name.exchange, stream->name.symbol, error_name(code));
                mark_add(stream, &mark);
                stream->marks =
                    memory_resize(stream->marks, (kept + 1) * sizeof(struct mark_record));
                stream->marks[kept] = mark;
                stream->days[kept++] = stream->days[i];
        }
        stream->day_count = kept;
        return 0;
}

static int compare_streams(const void *a, const void *b)
{
        const struct recon_stream *left = a, *right = b;
        int order = strcmp(left->name.exchange, right->name.exchange);
        order = order ? order : strcmp(left->name.symbol, right->name.symbol);
        return order ? order : left->name.kind - right->name.kind;
}

int reader_open(struct reader *reader, struct store *store, struct error *error)
{
        struct store_txn meta;
        *reader = (struct reader){.store = store};
        decoder_init(&reader->decoder);
        int code = store->ops->begin(store, STORE_META, false, &meta, error);
        if (code)
                return code;
        code = read_streams(reader, &meta);
        store->ops->abort(&meta);
        if (code)
                error_set(error, code, "the list of streams cannot be read: %s", error_name(code));
        for (size_t i = 0; i < reader->stream_count && !code; i++)
                code = read_marks(reader, &reader->streams[i], error);
        if (reader->stream_count)
                qsort(reader->streams, reader->stream_count, sizeof(struct recon_stream),
                    compare_streams);
        if (code)
                reader_close(reader);
        return code;
}

void reader_close(struct reader *reader)
{
        for (size_t i = 0; i < reader->stream_count; i++) {
                free(reader->streams[i].days);
                free(reader->streams[i].marks);
        }
        free(reader->streams);
        decoder_deinit(&reader->decoder);
        *reader = (struct reader){0};
}

const struct recon_stream *reader_find(
    const struct reader *reader, const char *exchange, const char *symbol, uint8_t kind)
{
        for (size_t i = 0; i < reader->stream_count; i++) {
                const struct recon_stream *stream = &reader->streams[i];
                if (!strcmp(stream->name.exchange, exchange) &&
                    !strcmp(stream->name.symbol, symbol) && stream->name.kind == kind)
                        return stream;
        }
        return NULL;
}

static void cursor_close(struct frame_cursor *cursor)
{
        if (!cursor->open)
                return;
        cursor->reader->store->ops->done(&cursor->cursor);
        cursor->reader->store->ops->abort(&cursor->txn);
        cursor->open = false;
}

/* A database takes what a commit holds piece by piece, the mark last: what lies behind the mark
 * that the reader knows is not there yet. */
static uint64_t frames_end(const struct frame_cursor *cursor)
{
        return cursor->reader->store->ops->atomic ? UINT64_MAX : cursor->stream->mark.next_position;
}

static int cursor_take(struct frame_cursor *cursor)
{
        if ((uint64_t)cursor->cursor.key.major >= frames_end(cursor))
                return ERR_NOT_FOUND;
        cursor->position = (uint64_t)cursor->cursor.key.major;
        cursor->skip = 0;
        cursor->frame = cursor->cursor.value;
        cursor->code = frame_peek(cursor->frame, &cursor->info);
        return 0;
}

static int cursor_open(struct frame_cursor *cursor, size_t day, uint64_t position, bool back)
{
        const struct store_ops *ops = cursor->reader->store->ops;
        uint64_t end = frames_end(cursor);
        if (back && position >= end)
                position = end ? end - 1 : 0;
        struct store_key key = key_position(cursor->stream->number, position);
        cursor_close(cursor);
        int code =
            ops->begin(cursor->reader->store, cursor->stream->days[day], false, &cursor->txn, NULL);
        if (code)
                return code;
        cursor->open = true;
        cursor->day = day;
        cursor->began_ns = clock_mono_ns();
        code =
            (back ? ops->seek_back : ops->seek)(&cursor->txn, STORE_FRAMES, key, &cursor->cursor);
        if (!code && cursor->cursor.key.stream != cursor->stream->number)
                code = ERR_NOT_FOUND;
        return code ? code : cursor_take(cursor);
}

int frame_seek(struct frame_cursor *cursor, struct reader *reader,
    const struct recon_stream *stream, size_t day, uint64_t position, bool back)
{
        *cursor = (struct frame_cursor){.reader = reader, .stream = stream};
        for (;;) {
                int code = cursor_open(cursor, day, position, back);
                if (code != ERR_NOT_FOUND)
                        return code;
                if (back ? day == 0 : day + 1 >= stream->day_count)
                        return code;
                day = back ? day - 1 : day + 1;
        }
}

static int cursor_step(struct frame_cursor *cursor)
{
        int code = cursor->reader->store->ops->next(&cursor->cursor);
        if (!code && cursor->cursor.key.stream != cursor->stream->number)
                code = ERR_NOT_FOUND;
        return code ? code : cursor_take(cursor);
}

/* Come back after the transaction was given up: open frames may have been sealed meanwhile. */
static int cursor_renew(struct frame_cursor *cursor)
{
        uint64_t expected = cursor->position + (cursor->code ? 1 : frame_positions(&cursor->info));
        int code = cursor_open(cursor, cursor->day, expected, true);
        if (code)
                return code;
        uint64_t end = cursor->position + (cursor->code ? 1 : frame_positions(&cursor->info));
        if (cursor->position <= expected && end > expected) {
                cursor->skip = expected - cursor->position;
                return 0;
        }
        return cursor_step(cursor); /* by this transaction, in which nothing moves */
}

int frame_next(struct frame_cursor *cursor)
{
        bool old = clock_mono_ns() - cursor->began_ns >= TXN_AGE_NS;
        int code = old ? cursor_renew(cursor) : cursor_step(cursor);
        while (code == ERR_NOT_FOUND && cursor->day + 1 < cursor->stream->day_count)
                code = cursor_open(cursor, cursor->day + 1, 0, false);
        return code;
}

int frame_prev(struct frame_cursor *cursor)
{
        const struct store_ops *ops = cursor->reader->store->ops;
        int code = ops->prev(&cursor->cursor);
        if (!code && cursor->cursor.key.stream != cursor->stream->number)
                code = ERR_NOT_FOUND;
        code = code ? code : cursor_take(cursor);
        while (code == ERR_NOT_FOUND && cursor->day)
                code = cursor_open(cursor, cursor->day - 1, UINT64_MAX >> 1, true);
        return code;
}

void frame_done(struct frame_cursor *cursor)
{
        cursor_close(cursor);
}
