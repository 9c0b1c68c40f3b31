/* What the tests of the dense methods share: an exchange of chance, whose events are hard, and a
 * tape of frames with what they must give kept beside them. */
#ifndef TESTS_UNIT_TOKEN_HELP_H
#define TESTS_UNIT_TOKEN_HELP_H

#include "base/clock.h"
#include "base/limits.h"
#include "codec/decoder.h"
#include "tests/unit/help.h"

#define T0 (INT64_C(1723161600) * NS_PER_S)
#define POOL 4096 /* levels of one side of an event, at most */

/* ---- an exchange of chance: hard events for a book ---- */

struct exchange {
        struct chance chance;
        struct scale scale;
        struct book book; /* kept by book_apply alone */
        int64_t time_ns, id;
        bool wild; /* any number is possible; else those of a market */
        uint32_t count_max;
        struct level levels[SIDES][POOL];
        struct event event; /* the newest */
};

static inline void exchange_begin(struct exchange *exchange, uint64_t seed)
{
        static const int64_t ticks[] = {1, 1, 10, 1000, 25, INT64_MAX / 100};
        *exchange = (struct exchange){.chance = {seed},
            .scale = {2, 8, true, ticks[seed % 6], 1},
            .time_ns = T0,
            .id = 1000,
            .wild = seed % 3 == 2,
            .count_max = seed % 5 ? 12 : 60};
        book_init(&exchange->book);
}

static inline void exchange_end(struct exchange *exchange)
{
        book_deinit(&exchange->book);
}

static inline int64_t any_price(struct exchange *exchange, enum side s)
{
        struct chance *chance = &exchange->chance;
        int64_t tick = exchange->scale.tick, price;
        const int64_t width = exchange->count_max > 1000 ? 5000 : 150;
        price = s == SIDE_BID ? 3000 - (int64_t)chance_below(chance, (uint64_t)width)
                              : 3001 + (int64_t)chance_below(chance, (uint64_t)width);
        if (chance_one_in(chance, 5))
                price -= price % 100;
        if (exchange->wild && chance_one_in(chance, 3))
                return chance_int64(chance);
        if (chance_one_in(chance, 8))
                price *= 50;
        price = __builtin_mul_overflow(price, tick, &price) ? chance_int64(chance) : price;
        return chance_one_in(chance, 20) && price < INT64_MAX ? price + 1 : price;
}

static inline int64_t any_quantity(struct exchange *exchange, enum side s, int64_t price)
{
        struct chance *chance = &exchange->chance;
        int64_t before = book_quantity(&exchange->book, s, price);
        switch (chance_below(chance, 8)) {
        case 0:
        case 1:
                return 0;
        case 2:
                return before;
        case 3:
                return sum(before, ((int64_t)chance_below(chance, 5) - 2) * 1000);
        case 4:
                return chance_int64(chance);
        case 5:
                return -(int64_t)chance_below(chance, 100000);
        default:
                return (int64_t)chance_below(chance, 40) * 100000;
        }
}

static inline void make_side(struct exchange *exchange, enum side s, uint32_t count)
{
        struct level *levels = exchange->levels[s];
        for (uint32_t i = 0; i < count; i++)
                levels[i].price = any_price(exchange, s);
        uint64_t order = chance_below(&exchange->chance, 8);
        if (order) {
                qsort(levels, count, sizeof(*levels),
                    (s == SIDE_BID) == (order < 6) ? compare_descending : compare_ascending);
                uint32_t kept = 0;
                for (uint32_t i = 0; i < count; i++) {
                        if (!kept || levels[kept - 1].price != levels[i].price)
                                levels[kept++] = levels[i];
                }
                count = kept;
        }
        for (uint32_t i = 0; i < count; i++)
                levels[i].quantity = any_quantity(exchange, s, levels[i].price);
        exchange->event.count[s] = count;
        exchange->event.levels[s] = levels;
}

/* Units get finer now and then, times go back, and both may be anything at all. */
static inline void make_times(struct exchange *exchange)
{
        static const int64_t units[] = {NS_PER_MS, NS_PER_MS, NS_PER_US, 1};
        struct chance *chance = &exchange->chance;
        struct event *event = &exchange->event;
        int64_t unit = units[chance_below(chance, 2 + exchange->id % 3)];
        int64_t step = (int64_t)chance_below(chance, 300) * unit;
        exchange->time_ns += chance_one_in(chance, 6) ? -step : step;
        event->event_time_ns = exchange->time_ns;
        event->receive_time_ns = exchange->time_ns + (int64_t)chance_below(chance, 90000) * 1000;
        if (chance_one_in(chance, 5))
                event->receive_time_ns += (int64_t)chance_below(chance, 2000) - 1000;
        if (exchange->wild && chance_one_in(chance, 5))
                event->event_time_ns = chance_int64(chance);
        if (exchange->wild && chance_one_in(chance, 5))
                event->receive_time_ns = chance_int64(chance);
}

