/* One stream: its events, images, gaps and days, put into the batch in hand. */
#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "record/internal.h"
#include "store/layout.h"

#define TRADE_IMAGE_LEVELS 10000 /* trades have no book: as if it had so many */

/* Nothing reaches the store while the queue runs over: the gap covers it. */
static bool stream_is_muted(const struct record_stream *stream)
{
        return stream->recorder->suspended;
}

static struct batch *stream_batch(struct record_stream *stream)
{
        return stream->recorder->batch;
}

static uint32_t stream_number(const struct record_stream *stream)
{
        return stream->past->number;
}

static void stream_put(struct record_stream *stream, enum store_table table, struct store_key key,
    const struct buffer *value)
{
        uint32_t place = store_table_is_meta(table) ? STORE_META : stream->day;
        batch_put(stream_batch(stream), place, table, key, buffer_bytes(value));
}

/* Make the store know of the stream's day before its first frame there. */
static void stream_touch_day(struct record_stream *stream)
{
        stream->dirty = true;
        if (stream->day_known)
                return;
        struct buffer empty = {0};
        stream_put(stream, STORE_DAYS, key_day(stream_number(stream), stream->day), &empty);
        stream->day_known = true;
}

void stream_seal(struct record_stream *stream)
{
        struct block *sealed = &stream->sealed;
        block_clear(&stream->open);
        if (!sealed->info.events)
                return;
        const struct frame_info *info = &sealed->info;
        batch_erase(stream_batch(stream), stream->day, stream_number(stream), sealed->position,
            stream->mark.next_position - 1, frame_time_key(info), stream->mark.running_max_ns);
        block_write(sealed, stream_batch(stream), stream->day, stream_number(stream), 0);
        stream->dirty = true;
}

void stream_write_mark(struct record_stream *stream)
{
        stream->dirty = false;
        stream->past->recorded = true;
        stream->past->day = stream->day;
        stream->past->mark = stream->mark;
        stream->past->gap = stream->gap;
        if (!stream_is_muted(stream))
                batch_mark(stream_batch(stream), stream->day, stream_number(stream), &stream->mark);
}

void stream_write_gap(struct record_stream *stream)
{
        struct buffer value;
        if (stream_is_muted(stream))
                return;
        buffer_init(&value, 4096);
        gap_write(&value, &stream->gap);
        stream_touch_day(stream);
        stream_put(stream, STORE_GAPS,
            key_position(stream_number(stream), stream->mark.gap_position), &value);
        buffer_deinit(&value);
}

static void stream_write_epoch(struct record_stream *stream)
{
        struct buffer value;
        if (stream_is_muted(stream))
                return;
        buffer_init(&value, 4096);
        epoch_write(&value, &stream->epoch);
        stream_touch_day(stream);
        stream_put(
            stream, STORE_EPOCHS, key_epoch(stream_number(stream), stream->mark.epoch), &value);
        buffer_deinit(&value);
}

void stream_begin_epoch(
    struct record_stream *stream, enum epoch_cause cause, int64_t receive_time_ns)
{
        struct epoch_record *epoch = &stream->epoch; /* its source stays */
        epoch->cause = stream->mark.epoch ? cause : EPOCH_FIRST;
        epoch->position = stream->mark.next_position;
        epoch->image_id = stream->book.id;
        epoch->receive_time_ns = receive_time_ns;
        epoch->scale = stream->scale;
        stream->mark.epoch++;
        stream_write_epoch(stream);
}

