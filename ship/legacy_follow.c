#include "ship/legacy_follow.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bson/bson.h>

#include "base/clock.h"
#include "ship/legacy_document.h"

#define BATCH_DOCUMENTS 1000
#define BATCH_SIZE (4u << 20)
#define SNAPSHOT_NS (3600 * NS_PER_S)
#define TRADES_AT_ONCE 4096
#define TRADES_LIMIT (1u << 20) /* of one update */

void legacy_batch_init(struct legacy_batch *batch)
{
        *batch = (struct legacy_batch){0};
}

static void batch_clear(struct legacy_batch *batch)
{
        for (size_t i = 0; i < batch->count; i++)
                bson_destroy(batch->documents[i]);
        batch->count = batch->size = 0;
        batch->more = false;
}

void legacy_batch_deinit(struct legacy_batch *batch)
{
        batch_clear(batch);
        free(batch->documents);
        *batch = (struct legacy_batch){0};
}

static void batch_add(struct legacy_batch *batch, bson_t *document)
{
        if (batch->count == batch->capacity) {
                batch->capacity = batch->capacity ? 2 * batch->capacity : 64;
                batch->documents =
                    memory_resize(batch->documents, batch->capacity * sizeof(bson_t *));
        }
        batch->documents[batch->count++] = document;
        batch->size += document->len;
}

void legacy_collection(const struct stream_name *name, char ret_collection[META_SYMBOL_SIZE])
{
        snprintf(ret_collection, META_SYMBOL_SIZE, "%s", name->symbol);
        for (char *c = ret_collection; *c; c++)
                *c = (char)tolower((unsigned char)*c);
}

/* Before (-1), at (0) or behind (1) the place that is written. */
static int place_of(uint32_t epoch, int64_t id, uint32_t epoch_written, int64_t id_written)
{
        if (epoch != epoch_written)
                return epoch < epoch_written ? -1 : 1;
        return (id > id_written) - (id < id_written);
}

/* ---- trades ---- */

struct tape {
        const struct legacy_state *from;
        struct legacy_trade *trades;
        size_t count, limit;
        bool cut; /* there are more */
};

static int trade_cb(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        struct tape *tape = user;
        (void)befores, (void)book;
        if (!event_is_trade(event) ||
            place_of(epoch, event->last_id, tape->from->trade_epoch, tape->from->trade_id) <= 0)
                return 0;
        if (tape->count == tape->limit) {
                tape->cut = true;
                return ERR_STOPPED;
        }
        enum side maker = event->count[SIDE_BID] ? SIDE_BID : SIDE_ASK;
        tape->trades[tape->count++] =
            (struct legacy_trade){event->receive_time_ns, event->event_time_ns, epoch,
                event->last_id, maker == SIDE_ASK, event->levels[maker][0], *scale};
        return 0;
}

static int read_tape(struct reader *reader, const struct recon_stream *levels, struct tape *tape,
    struct error *error)
{
        const struct recon_stream *stream =
            reader_find(reader, levels->name.exchange, levels->name.symbol, KIND_TRADES);
        struct replay_callbacks callbacks = {
            .event_cb = trade_cb, .pass_cb = trade_cb, .user = tape};
        struct replay_options options = {INT64_MIN, INT64_MAX, CLOCK_EXCHANGE};
        if (!stream || !stream->recorded)
                return 0;
        if (tape->from->trade_epoch)
                options.from_ns = tape->from->trade_time_ns;
        int code = recon_replay(reader, stream, &options, &callbacks, error);
        return code == ERR_STOPPED ? 0 : code;
}

/* ---- levels ---- */

struct follow {
        const struct recon_stream *stream;
        const char *recorder;
        const struct legacy_state *from;
        struct legacy_batch *batch;
        const struct gap_list *gaps;
        const struct tape *tape;
        size_t taken;       /* trades */
        struct book before; /* as it stands before the next event, where known */
        bool known;
        bool pending; /* an image came since the last event ... */
        bool differs; /* ... that was not what the events had led to */
};

/* What lies between the last event written and this epoch. NULL: a change of scale, or nothing. */
static const char *gap_before(const struct follow *follow, uint32_t epoch)
{
        uint32_t written = follow->batch->state.epoch;
        for (size_t i = 0; written && i < follow->gaps->count; i++) {
                const struct gap_record *gap = &follow->gaps->gaps[i];
                if (gap->epoch >= written && gap->epoch < epoch)
                        return gap_cause_name(gap->cause);
        }
        return NULL;
}

static struct legacy_head head_of(
    const struct follow *follow, const struct event *event, uint32_t epoch)
{
        return (struct legacy_head){.name = &follow->stream->name,
            .recorder = follow->recorder,
            .stream = follow->stream->number,
            .epoch = epoch,
            .first_id = event->first_id,
            .last_id = event->last_id,
            .event_time_ns = event->event_time_ns,
            .receive_time_ns = event->receive_time_ns};
}

/* A book that holds from, or since, @event. */
static void add_snapshot(struct follow *follow, const struct event *event, uint32_t epoch,
    const struct book *book, const struct scale *scale, const char *gap)
{
        struct legacy_head head = head_of(follow, event, epoch);
        head.first_id = head.last_id = book->id;
        head.gap = gap;
        batch_add(follow->batch, legacy_snapshot(&head, book, scale));
        follow->batch->state.snapshot_ns = event->receive_time_ns;
}