static inline void make_ids(struct exchange *exchange)
{
        struct chance *chance = &exchange->chance;
        struct event *event = &exchange->event;
        int64_t jump = chance_one_in(chance, 9) ? (int64_t)chance_below(chance, 1000) - 300 : 0;
        int64_t more = (int64_t)chance_below(chance, 6) - 1;
        event->first_id = exchange->id + 1 + jump;
        event->last_id = event->first_id + (int64_t)event_level_count(event) - 1 + more;
        if (chance_one_in(chance, 6))
                event->last_id = event->first_id;
        exchange->id = event->last_id;
        if (exchange->wild && chance_one_in(chance, 5))
                event->first_id = chance_int64(chance);
        if (exchange->wild && chance_one_in(chance, 5))
                event->last_id = chance_int64(chance);
}

/* The next event, applied to the exchange's own book. */
static inline void exchange_step(struct exchange *exchange)
{
        struct chance *chance = &exchange->chance;
        uint32_t count_max = chance_one_in(chance, 3) ? 2 : exchange->count_max;
        exchange->event = (struct event){0};
        for (enum side s = 0; s < SIDES; s++)
                make_side(exchange, s, (uint32_t)chance_below(chance, count_max + 1));
        make_times(exchange);
        make_ids(exchange);
        exchange->event.flags = chance_one_in(chance, 10) ? (uint32_t)chance_next(chance) : 0;
        assert_int_equal(book_apply(&exchange->book, &exchange->event), 0);
}

/* ---- what was recorded: frames, and beside them what they must give ---- */

struct kept {
        struct event event; /* its levels are a copy */
        struct level *levels;
};

struct kept_frame {
        uint8_t *bytes; /* exactly so many */
        size_t size;
        struct frame_info info;
        size_t first, count; /* events */
};

struct tape {
        struct kept *kept;
        size_t count, capacity;
        struct kept_frame frames[64];
        size_t frame_count, written; /* written: events that are in a frame */
        uint64_t segment;
        struct token_encoder encoder, image_encoder;
        struct frame_packer packer;
        struct book book; /* the encoder's */
        struct scale scale;
};

static inline void tape_begin(struct tape *tape, const struct scale *scale)
{
        *tape = (struct tape){.scale = *scale};
        token_encoder_init(&tape->encoder);
        token_encoder_init(&tape->image_encoder);
        frame_packer_init(&tape->packer);
        book_init(&tape->book);
}

static inline void tape_end(struct tape *tape)
{
        for (size_t i = 0; i < tape->count; i++)
                free(tape->kept[i].levels);
        for (size_t i = 0; i < tape->frame_count; i++)
                free(tape->frames[i].bytes);
        free(tape->kept);
        token_encoder_deinit(&tape->encoder);
        token_encoder_deinit(&tape->image_encoder);
        frame_packer_deinit(&tape->packer);
        book_deinit(&tape->book);
}

static inline void tape_keep(struct tape *tape, const struct event *event)
{
        if (tape->count == tape->capacity) {
                tape->capacity = tape->capacity ? 2 * tape->capacity : 64;
                tape->kept = memory_resize(tape->kept, tape->capacity * sizeof(*tape->kept));
        }
        struct kept *kept = &tape->kept[tape->count++];
        struct level *levels = memory_new((event_level_count(event) + 1) * sizeof(*levels));
        *kept = (struct kept){*event, levels};
        for (enum side s = 0; s < SIDES; s++) {
                if (event->count[s])
                        memcpy(levels, event->levels[s], event->count[s] * sizeof(*levels));
                kept->event.levels[s] = levels;
                levels += event->count[s];
        }
}