static struct frame_info image_info(const struct record_stream *stream, uint32_t flags,
    int64_t receive_time_ns, uint32_t corrections)
{
        const struct mark_record *mark = &stream->mark;
        int64_t time_ns = mark->timed ? mark->running_max_ns : receive_time_ns;
        struct frame_info info = {
            .kind = FRAME_IMAGE,
            .method = encoder_method(stream->past->name.kind),
            .flags = flags | (mark->timed ? FRAME_TIMED : 0),
            .scale = stream->scale,
            .epoch = mark->epoch,
            .segment = mark->next_position,
            .events = 1,
            .corrections = corrections,
            .first_id = stream->book.id,
            .last_id = stream->book.id,
            .first_event_time_ns = time_ns,
            .last_event_time_ns = time_ns,
            .min_event_time_ns = time_ns,
            .max_event_time_ns = time_ns,
            .running_max_ns = mark->timed ? mark->running_max_ns : 0,
            .first_receive_time_ns = receive_time_ns,
            .last_receive_time_ns = receive_time_ns,
            .level_updates = (uint32_t)book_size(&stream->book),
        };
        for (enum side s = 0; s < SIDES; s++) {
                if (stream->book.bounded[s])
                        info.flags |= (uint32_t)FRAME_BOUNDED_BID << s;
                info.horizon[s] = stream->book.horizon[s];
        }
        return info;
}

/* A frame at the next position, its block being put into the arena between the two. */
static void stream_begin_frame(struct record_stream *stream, const struct frame_info *info)
{
        stream_touch_day(stream);
        batch_begin_frame(stream_batch(stream), stream->day, stream_number(stream),
            stream->mark.next_position, info);
}

static void stream_end_frame(struct record_stream *stream)
{
        struct batch *batch = stream_batch(stream);
        batch_end_frame(batch);
        stream->mark.next_position++;
        stream->recorder->batch_images += batch->ops[batch->op_count - 1].size;
}

void stream_write_image(
    struct record_stream *stream, uint32_t flags, int64_t receive_time_ns, uint32_t corrections)
{
        struct recorder *recorder = stream->recorder;
        stream->scale_used = true;
        stream->updates_since_image = 0;
        stream->image_receive_ns = receive_time_ns;
        if (stream_is_muted(stream))
                return;
        stream_seal(stream);
        struct frame_info info = image_info(stream, flags, receive_time_ns, corrections);
        stream->segment = stream->mark.next_position;
        stream_begin_frame(stream, &info);
        encoder_image(&recorder->image_encoders[stream->past->name.kind], &stream->book, &info,
            &stream->levels, &recorder->image_book, &stream_batch(stream)->arena);
        stream_end_frame(stream);
        stream->mark.images++;
        block_reset(&stream->sealed);
}

/* The levels of one side that @now has otherwise than @before, best first. */
static uint32_t side_changes(
    const struct book *before, const struct book *now, enum side side, struct level *ret_levels)
{
        struct book_cursor at_old = {0}, at_new = {0};
        struct level old, new;
        uint32_t count = 0;
        bool has_old = book_next(before, side, &at_old, &old);
        bool has_new = book_next(now, side, &at_new, &new);
        while (has_old || has_new) {
                bool gone =
                    has_old && (!has_new || book_key(side, old.price) < book_key(side, new.price));
                bool same = has_old && has_new && old.price == new.price;
                if (gone)
                        ret_levels[count++] = (struct level){old.price, 0};
                else if (!same || old.quantity != new.quantity)
                        ret_levels[count++] = new;
                if (gone || same)
                        has_old = book_next(before, side, &at_old, &old);
                if (!gone)
                        has_new = book_next(now, side, &at_new, &new);
        }
        return count;
}

/* What turns the stream's book into @now, as one event. false: a whole image is smaller, or it
 * would be no event that the book has room for. */
static bool repair_event(
    struct record_stream *stream, const struct book *now, struct event *ret_event)
{
        size_t all = book_count(now, SIDE_BID) + book_count(now, SIDE_ASK), changed = 0;
        struct level *levels;
        buffer_clear(&stream->levels);
        for (enum side s = 0; s < SIDES; s++)
                all += book_count(&stream->book, s);
        levels = (struct level *)(void *)buffer_reserve(
            &stream->levels, (all + 1) * sizeof(struct level));
        for (enum side s = 0; s < SIDES; s++) {
                ret_event->levels[s] = levels + changed;
                ret_event->count[s] = side_changes(&stream->book, now, s, levels + changed);
                changed += ret_event->count[s];
        }
        return changed <= book_count(now, SIDE_BID) + book_count(now, SIDE_ASK) &&
            !book_room(&stream->book, ret_event);
}

