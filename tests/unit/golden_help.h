/* The golden store: a small record made by hand that has every kind of value, flag and escape in
 * it. */
#ifndef TESTS_UNIT_GOLDEN_HELP_H
#define TESTS_UNIT_GOLDEN_HELP_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "book/book.h"
#include "codec/frame.h"
#include "codec/meta.h"
#include "codec/plain.h"
#include "store/layout.h"

#define GOLDEN_DAY 20777u /* 2026-11-20 */
#define GOLDEN_LEVELS 64

struct golden_row {
        uint32_t place;
        enum store_table table;
        struct store_key key;
        struct bytes value; /* borrowed */
};

typedef void (*golden_row_cb)(const struct golden_row *row, void *user);

static const char *const golden_tables[STORE_TABLES] = {"info", "streams", "days", "pruned",
    "sinks", "symbols", "audits", "frames", "times", "epochs", "gaps", "marks", "notes"};

/* ---- making ---- */

/* An event with room for its levels. */
struct golden_event {
        struct event event;
        struct level levels[SIDES][GOLDEN_LEVELS];
};

struct golden {
        golden_row_cb row_cb;
        void *user;
        struct frame_packer packer;
        struct plain_encoder encoder;
        struct buffer block, value;
        struct book book;
        struct scale scale;
        struct mark_record mark;
        uint32_t stream, day;
        uint64_t segment;
        struct golden_event events[80];
        unsigned event_count; /* of the frame in the making */
};

static inline void golden_put(struct golden *golden, uint32_t place, enum store_table table,
    struct store_key key, struct bytes value)
{
        struct golden_row row = {place, table, key, value};
        golden->row_cb(&row, golden->user);
}

/* Put what was written to golden->value. */
static inline void golden_put_value(
    struct golden *golden, uint32_t place, enum store_table table, struct store_key key)
{
        golden_put(golden, place, table, key, buffer_bytes(&golden->value));
        buffer_clear(&golden->value);
}

static inline struct golden_event *golden_event(struct golden *golden, int64_t event_time_ns,
    int64_t delay_ns, int64_t first_id, int64_t last_id)
{
        struct golden_event *to = &golden->events[golden->event_count++];
        *to = (struct golden_event){.event = {.event_time_ns = event_time_ns,
                                        .receive_time_ns = event_time_ns + delay_ns,
                                        .first_id = first_id,
                                        .last_id = last_id}};
        for (enum side s = 0; s < SIDES; s++)
                to->event.levels[s] = to->levels[s];
        return to;
}

static inline void golden_level(
    struct golden_event *to, enum side side, int64_t price, int64_t quantity)
{
        to->levels[side][to->event.count[side]++] = (struct level){price, quantity};
}

static inline int64_t golden_later(int64_t a, int64_t b)
{
        return a > b ? a : b;
}

static inline void golden_note_time(struct mark_record *mark, int64_t time_ns)
{
        mark->running_max_ns = mark->timed ? golden_later(mark->running_max_ns, time_ns) : time_ns;
        mark->fall_back_ns = golden_later(mark->fall_back_ns, mark->running_max_ns - time_ns);
        mark->timed = true;
}

static inline void golden_count(struct mark_record *mark, const struct event *event, uint8_t kind)
{
        if (!mark->events++)
                mark->first_event_time_ns = event->event_time_ns;
        mark->level_updates += event_level_count(event);
        golden_note_time(mark, event->event_time_ns);
        if (kind == FRAME_CHANGES) {
                mark->last_position = mark->next_position;
                mark->last_id = event->last_id;
                mark->last_event_time_ns = event->event_time_ns;
                mark->last_receive_ns = event->receive_time_ns;
                mark->recorded_until_ns =
                    golden_later(mark->recorded_until_ns, event->event_time_ns);
                mark->recorded_until_receive_ns =
                    golden_later(mark->recorded_until_receive_ns, event->receive_time_ns);
        }
        mark->next_position++;
}

static inline void golden_sum(struct frame_info *info, const struct event *event)
{
        if (!info->events++) {
                info->first_id = event->first_id;
                info->first_event_time_ns = info->min_event_time_ns = info->max_event_time_ns =
                    event->event_time_ns;
                info->first_receive_time_ns = event->receive_time_ns;
        }
        info->level_updates += event_level_count(event);
        info->last_id = event->last_id;
        info->last_event_time_ns = event->event_time_ns;
        info->last_receive_time_ns = event->receive_time_ns;
        info->max_event_time_ns = golden_later(info->max_event_time_ns, event->event_time_ns);
        if (event->event_time_ns < info->min_event_time_ns)
                info->min_event_time_ns = event->event_time_ns;
}

