/* What the tests of the methods for orders and trades share: a tape of frames with what they must
 * give kept beside them, and blocks taken apart into their columns. */
#ifndef TESTS_UNIT_MESSAGE_HELP_H
#define TESTS_UNIT_MESSAGE_HELP_H

#include "base/clock.h"
#include "base/limits.h"
#include "codec/decoder.h"
#include "codec/encoder.h"
#include "tests/unit/help.h"

#define T0 (INT64_C(1723161600) * NS_PER_S)
#define TAPE_FRAMES 128
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- what was recorded ---- */

struct kept {
        struct event event;
        struct order_message order;
        struct level level;
};

struct kept_frame {
        struct buffer bytes, block;
        struct frame_info info;
        size_t first, count; /* events */
        struct book book;    /* of an image, what it is */
};

struct tape {
        struct kept *kept;
        size_t count, capacity;
        struct kept_frame frames[TAPE_FRAMES];
        size_t frame_count, written; /* written: events that are in a frame */
        uint64_t segment;
        struct encoder encoder, image_encoder;
        struct frame_packer packer;
        struct book book, empty; /* the encoder's; an image's */
        struct buffer scratch;
        struct scale scale;
};

static inline void tape_begin(struct tape *tape, uint8_t method, const struct scale *scale)
{
        *tape = (struct tape){.scale = *scale};
        encoder_init(&tape->encoder, method);
        encoder_init(&tape->image_encoder, method);
        frame_packer_init(&tape->packer);
        buffer_init(&tape->scratch, LIMIT_BLOCK_SIZE);
        book_init(&tape->book);
        book_init(&tape->empty);
        if (method == METHOD_ORDERS)
                book_begin_orders(&tape->book);
}

static inline void tape_end(struct tape *tape)
{
        for (size_t i = 0; i < tape->frame_count; i++) {
                buffer_deinit(&tape->frames[i].bytes);
                buffer_deinit(&tape->frames[i].block);
                book_deinit(&tape->frames[i].book);
        }
        free(tape->kept);
        encoder_deinit(&tape->encoder);
        encoder_deinit(&tape->image_encoder);
        frame_packer_deinit(&tape->packer);
        buffer_deinit(&tape->scratch);
        book_deinit(&tape->book);
        book_deinit(&tape->empty);
}

/* The event that was kept at @index, pointing to what is its own. */
static inline struct event tape_event(const struct tape *tape, size_t index)
{
        const struct kept *kept = &tape->kept[index];
        struct event event = kept->event;
        event.order = event.order ? &kept->order : NULL;
        event.levels[SIDE_BID] = event.levels[SIDE_ASK] = &kept->level;
        return event;
}

static inline void tape_keep(struct tape *tape, const struct event *event)
{
        if (tape->count == tape->capacity) {
                tape->capacity = tape->capacity ? 2 * tape->capacity : 64;
                tape->kept = memory_resize(tape->kept, tape->capacity * sizeof(*tape->kept));
        }
        struct kept *kept = &tape->kept[tape->count++];
        *kept = (struct kept){.event = *event};
        if (event->order)
                kept->order = *event->order;
        if (event_is_trade(event))
                kept->level = event->levels[event->count[SIDE_ASK] ? SIDE_ASK : SIDE_BID][0];
}

static inline struct kept_frame *tape_frame(struct tape *tape, const struct frame_info *info)
{
        assert_true(tape->frame_count < TAPE_FRAMES);
        struct kept_frame *frame = &tape->frames[tape->frame_count++];
        frame->info = *info;
        buffer_init(&frame->bytes, 2 * LIMIT_BLOCK_SIZE);
        buffer_init(&frame->block, LIMIT_BLOCK_SIZE);
        book_init(&frame->book);
        return frame;
}

static inline void frame_pack(struct tape *tape, struct kept_frame *frame)
{
        assert_int_equal(
            frame_write(&tape->packer, &frame->info, buffer_bytes(&frame->block), &frame->bytes),
            0);
}

/* The events since the last frame as one. */
static inline void tape_seal(struct tape *tape)
{
        if (tape->count == tape->written)
                return;
        const struct event *first = &tape->kept[tape->written].event;
        struct kept_frame *frame = tape_frame(tape,
            &(struct frame_info){.kind = FRAME_CHANGES,
                .method = tape->encoder.method,
                .scale = tape->scale,
                .segment = tape->segment,
                .events = (uint32_t)(tape->count - tape->written),
                .first_id = first->first_id,
                .last_id = tape->kept[tape->count - 1].event.last_id,
                .first_event_time_ns = first->event_time_ns,
                .first_receive_time_ns = first->receive_time_ns});
        frame->first = tape->written;
        frame->count = tape->count - tape->written;
        encoder_finish(&tape->encoder, &frame->block);
        frame_pack(tape, frame);
        tape->written = tape->count;
}