static void stream_take_horizon(struct record_stream *stream, const struct book *now)
{
        for (enum side s = 0; s < SIDES; s++) {
                stream->book.bounded[s] = now->bounded[s];
                stream->book.horizon[s] = now->horizon[s];
        }
}

void stream_write_repair(struct record_stream *stream, const struct book *now,
    int64_t receive_time_ns, uint32_t corrections)
{
        struct event event = {.receive_time_ns = receive_time_ns};
        if (stream_is_muted(stream) || now->by_order || !repair_event(stream, now, &event)) {
                book_copy(&stream->book, now);
                stream_write_image(
                    stream, FRAME_SYNC | FRAME_CORRECTION, receive_time_ns, corrections);
                return;
        }
        stream_seal(stream);
        stream_take_horizon(stream, now);
        stream->book.id = now->id;
        struct frame_info info = image_info(stream, FRAME_SYNC, receive_time_ns, corrections);
        info.kind = FRAME_REPAIR;
        info.segment = stream->segment;
        info.level_updates = event_level_count(&event);
        event.event_time_ns = info.first_event_time_ns;
        event.first_id = event.last_id = info.last_id;
        struct encoder *encoder = stream->sealed.encoder;
        encoder_begin(encoder, &stream->scale, &event);
        encoder_add(encoder, &stream->book, &event);
        stream_begin_frame(stream, &info);
        encoder_finish(encoder, &stream_batch(stream)->arena);
        stream_end_frame(stream);
        stream->updates_since_image += info.level_updates;
}

/* Leave one day and begin the next one, whole in itself. A stream without a book stays in its day
 * until the image comes. */
void stream_enter_day(struct record_stream *stream, uint32_t day)
{
        struct mark_record *mark = &stream->mark;
        if (stream->day_known) {
                stream_seal(stream);
                stream_write_mark(stream);
        }
        stream->day = day;
        stream->day_known = false;
        mark->first_position = mark->next_position;
        mark->events = mark->level_updates = mark->images = mark->gaps = 0;
        mark->image_bytes = mark->change_bytes = 0;
        mark->first_event_time_ns = 0;
}

/* An image from our own book opens the day; the epoch goes on, its record is repeated there. */
void stream_roll(struct record_stream *stream, uint32_t day, int64_t receive_time_ns)
{
        stream_enter_day(stream, day);
        if (stream->mark.gap_open)
                stream_write_gap(stream);
        stream->epoch.position = stream->mark.next_position;
        stream_write_epoch(stream);
        stream_write_image(stream, 0, receive_time_ns, 0);
}

static void stream_cut(struct record_stream *stream, const struct event *event)
{
        const struct record_options *options = &stream->recorder->options;
        const struct frame_info *info = &stream->sealed.info;
        if (info->events &&
            (event->receive_time_ns - info->first_receive_time_ns >= options->seal_after_ns ||
                info->level_updates + event_update_count(event) > options->seal_levels))
                stream_seal(stream);
}

static void mark_count(struct mark_record *mark, const struct event *event)
{
        if (!mark->events)
                mark->first_event_time_ns = event->event_time_ns;
        mark->events++;
        mark->level_updates += event_update_count(event);
        mark->next_position++;
}

static void mark_advance_time(struct mark_record *mark, const struct event *event)
{
        if (!mark->timed || event->event_time_ns > mark->running_max_ns)
                mark->running_max_ns = event->event_time_ns;
        if (mark->running_max_ns - event->event_time_ns > mark->fall_back_ns)
                mark->fall_back_ns = mark->running_max_ns - event->event_time_ns;
        mark->timed = true;
}

/* Encode @event at the next position into the block that is to be sealed; a live one is applied to
 * the book in the same pass. */