static inline struct frame_info golden_info(
    const struct golden *golden, uint8_t kind, uint32_t flags)
{
        const struct mark_record *mark = &golden->mark;
        return (struct frame_info){.kind = kind,
            .flags = flags | (mark->timed ? FRAME_TIMED : 0),
            .scale = golden->scale,
            .epoch = mark->epoch,
            .segment = kind == FRAME_IMAGE ? mark->next_position : golden->segment,
            .running_max_ns = mark->timed ? mark->running_max_ns : 0};
}

static inline void golden_put_frame(
    struct golden *golden, const struct frame_info *info, uint64_t position)
{
        int64_t top = info->flags & FRAME_TIMED ? info->running_max_ns : INT64_MIN;
        plain_finish(&golden->encoder, &golden->block);
        if (frame_write(&golden->packer, info, buffer_bytes(&golden->block), &golden->value))
                abort();
        buffer_clear(&golden->block);
        uint64_t *bytes =
            info->kind == FRAME_IMAGE ? &golden->mark.image_bytes : &golden->mark.change_bytes;
        *bytes += golden->value.size;
        golden_put_value(golden, golden->day, STORE_FRAMES, key_position(golden->stream, position));
        golden_put_value(golden, golden->day, STORE_TIMES, key_time(golden->stream, top, position));
}

/* The frame of the events made since the last one. */
static inline void golden_frame(struct golden *golden, uint8_t kind, uint32_t flags)
{
        struct frame_info info = golden_info(golden, kind, flags);
        uint64_t position = golden->mark.next_position;
        plain_begin(&golden->encoder, &golden->scale);
        for (unsigned i = 0; i < golden->event_count; i++) {
                const struct event *event = &golden->events[i].event;
                if (plain_add(&golden->encoder, event))
                        abort();
                golden_sum(&info, event);
                golden_count(&golden->mark, event, kind);
                if (kind == FRAME_CHANGES)
                        book_apply(&golden->book, event);
        }
        golden->event_count = 0;
        golden_put_frame(golden, &info, position);
}

/* The book as an image. Its horizon, where bounded, is its last level. */
static inline void golden_image(
    struct golden *golden, uint32_t flags, int64_t receive_time_ns, uint32_t corrections)
{
        struct frame_info info = golden_info(golden, FRAME_IMAGE, flags);
        int64_t time_ns = golden->mark.timed ? golden->mark.running_max_ns : receive_time_ns;
        struct golden_event *image = golden_event(
            golden, time_ns, receive_time_ns - time_ns, golden->book.id, golden->book.id);
        for (enum side s = 0; s < SIDES; s++) {
                image->event.count[s] = (uint32_t)book_count(&golden->book, s);
                book_levels(&golden->book, s, image->levels[s]);
                if (flags & (FRAME_BOUNDED_BID << s))
                        info.horizon[s] = image->levels[s][image->event.count[s] - 1].price;
        }
        golden->event_count = 0;
        golden_sum(&info, &image->event);
        info.corrections = corrections;
        plain_begin(&golden->encoder, &golden->scale);
        if (plain_add(&golden->encoder, &image->event))
                abort();
        golden->mark.images++;
        golden->segment = golden->mark.next_position++;
        golden_put_frame(golden, &info, golden->segment);
}

static inline void golden_stream(
    struct golden *golden, uint32_t number, const struct stream_name *name, struct scale scale)
{
        golden->stream = number;
        golden->scale = scale;
        golden->mark = (struct mark_record){.first_position = 1, .next_position = 1};
        golden->segment = 0;
        book_clear(&golden->book);
        stream_name_write(&golden->value, name);
        golden_put_value(golden, STORE_META, STORE_STREAMS, key_stream(number));
}

static inline void golden_enter_day(struct golden *golden, uint32_t day)
{
        struct mark_record *mark = &golden->mark;
        golden->day = day;
        mark->first_position = mark->next_position;
        mark->events = mark->level_updates = mark->images = mark->gaps = 0;
        mark->image_bytes = mark->change_bytes = 0;
        mark->first_event_time_ns = 0;
        golden_put_value(golden, STORE_META, STORE_DAYS, key_day(golden->stream, day));
}