static inline size_t block_bound(struct encoder *encoder)
{
        return encoder->orders ? order_size(encoder->orders) : trade_size(encoder->trades);
}

/* One event more in the block; the bounds that are told of it hold. */
static inline void tape_add(struct tape *tape, const struct event *event)
{
        const size_t most = tape->encoder.orders ? ORDER_EVENT_SIZE : TRADE_EVENT_SIZE;
        if (tape->count == tape->written)
                encoder_begin(&tape->encoder, &tape->scale, event);
        size_t before = block_bound(&tape->encoder);
        assert_int_equal(encoder_add(&tape->encoder, &tape->book, event), 0);
        assert_true(block_bound(&tape->encoder) <= before + most);
        tape_keep(tape, event);
}

/* The whole of @book as an image: a segment begins. */
static inline void tape_image(struct tape *tape, const struct book *book)
{
        tape_seal(tape);
        struct kept_frame *frame = tape_frame(tape,
            &(struct frame_info){.kind = FRAME_IMAGE,
                .method = tape->encoder.method,
                .scale = tape->scale,
                .segment = ++tape->segment,
                .events = 1,
                .level_updates = (uint32_t)book_size(book),
                .first_id = book->id,
                .last_id = book->id,
                .first_event_time_ns = T0 + 7,
                .first_receive_time_ns = T0 + 5});
        book_copy(&frame->book, book);
        encoder_image(
            &tape->image_encoder, book, &frame->info, &tape->scratch, &tape->empty, &frame->block);
        encoder_reset(&tape->encoder);
        if (book != &tape->book)
                book_copy(&tape->book, book);
        frame_pack(tape, frame);
}

/* ---- what came back ---- */

static inline void assert_orders_equal(
    const struct order_message *got, const struct order_message *expected)
{
        assert_int_equal(got->type, expected->type);
        assert_int_equal(got->side, expected->side);
        assert_int_equal(got->reason, expected->reason);
        assert_int_equal(got->has, expected->has);
        assert_memory_equal(&got->id, &expected->id, sizeof(got->id));
        assert_memory_equal(&got->other, &expected->other, sizeof(got->other));
        assert_int_equal(got->price, expected->price);
        assert_int_equal(got->size, expected->size);
        assert_int_equal(got->old_price, expected->old_price);
        assert_int_equal(got->old_size, expected->old_size);
        assert_int_equal(got->trade_id, expected->trade_id);
        assert_string_equal(got->funds, expected->funds);
}

static inline void assert_events_equal(const struct event *got, const struct event *expected)
{
        assert_int_equal(got->type, expected->type);
        assert_int_equal(got->event_time_ns, expected->event_time_ns);
        assert_int_equal(got->receive_time_ns, expected->receive_time_ns);
        assert_int_equal(got->first_id, expected->first_id);
        assert_int_equal(got->last_id, expected->last_id);
        assert_int_equal(got->flags, expected->flags);
        assert_int_equal(got->first_trade, expected->first_trade);
        assert_int_equal(got->last_trade, expected->last_trade);
        assert_int_equal(!got->order, !expected->order);
        if (got->order)
                assert_orders_equal(got->order, expected->order);
        for (enum side s = 0; s < SIDES && !got->order; s++) {
                assert_int_equal(got->count[s], expected->count[s]);
                if (got->count[s])
                        assert_memory_equal(
                            got->levels[s], expected->levels[s], sizeof(struct level));
        }
        assert_true(event_equal(got, expected));
}

static inline void assert_books_equal(const struct book *a, const struct book *b)
{
        assert_int_equal(a->id, b->id);
        assert_int_equal(a->by_order, b->by_order);
        assert_true(book_equal(a, b));
        if (a->by_order)
                assert_true(book_orders_agree(a));
}

/* The levels that an order message is said to have touched are all that it changed in @mirror. */
static inline void check_touched(const struct decoder *decoder, const struct event *got,
    const struct event *expected, struct book *mirror)
{
        const int64_t *befores = decoder_befores(decoder);
        size_t counts[SIDES] = {book_count(mirror, SIDE_BID), book_count(mirror, SIDE_ASK)};
        assert_true(event_level_count(got) <= ORDER_TOUCHES);
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < got->count[s]; i++) {
                        const struct level *level = &got->levels[s][i];
                        assert_int_equal(*befores, book_quantity(mirror, s, level->price));
                        counts[s] += !*befores && level->quantity;
                        counts[s] -= *befores++ && !level->quantity;
                }
        }
        assert_int_equal(book_apply(mirror, expected), 0);
        for (enum side s = 0; s < SIDES; s++) {
                assert_int_equal(book_count(mirror, s), counts[s]);
                for (uint32_t i = 0; i < got->count[s]; i++)
                        assert_int_equal(book_quantity(mirror, s, got->levels[s][i].price),
                            got->levels[s][i].quantity);
        }
}