static void stream_encode(
    struct record_stream *stream, const struct block_start *start, const struct event *event)
{
        struct block *sealed = &stream->sealed;
        if (!block_add(sealed, start, event, &stream->book))
                return;
        stream_seal(stream);
        int code = block_add(sealed, start, event, &stream->book);
        assert(!code); /* LIMIT_EVENT_LEVELS of the worst levels fit into a block */
        (void)code;
}

static struct block_start block_start_at(const struct record_stream *stream, uint8_t kind)
{
        const struct mark_record *mark = &stream->mark;
        return (struct block_start){kind, &stream->scale, mark->epoch, stream->segment,
            mark->next_position, mark->timed, mark->running_max_ns};
}

/* Encode it into the open block too, and count it. */
static void stream_count(
    struct record_stream *stream, const struct block_start *start, const struct event *event)
{
        block_add(&stream->open, start, event, NULL);
        stream_touch_day(stream);
        mark_count(&stream->mark, event);
        mark_advance_time(&stream->mark, event);
}

void stream_add_headless(struct record_stream *stream, const struct event *event)
{
        stream->scale_used = true;
        if (stream_is_muted(stream))
                return;
        stream_cut(stream, event);
        struct block_start start = block_start_at(stream, FRAME_HEADLESS);
        stream_encode(stream, &start, event);
        stream_count(stream, &start, event);
}

static bool image_is_due(const struct record_stream *stream, const struct event *event)
{
        const struct record_options *options = &stream->recorder->options;
        int64_t age = event->receive_time_ns - stream->image_receive_ns;
        uint64_t levels =
            stream->past->name.kind == KIND_TRADES ? TRADE_IMAGE_LEVELS : book_size(&stream->book);
        if (age >= options->image_max_ns)
                return true;
        return age >= options->image_min_ns &&
            stream->updates_since_image > options->image_factor * levels;
}

/* When ids are missing, nothing is known after the last good event: a living connection may have
 * carried a dead stream. When the logger ended, the book is good for as long as the connection was
 * proved alive. */
static bool gap_begins_at_event(enum gap_cause cause)
{
        return cause == GAP_SEQUENCE || cause == GAP_DISCONNECT || cause == GAP_CROSSED ||
            cause == GAP_SILENT;
}

static int64_t gap_begin(const struct mark_record *mark, enum gap_cause cause)
{
        return gap_begins_at_event(cause) ? mark->last_event_time_ns : mark->recorded_until_ns;
}

static int64_t gap_begin_receive(const struct mark_record *mark, enum gap_cause cause)
{
        return gap_begins_at_event(cause) ? mark->last_receive_ns : mark->recorded_until_receive_ns;
}

void stream_open_gap(
    struct record_stream *stream, enum gap_cause cause, int64_t now_ns, const char *detail)
{
        struct mark_record *mark = &stream->mark;
        if (mark->gap_open || !mark->epoch)
                return;
        stream->gap = (struct gap_record){.cause = (uint8_t)cause,
            .open = true,
            .epoch = mark->epoch,
            .from_id = mark->last_id,
            .from_time_ns = mark->last_position ? gap_begin(mark, cause) : now_ns,
            .from_receive_ns = mark->last_position ? gap_begin_receive(mark, cause) : now_ns,
            .from_position = mark->last_position};
        snprintf(stream->gap.detail, sizeof(stream->gap.detail), "%s", detail ? detail : "");
        mark->gap_open = true;
        mark->gap_position = mark->next_position;
        mark->gaps++;
        stream->gap_total++;
        stream->counts.gaps[cause]++;
        stream_write_gap(stream);
}

/* The first event of the new epoch: after it the book is exact again. */
static void stream_close_gap(struct record_stream *stream, const struct event *event)
{
        struct mark_record *mark = &stream->mark;
        struct gap_record *gap = &stream->gap;
        gap->open = false;
        gap->to_id = event->last_id;
        gap->to_time_ns = event->event_time_ns;
        gap->to_receive_ns = event->receive_time_ns;
        gap->to_position = mark->next_position;
        stream_write_gap(stream);
        mark->gap_open = false;
}