static inline void golden_epoch(
    struct golden *golden, enum epoch_cause cause, int64_t receive_time_ns)
{
        struct epoch_record epoch = {.cause = (uint8_t)cause,
            .position = golden->mark.next_position,
            .image_id = golden->book.id,
            .receive_time_ns = receive_time_ns,
            .scale = golden->scale};
        golden->mark.epoch++;
        epoch_write(&golden->value, &epoch);
        golden_put_value(
            golden, golden->day, STORE_EPOCHS, key_epoch(golden->stream, golden->mark.epoch));
}

static inline void golden_gap(struct golden *golden, const struct gap_record *gap)
{
        gap_write(&golden->value, gap);
        golden_put_value(golden, golden->day, STORE_GAPS,
            key_position(golden->stream, golden->mark.gap_position));
}

static inline void golden_mark(struct golden *golden)
{
        mark_write(&golden->value, &golden->mark);
        golden_put_value(golden, golden->day, STORE_MARKS, key_mark(golden->stream));
}

/* ---- the record: stream 1, two days, what a recorder writes ---- */

#define GOLDEN_T (INT64_C(20777) * 86400 * NS_PER_S + 40000 * NS_PER_S)

/* Ids, times and orders of all sorts: a jump back to before the image, a level that is not there,
 * off the grid, a price twice, ascending bids, an empty event, a time that goes back, and times in
 * milli-, micro- and nanoseconds. */
static inline void golden_odd_changes(struct golden *golden)
{
        struct golden_event *to = golden_event(golden, GOLDEN_T + 3 * NS_PER_S, 1234567, 98, 101);
        golden_level(to, SIDE_BID, 10000, 1500);
        golden_level(to, SIDE_BID, 9980, 0);
        golden_level(to, SIDE_BID, 7770, 0);
        golden_level(to, SIDE_ASK, 10020, 200);
        to = golden_event(golden, GOLDEN_T + 3 * NS_PER_S + 1000, 2000, 102, 102);
        golden_level(to, SIDE_BID, 9995, 1301);
        golden_level(to, SIDE_ASK, 10030, 0);
        to = golden_event(golden, GOLDEN_T + 2 * NS_PER_S + 17, 5, 103, 110);
        golden_level(to, SIDE_BID, 9900, 100);
        golden_level(to, SIDE_BID, 9910, 100);
        golden_level(to, SIDE_BID, 9910, 300);
        golden_level(to, SIDE_BID, 10000, 0);
        golden_level(to, SIDE_BID, 10000, 700);
        golden_event(golden, GOLDEN_T + 4 * NS_PER_S, -3 * NS_PER_MS, 111, 111);
        to = golden_event(golden, GOLDEN_T + 5 * NS_PER_S, 0, 112, 115);
        to->event.flags = EVENT_TIME_REPLACED;
        golden_level(to, SIDE_ASK, 10020, 0);
        golden_level(to, SIDE_ASK, 10050, 12345);
        golden_frame(golden, FRAME_CHANGES, 0);
}

/* Long enough for packing to pay. */
static inline void golden_long_changes(struct golden *golden)
{
        for (int64_t i = 0; i < 60; i++) {
                struct golden_event *to = golden_event(golden, GOLDEN_T + (10 + i) * NS_PER_S,
                    4 * NS_PER_MS, 116 + 3 * i, 118 + 3 * i);
                golden_level(to, SIDE_BID, 9980 - 10 * (i % 5), 100 * (1 + i % 7));
                golden_level(to, SIDE_BID, 9900, 100 * (i % 3));
                golden_level(to, SIDE_ASK, 10060 + 10 * (i % 5), 100 * (i % 4));
        }
        golden_frame(golden, FRAME_CHANGES, 0);
}