static inline void check_changes(const struct tape *tape, const struct kept_frame *frame,
    struct decoder *decoder, struct book *book, struct book *mirror)
{
        struct event event;
        for (size_t i = 0; i < frame->count; i++) {
                struct event expected = tape_event(tape, frame->first + i);
                assert_int_equal(decoder_next(decoder, book, &event), 1);
                assert_events_equal(&event, &expected);
                if (expected.order)
                        check_touched(decoder, &event, &expected, mirror);
                else
                        assert_int_equal(book_apply(mirror, &expected), 0);
                if (i % 16 == 0)
                        assert_books_equal(book, mirror);
        }
        assert_int_equal(decoder_next(decoder, book, &event), 0);
        assert_books_equal(book, mirror);
}

/* The heads can be read ahead: events up to a time, by either clock. */
static inline void check_count(
    const struct tape *tape, const struct kept_frame *frame, struct decoder *decoder)
{
        bool received = frame->first % 2;
        const struct event *some = &tape->kept[frame->first + frame->count / 2].event;
        int64_t at_ns = received ? some->receive_time_ns : some->event_time_ns;
        uint32_t expected = 0, count;
        for (size_t i = 0; i < frame->count; i++) {
                const struct event *event = &tape->kept[frame->first + i].event;
                if ((received ? event->receive_time_ns : event->event_time_ns) <= at_ns)
                        expected = (uint32_t)i + 1;
        }
        assert_int_equal(decoder_count(decoder, at_ns, received, &count), 0);
        assert_int_equal(count, expected);
}

/* Every frame, in order, by a decoder that knows nothing else. */
static inline void check_tape(const struct tape *tape)
{
        struct decoder *decoder = memory_new(sizeof(*decoder));
        struct book book, mirror;
        decoder_init(decoder);
        book_init(&book);
        book_init(&mirror);
        for (size_t i = 0; i < tape->frame_count; i++) {
                const struct kept_frame *frame = &tape->frames[i];
                struct frame_info info;
                uint8_t *copy = memory_new(frame->bytes.size);
                memcpy(copy, frame->bytes.data, frame->bytes.size);
                assert_int_equal(
                    decoder_open(decoder, (struct bytes){copy, frame->bytes.size}, &info), 0);
                free(copy); /* the decoder needs it no more */
                assert_int_equal(info.kind, frame->info.kind);
                if (info.kind == FRAME_CHANGES) {
                        check_count(tape, frame, decoder);
                        check_changes(tape, frame, decoder, &book, &mirror);
                } else {
                        assert_int_equal(decoder_image(decoder, &book), 0);
                        assert_books_equal(&book, &frame->book);
                        book_copy(&mirror, &frame->book);
                }
        }
        assert_books_equal(&book, &tape->book);
        book_deinit(&book);
        book_deinit(&mirror);
        decoder_deinit(decoder);
        free(decoder);
}

/* ---- blocks in columns ---- */

#define BLOCK_COLUMNS 256

struct columns {
        uint64_t count;
        struct buffer data[BLOCK_COLUMNS];
};

static inline void columns_take(struct columns *columns, struct bytes block)
{
        struct byte_reader sizes = reader_of(block), reader;
        columns->count = read_varint(&sizes);
        assert_true(columns->count <= BLOCK_COLUMNS);
        reader = sizes;
        for (size_t i = 0; i < columns->count; i++)
                read_varint(&reader);
        for (size_t i = 0; i < columns->count; i++) {
                struct bytes bytes = read_bytes(&reader, read_varint(&sizes));
                buffer_init(&columns->data[i], LIMIT_BLOCK_SIZE);
                buffer_append(&columns->data[i], bytes.data, bytes.size);
        }
        assert_false(reader.failed);
        assert_int_equal(reader_left(&reader), 0);
}

static inline void columns_put(const struct columns *columns, struct buffer *ret_block)
{
        buffer_clear(ret_block);
        write_varint(ret_block, columns->count);
        for (size_t i = 0; i < columns->count; i++)
                write_varint(ret_block, columns->data[i].size);
        for (size_t i = 0; i < columns->count; i++)
                buffer_append(ret_block, columns->data[i].data, columns->data[i].size);
}

static inline void columns_free(struct columns *columns)
{
        for (size_t i = 0; i < columns->count; i++)
                buffer_deinit(&columns->data[i]);
}

#endif