/* Trades up to the event's receipt belong to it. */
static void add_update(struct follow *follow, const struct event *event, uint32_t epoch,
    const struct book *book, const struct scale *scale)
{
        const struct tape *tape = follow->tape;
        struct legacy_state *state = &follow->batch->state;
        struct legacy_head head = head_of(follow, event, epoch);
        size_t count = 0, taken = 0;
        const struct legacy_trade *trades = tape->trades + follow->taken;
        while (follow->taken + count < tape->count &&
            trades[count].receive_time_ns <= event->receive_time_ns)
                count++;
        bson_t *document = legacy_update(&head, event, scale, trades, count, &taken);
        if (!document) {
                add_snapshot(follow, event, epoch, book, scale, NULL);
                return;
        }
        batch_add(follow->batch, document);
        follow->taken += taken;
        if (taken) {
                state->trade_epoch = trades[taken - 1].epoch;
                state->trade_id = trades[taken - 1].id;
                state->trade_time_ns = trades[taken - 1].event_time_ns;
        }
}

/* Trades that were not read yet may belong to the event; but once very many wait, some come late.
 */
static bool is_full(const struct follow *follow, const struct event *event)
{
        const struct legacy_batch *batch = follow->batch;
        const struct tape *tape = follow->tape;
        bool cut = tape->cut && tape->limit < TRADES_LIMIT &&
            event->receive_time_ns > tape->trades[tape->count - 1].receive_time_ns;
        return cut || batch->count >= BATCH_DOCUMENTS || batch->size >= BATCH_SIZE;
}

/* Written already: the book behind it is what the next image is compared with. */
static void pass_event(struct follow *follow, const struct book *book, bool last)
{
        follow->pending = false;
        if (last)
                book_copy(&follow->before, book);
}

static int event_cb(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        struct follow *follow = user;
        struct legacy_state *state = &follow->batch->state;
        int place = place_of(epoch, event->last_id, follow->from->epoch, follow->from->last_id);
        (void)befores;
        if (place <= 0) {
                pass_event(follow, book, place == 0);
                return 0;
        }
        if (is_full(follow, event)) {
                follow->batch->more = true;
                return ERR_STOPPED;
        }
        bool begins = epoch != state->epoch;
        if (follow->pending && (begins || follow->differs))
                add_snapshot(follow, event, epoch, &follow->before, scale,
                    begins ? gap_before(follow, epoch) : NULL);
        add_update(follow, event, epoch, book, scale);
        if (event->receive_time_ns - state->snapshot_ns >= SNAPSHOT_NS)
                add_snapshot(follow, event, epoch, book, scale, NULL);
        state->epoch = epoch;
        state->last_id = event->last_id;
        state->event_time_ns = event->event_time_ns;
        follow->pending = false;
        follow->known = !book_apply(&follow->before, event);
        return 0;
}

static void image_cb(const struct book *book, const struct scale *scale, void *user)
{
        struct follow *follow = user;
        (void)scale;
        follow->differs = follow->pending ? follow->differs : false;
        follow->differs |= !follow->known || !book_equal(&follow->before, book);
        follow->pending = true;
        book_copy(&follow->before, book);
        follow->known = true;
}

/* Only a later epoch than the written one can have a gap before it. */
static int read_gaps(struct reader *reader, const struct recon_stream *levels,
    const struct legacy_state *from, struct gap_list *ret_gaps)
{
        *ret_gaps = (struct gap_list){0};
        return levels->mark.epoch > from->epoch ? recon_gaps(reader, levels, ret_gaps) : 0;
}

static int follow_levels(struct reader *reader, struct follow *follow, struct error *error)
{
        struct replay_callbacks callbacks = {event_cb, event_cb, image_cb, follow};
        struct replay_options options = {INT64_MIN, INT64_MAX, CLOCK_EXCHANGE};
        if (follow->from->epoch)
                options.from_ns = follow->from->event_time_ns;
        follow->batch->state = *follow->from;
        book_init(&follow->before);
        int code = recon_replay(reader, follow->stream, &options, &callbacks, error);
        book_deinit(&follow->before);
        return code == ERR_STOPPED ? 0 : code;
}

static int follow_with_tape(
    struct reader *reader, struct follow *follow, size_t limit, struct error *error)
{
        struct tape tape = {.from = follow->from, .limit = limit};
        tape.trades = memory_new(limit * sizeof(*tape.trades));
        follow->tape = &tape;
        int code = read_tape(reader, follow->stream, &tape, error);
        code = code ? code : follow_levels(reader, follow, error);
        free(tape.trades);
        return code;
}

int legacy_follow(struct reader *reader, const struct recon_stream *levels, const char *recorder,
    const struct legacy_state *from, struct legacy_batch *ret_batch, struct error *error)
{
        struct gap_list gaps;
        int code = read_gaps(reader, levels, from, &gaps);
        if (code)
                return error_set(error, code, "%s:%s: its gaps cannot be read: %s",
                    levels->name.exchange, levels->name.symbol, error_name(code));
        size_t limit = TRADES_AT_ONCE;
        do { /* more trades may lie before the next update than were read */
                struct follow follow = {.stream = levels,
                    .recorder = recorder,
                    .from = from,
                    .batch = ret_batch,
                    .gaps = &gaps};
                batch_clear(ret_batch);
                code = follow_with_tape(reader, &follow, limit, error);
                limit *= 4;
        } while (!code && ret_batch->more && !ret_batch->count && limit <= TRADES_LIMIT);
        gap_list_deinit(&gaps);
        return code;
}
