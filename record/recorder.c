/* All streams of one store: taking them up where they ended, handing over, suspending. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "record/internal.h"
#include "store/layout.h"

#define DAY_SPREAD_NS (120 * NS_PER_S) /* quiet streams enter a new day spread over this time */

const struct record_options record_defaults = {
    .seal_after_ns = 60 * NS_PER_S,
    .seal_levels = 65536,
    .image_factor = 5,
    .image_min_ns = 10 * NS_PER_S,
    .image_max_ns = 6 * 3600 * NS_PER_S,
    .queue_size = LIMIT_QUEUE_SIZE,
};

static struct past *past_new(
    struct recorder *recorder, uint32_t number, const struct stream_name *name)
{
        struct past *past = memory_new(sizeof(*past));
        past->number = number;
        past->name = *name;
        past->next = recorder->pasts;
        recorder->pasts = past;
        if (number >= recorder->next_number)
                recorder->next_number = number + 1;
        return past;
}

static int load_names(struct recorder *recorder, struct store_txn *txn)
{
        const struct store_ops *ops = txn->store->ops;
        struct store_cursor cursor;
        int code = ops->seek(txn, STORE_STREAMS, key_stream(0), &cursor);
        while (!code) {
                struct stream_name name;
                code = stream_name_read(cursor.value, &name);
                if (!code) {
                        past_new(recorder, cursor.key.stream, &name);
                        code = ops->next(&cursor);
                }
        }
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}

/* The last day that the stream was written in. */
static int load_day(struct past *past, struct store_txn *txn)
{
        const struct store_ops *ops = txn->store->ops;
        struct store_cursor cursor;
        int code = ops->seek_back(txn, STORE_DAYS, key_day(past->number, UINT32_MAX), &cursor);
        if (!code && cursor.key.stream == past->number) {
                past->recorded = true;
                past->day = (uint32_t)cursor.key.major;
        }
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}

static int load_feed(struct past *past, struct store_txn *txn)
{
        struct bytes value;
        struct epoch_record epoch;
        int code = txn->store->ops->get(
            txn, STORE_EPOCHS, key_epoch(past->number, past->mark.epoch), &value);
        if (code)
                return code == ERR_NOT_FOUND ? 0 : code;
        code = epoch_read(value, &epoch);
        if (!code)
                memcpy(past->feed, epoch.feed, sizeof(past->feed));
        return code;
}

/* The mark in past->day; a day that was announced but never committed is passed over. */
static int load_mark(struct recorder *recorder, struct past *past, struct error *error)
{
        const struct store_ops *ops = recorder->store->ops;
        struct store_txn txn;
        struct bytes value;
        int code = ops->begin(recorder->store, past->day, false, &txn, error);
        if (code)
                return code;
        code = ops->get(&txn, STORE_MARKS, key_mark(past->number), &value);
        code = code ? code : mark_read(value, &past->mark);
        if (!code && past->mark.gap_open) {
                code = ops->get(
                    &txn, STORE_GAPS, key_position(past->number, past->mark.gap_position), &value);
                code = code ? code : gap_read(value, &past->gap);
                if (code == ERR_NOT_FOUND)
                        code = ERR_CORRUPT;
        }
        if (!code && past->mark.epoch)
                code = load_feed(past, &txn);
        ops->abort(&txn);
        return code;
}

/* All days of the stream were dropped: what the newest mark of that says is where it goes on. */
static int load_pruned(struct past *past, struct store_txn *meta)
{
        const struct store_ops *ops = meta->store->ops;
        struct store_cursor cursor;
        struct gap_record gap;
        int code = ops->seek_back(meta, STORE_PRUNED, key_day(past->number, UINT32_MAX), &cursor);
        if (!code && cursor.key.stream == past->number)
                code = gap_read(cursor.value, &gap);
        else if (!code)
                code = ERR_NOT_FOUND;
        if (!code) {
                past->recorded = true;
                past->day = (uint32_t)cursor.key.major;
                past->mark = (struct mark_record){.clean = true,
                    .timed = true,
                    .next_position = gap.to_position,
                    .last_position = gap.to_position - 1,
                    .epoch = gap.epoch,
                    .last_id = gap.to_id,
                    .last_event_time_ns = gap.to_time_ns,
                    .last_receive_ns = gap.to_receive_ns,
                    .running_max_ns = gap.to_time_ns,
                    .recorded_until_ns = gap.to_time_ns,
                    .recorded_until_receive_ns = gap.to_receive_ns};
        }
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}