static inline void golden_first_day(struct golden *golden)
{
        golden_enter_day(golden, GOLDEN_DAY);
        golden_level(golden_event(golden, GOLDEN_T, 7 * NS_PER_MS, 90, 95), SIDE_BID, 9970, 100);
        golden_level(
            golden_event(golden, GOLDEN_T + NS_PER_S, 7 * NS_PER_MS, 96, 97), SIDE_ASK, 10030, 500);
        golden_frame(golden, FRAME_HEADLESS, 0);
        for (int64_t i = 0; i < 4; i++) {
                book_set(&golden->book, SIDE_BID, 9990 - 10 * i, 100 + 100 * i);
                book_set(&golden->book, SIDE_ASK, 10010 + 10 * i, 1000 - 100 * i);
        }
        golden->book.id = 99;
        golden_epoch(golden, EPOCH_FIRST, GOLDEN_T + 2 * NS_PER_S);
        golden_image(
            golden, FRAME_SYNC | FRAME_BOUNDED_BID | FRAME_BOUNDED_ASK, GOLDEN_T + 2 * NS_PER_S, 0);
        golden_odd_changes(golden);
        golden_image(golden, FRAME_BOUNDED_BID, GOLDEN_T + 5 * NS_PER_S, 0);
        golden_long_changes(golden);
        book_set(&golden->book, SIDE_BID, 9000, 50);
        book_set(&golden->book, SIDE_ASK, 10050, 0);
        golden_image(
            golden, FRAME_SYNC | FRAME_CORRECTION | FRAME_BOUNDED_BID, GOLDEN_T + 70 * NS_PER_S, 2);
        golden_level(golden_event(golden, GOLDEN_T + 71 * NS_PER_S, 4 * NS_PER_MS, 296, 296),
            SIDE_BID, 9000, 0);
        golden_frame(golden, FRAME_CHANGES, 0);
}

static inline void golden_second_day(struct golden *golden, struct gap_record *gap)
{
        golden_enter_day(golden, GOLDEN_DAY + 1);
        int64_t start = GOLDEN_T + 86400 * NS_PER_S;
        book_clear(&golden->book);
        golden->book.id = -1;
        golden_epoch(golden, EPOCH_GAP, start);
        golden_image(golden, FRAME_SYNC, start, 0);
        gap->open = false;
        gap->to_id = 501;
        gap->to_time_ns = start + 100 * NS_PER_MS;
        gap->to_receive_ns = start + 103 * NS_PER_MS;
        gap->to_position = golden->mark.next_position;
        golden_gap(golden, gap);
        golden->mark.gap_open = false;
        golden_level(golden_event(golden, start + 100 * NS_PER_MS, 3 * NS_PER_MS, 500, 501),
            SIDE_BID, 9990, 700);
        golden_level(golden_event(golden, start + 200 * NS_PER_MS, 3 * NS_PER_MS, 502, 502),
            SIDE_ASK, 10010, 900);
        golden_frame(golden, FRAME_CHANGES, FRAME_OPEN);
        book_rescale(&golden->book, 100, 1);
        golden->scale = (struct scale){4, 3, false, 1000, 100};
        golden_epoch(golden, EPOCH_SCALE, start + NS_PER_S);
        golden_image(golden, 0, start + NS_PER_S, 0);
        golden_level(golden_event(golden, start + 2 * NS_PER_S, 3 * NS_PER_MS, 503, 503), SIDE_BID,
            999050, 2500);
        golden_frame(golden, FRAME_CHANGES, FRAME_OPEN);
}

static inline void golden_main_stream(struct golden *golden)
{
        static const struct stream_name name = {"binance", "GOLDUSDT", KIND_L2, true};
        golden_stream(golden, 1, &name, (struct scale){2, 3, true, 10, 100});
        golden_first_day(golden);
        struct mark_record *mark = &golden->mark;
        struct gap_record gap = {.cause = GAP_SEQUENCE,
            .open = true,
            .epoch = mark->epoch,
            .from_id = mark->last_id,
            .from_time_ns = mark->last_event_time_ns,
            .from_receive_ns = mark->last_receive_ns,
            .from_position = mark->last_position,
            .detail = "expected 297, came \"400\" \xc3\xa9"};
        mark->gap_open = true;
        mark->gap_position = mark->next_position;
        mark->gaps++;
        golden_gap(golden, &gap);
        golden_level(golden_event(golden, GOLDEN_T + 72 * NS_PER_S, 4 * NS_PER_MS, 400, 401),
            SIDE_ASK, 10040, 0);
        golden_frame(golden, FRAME_HEADLESS, 0);
        mark->clean = true;
        golden_mark(golden);
        mark->clean = false;
        golden_second_day(golden, &gap);
        golden_mark(golden);
}

/* ---- streams 2 to 4: the ends of what fits ---- */