/* Finish the block of @encoder as a frame. */
static inline void tape_write(
    struct tape *tape, struct token_encoder *encoder, enum frame_kind kind)
{
        struct buffer block, frame;
        const struct event *first = &tape->kept[tape->written].event;
        struct kept_frame *to = &tape->frames[tape->frame_count++];
        buffer_init(&block, LIMIT_BLOCK_SIZE);
        buffer_init(&frame, LIMIT_BLOCK_SIZE);
        size_t bound = token_size(encoder);
        token_finish(encoder, &block);
        assert_true(block.size <= bound);
        to->first = tape->written;
        to->count = tape->count - tape->written;
        to->info = (struct frame_info){.kind = (uint8_t)kind,
            .method = METHOD_TOKENS,
            .scale = tape->scale,
            .segment = tape->segment,
            .events = (uint32_t)to->count,
            .first_id = first->first_id,
            .last_id = tape->kept[tape->count - 1].event.last_id,
            .first_event_time_ns = first->event_time_ns,
            .first_receive_time_ns = first->receive_time_ns};
        assert_int_equal(frame_write(&tape->packer, &to->info, buffer_bytes(&block), &frame), 0);
        to->bytes = memory_new(frame.size);
        to->size = frame.size;
        memcpy(to->bytes, frame.data, frame.size);
        tape->written = tape->count;
        buffer_deinit(&block);
        buffer_deinit(&frame);
}

/* One event more in the block of changes; the bounds that are told of it hold. */
static inline void tape_add(struct tape *tape, const struct event *event)
{
        if (tape->count == tape->written)
                token_begin(&tape->encoder, &tape->scale, event);
        size_t before = token_size(&tape->encoder);
        token_add(&tape->encoder, &tape->book, event);
        assert_true(token_size(&tape->encoder) <= before + token_event_size(event));
        tape_keep(tape, event);
}

static inline void tape_seal(struct tape *tape)
{
        if (tape->count > tape->written)
                tape_write(tape, &tape->encoder, FRAME_CHANGES);
}

/* The whole of @book as an image: a segment begins. */
static inline void tape_image(struct tape *tape, const struct book *book)
{
        struct event event = {.event_time_ns = T0,
            .receive_time_ns = T0 + 5,
            .first_id = book->id,
            .last_id = book->id};
        tape_seal(tape);
        struct level *levels[SIDES];
        for (enum side s = 0; s < SIDES; s++) {
                levels[s] = memory_new((book_count(book, s) + 1) * sizeof(**levels));
                book_levels(book, s, levels[s]);
                event.levels[s] = levels[s];
                event.count[s] = (uint32_t)book_count(book, s);
        }
        tape->segment++;
        book_clear(&tape->book);
        token_encoder_reset(&tape->image_encoder);
        token_encoder_reset(&tape->encoder);
        token_begin(&tape->image_encoder, &tape->scale, &event);
        token_add(&tape->image_encoder, &tape->book, &event);
        tape_keep(tape, &event);
        tape_write(tape, &tape->image_encoder, FRAME_IMAGE);
        free(levels[SIDE_BID]);
        free(levels[SIDE_ASK]);
}

/* @event as a repair: it stands alone in its frame and continues the segment. */
static inline void tape_repair(struct tape *tape, const struct event *event)
{
        tape_seal(tape);
        token_begin(&tape->encoder, &tape->scale, event);
        token_add(&tape->encoder, &tape->book, event);
        tape_keep(tape, event);
        tape_write(tape, &tape->encoder, FRAME_REPAIR);
}

/* ---- what came back ---- */

static inline void assert_books_equal(const struct book *a, const struct book *b)
{
        assert_int_equal(a->id, b->id);
        for (enum side s = 0; s < SIDES; s++) {
                struct book_cursor at_a = {0}, at_b = {0};
                struct level level_a, level_b;
                assert_int_equal(book_count(a, s), book_count(b, s));
                while (book_next(a, s, &at_a, &level_a)) {
                        assert_true(book_next(b, s, &at_b, &level_b));
                        assert_int_equal(level_a.price, level_b.price);
                        assert_int_equal(level_a.quantity, level_b.quantity);
                }
                assert_false(book_next(b, s, &at_b, &level_b));
        }
}

static inline void assert_head_equal(const struct event *got, const struct event *expected)
{
        assert_int_equal(got->event_time_ns, expected->event_time_ns);
        assert_int_equal(got->receive_time_ns, expected->receive_time_ns);
        assert_int_equal(got->first_id, expected->first_id);
        assert_int_equal(got->last_id, expected->last_id);
        assert_int_equal(got->flags, expected->flags);
        for (enum side s = 0; s < SIDES; s++)
                assert_int_equal(got->count[s], expected->count[s]);
}

#endif