static int load_past(
    struct recorder *recorder, struct store_txn *meta, struct past *past, struct error *error)
{
        const struct store_ops *ops = recorder->store->ops;
        int code = load_day(past, meta);
        while (!code && past->recorded) {
                code = load_mark(recorder, past, error);
                if (code != ERR_NOT_FOUND)
                        break;
                struct store_cursor cursor;
                past->recorded = past->day &&
                    !ops->seek_back(
                        meta, STORE_DAYS, key_day(past->number, past->day - 1), &cursor) &&
                    cursor.key.stream == past->number;
                if (past->recorded)
                        past->day = (uint32_t)cursor.key.major;
                ops->done(&cursor);
                code = 0;
        }
        return code || past->recorded ? code : load_pruned(past, meta);
}

static int load_pasts(struct recorder *recorder, struct error *error)
{
        struct store_txn meta;
        int code = recorder->store->ops->begin(recorder->store, STORE_META, false, &meta, error);
        if (code)
                return code;
        code = load_names(recorder, &meta);
        for (struct past *past = recorder->pasts; past && !code; past = past->next)
                code = load_past(recorder, &meta, past, error);
        code = code ? code : symbols_load(&recorder->symbols, &meta);
        recorder->store->ops->abort(&meta);
        if (code)
                error_set(error, code,
                    "the store's streams and symbols cannot be read (%s): run obrebuild verify",
                    error_name(code));
        return code;
}

static void recorder_free(struct recorder *recorder)
{
        for (struct past *past = recorder->pasts, *next; past; past = next) {
                next = past->next;
                free(past);
        }
        symbols_deinit(&recorder->symbols);
        for (uint8_t kind = 0; kind < KINDS; kind++)
                encoder_deinit(&recorder->image_encoders[kind]);
        book_deinit(&recorder->image_book);
        free(recorder);
}

int recorder_open(struct recorder **ret_recorder, struct store *store,
    const struct record_options *options, struct error *error)
{
        struct recorder *recorder = memory_new(sizeof(*recorder));
        recorder->store = store;
        recorder->options = *options;
        recorder->next_number = 1;
        for (uint8_t kind = 0; kind < KINDS; kind++)
                encoder_init(&recorder->image_encoders[kind], encoder_method(kind));
        book_init(&recorder->image_book);
        if (!recorder->options.queue_size)
                recorder->options.queue_size = LIMIT_QUEUE_SIZE;
        int code = load_pasts(recorder, error);
        if (!code)
                code = writer_open(&recorder->writer, store, options->without_thread, error);
        if (code) {
                recorder_free(recorder);
                return code;
        }
        recorder->batch = writer_batch(recorder->writer);
        *ret_recorder = recorder;
        return 0;
}

static void put_name(struct recorder *recorder, const struct past *past)
{
        struct buffer value;
        buffer_init(&value, 4096);
        stream_name_write(&value, &past->name);
        batch_put(recorder->batch, STORE_META, STORE_STREAMS, key_stream(past->number),
            buffer_bytes(&value));
        buffer_deinit(&value);
}