static inline void golden_extreme_stream(struct golden *golden)
{
        static const struct stream_name name = {"sixteen-letters!",
            "A-SYMBOL-OF-SIXTY-FOUR-LETTERS-THAT-FILLS-THE-WHOLE-FIELD-TO-END", KIND_L3, false};
        static const int64_t ends[] = {INT64_MIN, INT64_MAX, 0, -1, INT64_MIN, 1, INT64_MAX};
        golden_stream(golden, 2, &name, (struct scale){18, 18, true, 1, 1});
        golden_enter_day(golden, GOLDEN_DAY);
        for (unsigned i = 0; i + 3 < 7; i++) {
                struct golden_event *to =
                    golden_event(golden, ends[i], 0, ends[i + 1], ends[i + 2]);
                to->event.receive_time_ns = ends[i + 3];
                to->event.flags = UINT32_MAX >> i;
                for (unsigned k = 0; k < 7; k++) {
                        golden_level(to, SIDE_BID, ends[k], ends[6 - k]);
                        golden_level(to, SIDE_ASK, ends[6 - k], ends[k]);
                }
        }
        golden->mark.fall_back_ns = 0;
        struct frame_info info = golden_info(golden, FRAME_HEADLESS, 0);
        plain_begin(&golden->encoder, &golden->scale);
        for (unsigned i = 0; i < golden->event_count; i++) {
                if (plain_add(&golden->encoder, &golden->events[i].event))
                        abort();
                golden_sum(&info, &golden->events[i].event);
        }
        golden->event_count = 0;
        info.epoch = UINT32_MAX;
        info.segment = UINT64_MAX;
        golden_put_frame(golden, &info, 1);
        golden->scale = (struct scale){0, 0, false, INT64_MAX, INT64_MAX};
        struct golden_event *to = golden_event(golden, -1, 2, -1, INT64_MIN);
        golden_level(to, SIDE_BID, -INT64_MAX, INT64_MAX);
        golden_level(to, SIDE_BID, INT64_MAX, -INT64_MAX);
        golden_level(to, SIDE_BID, 0, 0);
        golden->mark.next_position = 5;
        golden_frame(golden, FRAME_HEADLESS, FRAME_OPEN);
}

static inline void golden_extreme_records(struct golden *golden)
{
        static const struct stream_name name = {"", "", KIND_TRADES, false};
        golden_stream(golden, 3, &name, (struct scale){18, 0, false, INT64_MAX, INT64_MAX});
        golden->day = GOLDEN_DAY + 1;
        golden->mark = (struct mark_record){true, true, true, true, UINT64_MAX, UINT64_MAX,
            UINT64_MAX, UINT64_MAX, UINT32_MAX, INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX,
            INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
            UINT64_MAX, UINT64_MAX, UINT64_MAX};
        golden_mark(golden);
        for (uint8_t cause = 0; cause < GAP_CAUSES; cause++) {
                struct gap_record gap = {.cause = cause,
                    .open = cause % 2,
                    .epoch = UINT32_MAX,
                    .from_id = INT64_MIN,
                    .from_time_ns = INT64_MAX,
                    .from_receive_ns = INT64_MIN,
                    .from_position = UINT64_MAX,
                    .to_id = INT64_MAX,
                    .to_time_ns = INT64_MIN,
                    .to_receive_ns = INT64_MAX,
                    .to_position = UINT64_MAX};
                if (cause == GAP_OVERFLOW)
                        memset(gap.detail, 'x', META_DETAIL_SIZE - 1);
                golden->mark.gap_position = cause;
                golden_gap(golden, &gap);
        }
        golden->mark.epoch = UINT32_MAX - 1;
        golden->mark.next_position = UINT64_MAX;
        golden->book.id = INT64_MIN;
        golden_epoch(golden, EPOCH_SCALE, INT64_MAX);
        struct gap_record pruned = {.cause = GAP_PRUNED, .epoch = 7, .to_position = 9};
        gap_write(&golden->value, &pruned);
        golden_put_value(golden, STORE_META, STORE_PRUNED, key_day(3, GOLDEN_DAY - 1));
}

/* Every row of the golden record, in the order in which it was made. */
static inline void golden_rows(golden_row_cb row_cb, void *user)
{
        struct golden *golden = memory_new(sizeof(*golden));
        golden->row_cb = row_cb;
        golden->user = user;
        frame_packer_init(&golden->packer);
        plain_encoder_init(&golden->encoder);
        buffer_init(&golden->block, 1 << 20);
        buffer_init(&golden->value, 1 << 20);
        book_init(&golden->book);
        golden_main_stream(golden);
        golden_extreme_stream(golden);
        golden_extreme_records(golden);
        golden_put(golden, GOLDEN_DAY, STORE_NOTES, key_note(GOLDEN_T),
            BYTES("clock_step_ns=-1500000000"));
        book_deinit(&golden->book);
        buffer_deinit(&golden->value);
        buffer_deinit(&golden->block);
        plain_encoder_deinit(&golden->encoder);
        frame_packer_deinit(&golden->packer);
        free(golden);
}

#endif