static int64_t later(int64_t a, int64_t b)
{
        return a > b ? a : b;
}

static void mark_good_event(struct mark_record *mark, const struct event *event, uint64_t position)
{
        int64_t until = mark->last_position ? mark->recorded_until_ns : event->event_time_ns;
        mark->last_position = position;
        mark->last_id = event->last_id;
        mark->last_event_time_ns = event->event_time_ns;
        mark->last_receive_ns = event->receive_time_ns;
        mark->recorded_until_ns = later(until, event->event_time_ns);
        mark->recorded_until_receive_ns =
            later(mark->recorded_until_receive_ns, event->receive_time_ns);
}

/* The exchange's clock goes on as ours does since its last word, unless ours stepped since. */
void record_alive(struct record_stream *stream, int64_t receive_time_ns)
{
        struct mark_record *mark = &stream->mark;
        if (!stream->has_book || mark->gap_open || !mark->last_position ||
            stream_is_muted(stream) || receive_time_ns <= mark->recorded_until_receive_ns)
                return;
        int64_t silence = receive_time_ns - mark->last_receive_ns;
        mark->recorded_until_receive_ns = receive_time_ns;
        if (!stream->stepped)
                mark->recorded_until_ns =
                    later(mark->recorded_until_ns, mark->last_event_time_ns + silence);
        stream->dirty = true;
}

/* In an auction bids and asks may cross. */
static bool stream_is_crossed(const struct record_stream *stream)
{
        return !stream->auction && book_is_crossed(&stream->book);
}

static bool stream_is_crossed_by(const struct record_stream *stream, const struct event *event)
{
        return !stream->auction && book_order_crosses(&stream->book, event->order);
}

/* Apply an event to the book and record it; the book has room. ERR_GAP: it crossed the book, and is
 * not recorded. */
static int stream_add(struct record_stream *stream, const struct event *event)
{
        uint64_t position = stream->mark.next_position;
        stream_cut(stream, event);
        struct block_start start = block_start_at(stream, FRAME_CHANGES);
        if (event->type == TYPE_ORDER && stream_is_crossed_by(stream, event))
                return ERR_GAP;
        stream_encode(stream, &start, event);
        if (event->type == TYPE_LEVELS && stream_is_crossed(stream)) {
                block_undo(&stream->sealed);
                return ERR_GAP;
        }
        if (stream->mark.gap_open)
                stream_close_gap(stream, event);
        stream_count(stream, &start, event);
        mark_good_event(&stream->mark, event, position);
        return 0;
}

/* While the queue runs over only the book goes on. */
static int stream_apply(struct record_stream *stream, const struct event *event)
{
        book_apply(&stream->book, event);
        return stream_is_crossed(stream) ? ERR_GAP : 0;
}

void stream_count_event(struct record_stream *stream, const struct event *event)
{
        if (stream_is_muted(stream))
                return;
        stream->counts.events++;
        latency_note(&stream_batch(stream)->latency, event->receive_time_ns);
}

int stream_add_event(struct record_stream *stream, const struct event *event)
{
        bool muted = stream_is_muted(stream);
        uint32_t day = day_of_time(event->receive_time_ns);
        if (day > stream->day && !muted)
                stream_roll(stream, day, event->receive_time_ns);
        if (book_room(&stream->book, event))
                return ERR_FULL;
        stream->scale_used = true;
        int code = muted ? stream_apply(stream, event) : stream_add(stream, event);
        if (code)
                return code;
        stream->stepped = false;
        stream->updates_since_image += event_update_count(event);
        if (stream->tail_kept && event_log_append(&stream->tail, event))
                stream->tail_kept = false;
        if (image_is_due(stream, event))
                stream_write_image(stream, 0, event->receive_time_ns, 0);
        return 0;
}

int record_event(struct record_stream *stream, const struct event *event)
{
        int code = stream_add_event(stream, event);
        if (!code)
                stream_count_event(stream, event);
        return code;
}