static struct past *recorder_past(struct recorder *recorder, const struct stream_name *name)
{
        struct past *past = recorder->pasts;
        while (past &&
            (strcmp(past->name.exchange, name->exchange) ||
                strcmp(past->name.symbol, name->symbol) || past->name.kind != name->kind))
                past = past->next;
        bool told = past && (name->sequenced || !past->name.sequenced);
        if (!past)
                past = past_new(recorder, recorder->next_number, name);
        past->name.sequenced &= name->sequenced;
        if (!told)
                put_name(recorder, past);
        return past;
}

/* Take up the numbers where the earlier record ended, and open the gap that lies between. */
static void stream_continue(struct record_stream *stream, int64_t now_ns)
{
        struct past *past = stream->past;
        struct mark_record *mark = &stream->mark;
        uint32_t today = day_of_time(now_ns);
        *mark = past->mark;
        stream->gap = past->gap;
        mark->clean = mark->removed = false;
        if (today > past->day)
                stream_enter_day(stream, today);
        else
                stream->day = past->day;
        stream->day_known = today <= past->day;
        enum gap_cause cause = past->mark.removed ? GAP_REMOVED
            : past->mark.clean                    ? GAP_STOPPED
                                                  : GAP_CRASHED;
        if (mark->gap_open)
                stream_write_gap(stream);
        else
                stream_open_gap(stream, cause, now_ns, "");
}

static struct record_stream *stream_new(
    struct recorder *recorder, struct past *past, const struct scale *scale)
{
        struct record_stream *stream = memory_new(sizeof(*stream));
        stream->recorder = recorder;
        stream->past = past;
        stream->counts = past->counts;
        stream->scale = *scale;
        book_init(&stream->book);
        block_init(&stream->open, METHOD_PLAIN);
        block_init(&stream->sealed, encoder_method(past->name.kind));
        buffer_init(&stream->levels, 4 * (LIMIT_BOOK_LEVELS + 1) * sizeof(struct level));
        event_log_init(&stream->run.log, LIMIT_HEADLESS_SIZE);
        event_log_init(&stream->tail, LIMIT_HEADLESS_SIZE);
        stream->next = recorder->streams;
        recorder->streams = stream;
        recorder->stream_count++;
        past->stream = stream;
        return stream;
}

int record_stream_open(struct recorder *recorder, const struct stream_name *name,
    const struct scale *scale, int64_t now_ns, struct record_stream **ret_stream,
    struct error *error)
{
        if (recorder->stream_count == LIMIT_SYMBOLS)
                return error_set(error, ERR_FULL, "%s:%s: at most %d symbols are recorded",
                    name->exchange, name->symbol, LIMIT_SYMBOLS);
        struct past *past = recorder_past(recorder, name);
        if (past->stream)
                return error_set(
                    error, ERR_BUSY, "%s:%s is recorded already", name->exchange, name->symbol);
        struct record_stream *stream = stream_new(recorder, past, scale);
        if (past->recorded) {
                stream_continue(stream, now_ns);
        } else {
                stream->mark.next_position = 1;
                stream_enter_day(stream, day_of_time(now_ns));
        }
        *ret_stream = stream;
        return 0;
}

static void stream_free(struct record_stream *stream)
{
        struct recorder *recorder = stream->recorder;
        struct record_stream **link = &recorder->streams;
        while (*link != stream)
                link = &(*link)->next;
        *link = stream->next;
        recorder->stream_count--;
        stream->past->stream = NULL;
        stream->past->counts = stream->counts;
        book_deinit(&stream->book);
        block_deinit(&stream->open);
        block_deinit(&stream->sealed);
        buffer_deinit(&stream->levels);
        event_log_deinit(&stream->run.log);
        event_log_deinit(&stream->tail);
        free(stream);
}

void record_stream_close(struct record_stream *stream, int64_t now_ns, bool removed)
{
        (void)now_ns;
        if (!stream->recorder->suspended)
                stream_seal(stream);
        if (stream->day_known) {
                stream->mark.clean = true;
                stream->mark.removed = removed;
                stream_write_mark(stream);
        }
        stream_free(stream);
}

/* Midnight has passed without an event: begin the day with an image all the same, each stream at a
 * moment of its own. */
static void stream_roll_quiet(struct record_stream *stream, int64_t now_ns)
{
        uint32_t today = day_of_time(now_ns);
        int64_t spread = (int64_t)(stream->past->number * UINT32_C(2654435761) >> 16) % 1000;
        if (stream->has_book && today > stream->day &&
            now_ns - day_start_ns(today) > spread * (DAY_SPREAD_NS / 1000))
                stream_roll(stream, today, now_ns);
}

static void stream_flush(struct record_stream *stream)
{
        block_write(
            &stream->open, stream->recorder->batch, stream->day, stream->past->number, FRAME_OPEN);
        if (stream->dirty && stream->day_known)
                stream_write_mark(stream);
}

static void recorder_suspend(struct recorder *recorder, size_t waiting)
{
        log_error("store: %zu bytes wait to be written, the limit is reached: events are not "
                  "recorded until "
                  "it has drained; the gap will be stored",
            waiting);
        for (struct record_stream *stream = recorder->streams; stream; stream = stream->next)
                stream->suspended = stream->mark;
        recorder->suspended = true;
}

/* The store holds what it held when the queue ran over; from there on there is a gap. */
static void stream_resume(struct record_stream *stream, int64_t now_ns)
{
        struct mark_record *mark = &stream->mark;
        const struct mark_record *suspended = &stream->suspended;
        if (suspended->next_position) { /* else it was opened meanwhile */
                mark->gap_open = suspended->gap_open;
                mark->gaps = suspended->gaps;
                mark->epoch = suspended->epoch;
        }
        stream_seal(stream);
        if (mark->gap_open)
                stream_write_gap(stream);
        stream_open_gap(stream, GAP_OVERFLOW, now_ns, "the writer could not keep up");
        if (stream->has_book) {
                stream_begin_epoch(stream, EPOCH_GAP, now_ns);
                stream_write_image(stream, 0, now_ns, 0);
        } else {
                run_resume(stream);
        }
}

static void recorder_resume(struct recorder *recorder, int64_t now_ns)
{
        log_info("store: the queue has drained, recording again");
        recorder->suspended = false;
        for (struct record_stream *stream = recorder->streams; stream; stream = stream->next)
                stream_resume(stream, now_ns);
}

static void recorder_submit(struct recorder *recorder, int64_t now_ns)
{
        if (!recorder->batch->op_count)
                return;
        recorder->batch->handed_ns = now_ns;
        writer_submit(recorder->writer, recorder->batch);
        recorder->batch = writer_batch(recorder->writer);
}

void recorder_tick(struct recorder *recorder, int64_t now_ns)
{
        writer_retry(recorder->writer);
        size_t waiting = writer_stats(recorder->writer).queue_bytes;
        if (!waiting)
                recorder->images_waiting = 0;
        if (recorder->suspended) {
                if (waiting > recorder->options.queue_size / 2)
                        return;
                recorder_resume(recorder, now_ns);
        }
        for (struct record_stream *stream = recorder->streams; stream; stream = stream->next) {
                stream_roll_quiet(stream, now_ns);
                stream_flush(stream);
        }
        waiting += batch_bytes(recorder->batch);
        recorder->images_waiting += recorder->batch_images;
        recorder->batch_images = 0;
        recorder_submit(recorder, now_ns);
        if (waiting > recorder->options.queue_size + recorder->images_waiting)
                recorder_suspend(recorder, waiting);
}

/* Many come at once; where the clock was set back by more they stand by its new time. */
void recorder_note(struct recorder *recorder, int64_t now_ns, const struct note_record *note)
{
        struct buffer text;
        int64_t last_ns = recorder->last_note_ns;
        int64_t at_ns = now_ns <= last_ns && now_ns > last_ns - NS_PER_S ? last_ns + 1 : now_ns;
        buffer_init(&text, NOTE_SIZE);
        note_write(&text, note);
        batch_put(
            recorder->batch, day_of_time(at_ns), STORE_NOTES, key_note(at_ns), buffer_bytes(&text));
        buffer_deinit(&text);
        recorder->last_note_ns = at_ns;
}

void recorder_note_clock_step(struct recorder *recorder, int64_t now_ns, int64_t step_ns)
{
        struct note_record note = {.kind = NOTE_CLOCK_STEP, .step_ns = step_ns};
        recorder_note(recorder, now_ns, &note);
        for (struct record_stream *stream = recorder->streams; stream; stream = stream->next)
                stream->stepped = true;
}

void record_set_source(struct record_stream *stream, const char *feed, const char *note)
{
        snprintf(stream->epoch.feed, sizeof(stream->epoch.feed), "%s", feed);
        snprintf(stream->past->feed, sizeof(stream->past->feed), "%s", feed);
        snprintf(stream->epoch.note, sizeof(stream->epoch.note), "%s", note);
}

const char *record_last_feed(const struct record_stream *stream)
{
        return stream->past->feed;
}

int64_t record_last_id(const struct record_stream *stream)
{
        return stream->mark.last_position ? stream->mark.last_id : -1;
}

struct record_stats recorder_stats(struct recorder *recorder)
{
        struct writer_stats stats = writer_stats(recorder->writer);
        return (struct record_stats){
            .commits = stats.commits,
            .failed_commits = stats.failed_commits,
            .bytes_written = stats.bytes_written,
            .queue_bytes = stats.queue_bytes,
            .queue_limit = recorder->options.queue_size + recorder->images_waiting,
            .failing = stats.failing,
            .suspended = recorder->suspended,
            .waiting_since_ns = stats.waiting_since_ns,
            .latency = stats.latency,
        };
}

static void counts_add(struct record_counts *sum, const struct record_counts *counts)
{
        sum->events += counts->events;
        sum->epochs += counts->epochs;
        sum->resyncs += counts->resyncs;
        sum->corrections += counts->corrections;
        sum->differences += counts->differences;
        for (unsigned cause = 0; cause < GAP_CAUSES; cause++)
                sum->gaps[cause] += counts->gaps[cause];
}

struct record_counts recorder_counts(const struct recorder *recorder, const char *exchange)
{
        struct record_counts sum = {0};
        for (const struct past *past = recorder->pasts; past; past = past->next) {
                if (!strcmp(past->name.exchange, exchange))
                        counts_add(&sum, past->stream ? &past->stream->counts : &past->counts);
        }
        return sum;
}

const struct record_counts *record_stream_counts(const struct record_stream *stream)
{
        return &stream->counts;
}

int recorder_close(struct recorder *recorder, int64_t now_ns, int64_t wait_ns, struct error *error)
{
        while (recorder->streams)
                record_stream_close(recorder->streams, now_ns, false);
        recorder_submit(recorder, now_ns);
        int code = writer_close(recorder->writer, wait_ns, error);
        batch_free(recorder->batch);
        recorder_free(recorder);
        return code;
}

void recorder_abandon(struct recorder *recorder)
{
        struct error error;
        while (recorder->streams)
                stream_free(recorder->streams);
        (void)writer_close(recorder->writer, 0, &error);
        batch_free(recorder->batch);
        recorder_free(recorder);
}

bool record_has_book(const struct record_stream *stream)
{
        return stream->has_book;
}

const struct book *record_book(const struct record_stream *stream)
{
        return &stream->book;
}

const struct scale *record_scale(const struct record_stream *stream)
{
        return &stream->scale;
}

uint32_t record_number(const struct record_stream *stream)
{
        return stream->past->number;
}

const struct gap_record *record_last_gap(const struct record_stream *stream)
{
        return &stream->gap;
}

uint32_t record_epoch(const struct record_stream *stream)
{
        return stream->mark.epoch;
}

uint64_t record_gap_count(const struct record_stream *stream)
{
        return stream->gap_total;
}
