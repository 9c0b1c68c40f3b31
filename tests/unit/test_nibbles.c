/* Method 2: whatever events come, they and the book that they build come back equal, block after
 * block of a segment; and garbage is refused. */
#include "base/error.h"
#include "codec/nibbles.h"
#include "tests/unit/token_help.h"

#define BLOCKS 64
#define EVENTS 512

/* A block as it stands when unpacked: exactly its size, and the padding. */
static uint8_t *padded_copy(const uint8_t *block, size_t size)
{
        uint8_t *copy = memory_new(size + COLUMN_PADDING);
        if (size)
                memcpy(copy, block, size);
        memset(copy + size, 0, COLUMN_PADDING);
        return copy;
}

/* ---- a segment: its blocks, and what they must give ---- */

struct kept_block {
        uint8_t *bytes; /* padded */
        size_t size, first, count;
};

struct segment {
        struct exchange exchange;
        struct nibble_encoder encoder;
        struct nibble_decoder decoder; /* for damaged blocks, reset for each */
        struct book book;              /* the encoder's */
        struct kept_block blocks[BLOCKS];
        size_t block_count;
        struct event events[EVENTS]; /* their levels are copies */
        size_t count, sealed;
};

static struct segment *segment_new(uint64_t seed)
{
        struct segment *segment = memory_new(sizeof(*segment));
        segment->block_count = segment->count = segment->sealed = 0;
        exchange_begin(&segment->exchange, seed);
        nibble_encoder_init(&segment->encoder);
        nibble_decoder_init(&segment->decoder);
        book_init(&segment->book);
        return segment;
}

static void segment_clear(struct segment *segment)
{
        for (size_t i = 0; i < segment->block_count; i++)
                free(segment->blocks[i].bytes);
        for (size_t i = 0; i < segment->count; i++) {
                for (enum side s = 0; s < SIDES; s++)
                        free((void *)(uintptr_t)segment->events[i].levels[s]);
        }
        segment->block_count = segment->count = segment->sealed = 0;
}

static void segment_free(struct segment *segment)
{
        segment_clear(segment);
        nibble_encoder_deinit(&segment->encoder);
        nibble_decoder_deinit(&segment->decoder);
        exchange_end(&segment->exchange);
        book_deinit(&segment->book);
        free(segment);
}

/* Encode @event; the bounds that are told of it hold. */
static void segment_add(struct segment *segment, const struct event *event)
{
        struct event *kept = &segment->events[segment->count];
        if (segment->count == segment->sealed)
                nibble_begin(&segment->encoder, &segment->exchange.scale, event);
        size_t before = nibble_size(&segment->encoder);
        nibble_add(&segment->encoder, &segment->book, event);
        assert_true(nibble_size(&segment->encoder) <= before + nibble_event_size(event));
        *kept = *event;
        for (enum side s = 0; s < SIDES; s++) {
                size_t size = event->count[s] * sizeof(struct level);
                struct level *levels = memory_new(size + 1);
                if (size)
                        memcpy(levels, event->levels[s], size);
                kept->levels[s] = levels;
        }
        segment->count++;
}

static void segment_seal(struct segment *segment)
{
        struct buffer block;
        if (segment->count == segment->sealed)
                return;
        buffer_init(&block, LIMIT_BLOCK_SIZE);
        size_t bound = nibble_size(&segment->encoder);
        nibble_finish(&segment->encoder, &block);
        assert_false(block.failed);
        assert_true(block.size <= bound);
        segment->blocks[segment->block_count++] =
            (struct kept_block){padded_copy(block.data, block.size), block.size, segment->sealed,
                segment->count - segment->sealed};
        segment->sealed = segment->count;
        buffer_deinit(&block);
}

static void segment_step(struct segment *segment)
{
        exchange_step(&segment->exchange);
        segment_add(segment, &segment->exchange.event);
}

/* ---- reading it back ---- */

/* Levels, and what stood at their prices in @mirror, which takes the event then. */
static void assert_levels_equal(const struct level *levels, const int64_t *befores,
    const struct event *expected, struct book *mirror)
{
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < expected->count[s]; i++) {
                        const struct level *level = &expected->levels[s][i];
                        assert_int_equal(levels->price, level->price);
                        assert_int_equal(levels->quantity, level->quantity);
                        assert_int_equal(
                            *befores, book_set(mirror, s, level->price, level->quantity));
                        levels++;
                        befores++;
                }
        }
        mirror->id = expected->last_id;
}

static void check_block(const struct segment *segment, const struct kept_block *block,
    struct nibble_decoder *decoder, struct book *book, struct book *mirror)
{
        static struct level levels[SIDES * POOL];
        static int64_t befores[SIDES * POOL];
        const struct event *events = &segment->events[block->first];
        struct event event;
        unsigned bits;
        assert_int_equal(nibble_open(decoder, &segment->exchange.scale, events,
                             (struct bytes){block->bytes, block->size}),
            0);
        for (size_t i = 0; i < block->count; i++) {
                assert_int_equal(nibble_scan(decoder, &event), 1);
                assert_head_equal(&event, &events[i]);
        }
        assert_int_equal(nibble_scan(decoder, &event), 0);
        for (size_t i = 0; i < block->count; i++) {
                assert_int_equal(nibble_next(decoder, &event, &bits), 1);
                assert_head_equal(&event, &events[i]);
                assert_int_equal(nibble_levels(decoder, book, &event, bits, levels, befores), 0);
                assert_levels_equal(levels, befores, &events[i], mirror);
                assert_books_equal(book, mirror);
        }
        assert_int_equal(nibble_next(decoder, &event, &bits), 0);
}

static void check_segment(const struct segment *segment, struct nibble_decoder *decoder)
{
        struct book book, mirror;
        book_init(&book);
        book_init(&mirror);
        for (size_t i = 0; i < segment->block_count; i++)
                check_block(segment, &segment->blocks[i], decoder, &book, &mirror);
        assert_books_equal(&book, &segment->book);
        book_deinit(&book);
        book_deinit(&mirror);
}

static void check_fresh(const struct segment *segment)
{
        struct nibble_decoder decoder;
        nibble_decoder_init(&decoder);
        check_segment(segment, &decoder);
        nibble_decoder_deinit(&decoder);
}

/* ---- the law ---- */

static void any_events_come_back_equal_with_their_book(void **state)
{
        (void)state;
        for (uint64_t seed = 0; seed < 90; seed++) {
                struct segment *segment = segment_new(seed);
                for (unsigned i = 0; i < 150; i++) {
                        segment_step(segment);
                        if (i % 13 == 5 || chance_one_in(&segment->exchange.chance, 20))
                                segment_seal(segment);
                }
                segment_seal(segment);
                assert_books_equal(&segment->book, &segment->exchange.book);
                check_fresh(segment);
                segment_free(segment);
        }
}

static void events_of_thousands_of_levels_come_back_equal(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed < 4; seed++) {
                struct segment *segment = segment_new(seed);
                segment->exchange.count_max = POOL;
                for (unsigned i = 0; i < 12; i++) {
                        segment_step(segment);
                        if (i % 5 == 0)
                                segment_seal(segment);
                }
                segment_seal(segment);
                check_fresh(segment);
                segment_free(segment);
        }
}

/* Far skips, far distances, and every count of zeros and digits that a quantity can have. */
static void every_size_of_number_comes_back_equal(void **state)
{
        (void)state;
        struct segment *segment = segment_new(1);
        struct exchange *exchange = &segment->exchange;
        for (unsigned round = 0; round < 8; round++) {
                struct event event = {.first_id = round + 1,
                    .last_id = round + 1,
                    .levels = {exchange->levels[SIDE_BID], exchange->levels[SIDE_ASK]}};
                uint32_t count = round % 2 ? 3 : POOL;
                for (uint32_t i = 0; i < count; i++) {
                        int64_t price = round % 2 ? (int64_t)i * 2000 : (int64_t)i;
                        uint64_t quantity = UINT64_C(1) << (i + round) % 64;
                        for (unsigned k = 0; k < (i / 64 + round) % 19; k++)
                                quantity *= 10;
                        exchange->levels[SIDE_BID][i] = (struct level){-price * price, 1 + i};
                        exchange->levels[SIDE_ASK][i] =
                            (struct level){price * price * price, (int64_t)(quantity | i % 2)};
                }
                event.count[SIDE_BID] = event.count[SIDE_ASK] = count;
                segment_add(segment, &event);
                segment_seal(segment);
        }
        check_fresh(segment);
        segment_free(segment);
}

/* What was learnt before it counts for nothing: the blocks are those of fresh ones. */
static void a_reset_forgets_everything(void **state)
{
        (void)state;
        struct segment *segment = segment_new(7);
        struct nibble_decoder decoder;
        nibble_decoder_init(&decoder);
        for (unsigned pass = 0; pass < 3; pass++) {
                for (unsigned i = 0; i < 100; i++) {
                        segment_step(segment);
                        if (i % 30 == 0)
                                segment_seal(segment);
                }
                segment_seal(segment);
                check_fresh(segment);
                check_segment(segment, &decoder);
                nibble_decoder_reset(&decoder);
                nibble_encoder_reset(&segment->encoder);
                segment_clear(segment);
                book_clear(&segment->book);
                book_clear(&segment->exchange.book);
                segment->book.id = segment->exchange.book.id = 0;
        }
        nibble_decoder_deinit(&decoder);
        segment_free(segment);
}

/* The same events again and again: once learnt, they cost a fraction. */
static void what_was_learnt_is_carried_to_the_next_block(void **state)
{
        (void)state;
        struct segment *segment = segment_new(1);
        struct level levels[200];
        struct event event = {.count = {100, 100}, .levels = {levels, levels + 100}};
        for (unsigned round = 0; round < 60; round++) {
                for (int i = 0; i < 200; i++)
                        levels[i] = (struct level){
                            i < 100 ? 5000 - 7 * i : 5001 + 7 * i, round % 2 ? 0 : 123457 + i % 5};
                event.first_id = event.last_id + 1;
                event.last_id += 200;
                segment_add(segment, &event);
                segment_seal(segment);
        }
        assert_true(segment->blocks[58].size * 5 < segment->blocks[0].size * 2);
        check_fresh(segment);
        segment_free(segment);
}

/* ---- damage ---- */

/* Read the block to its end, into room of exactly what each event needs. Events, or the code. */
static int decode_block(struct segment *segment, const uint8_t *data, size_t size)
{
        struct nibble_decoder *decoder = &segment->decoder;
        struct book book;
        struct event event;
        unsigned bits;
        int count = 0, more = 0;
        uint8_t *block = padded_copy(data, size);
        nibble_decoder_reset(decoder);
        book_init(&book);
        int code = nibble_open(
            decoder, &segment->exchange.scale, &segment->events[0], (struct bytes){block, size});
        while (!code && (more = nibble_next(decoder, &event, &bits)) == 1) {
                struct level *room = malloc(event_level_count(&event) * sizeof(*room));
                int64_t *befores = malloc(event_level_count(&event) * sizeof(*befores));
                code = book_room(&book, &event)
                    ? ERR_CORRUPT
                    : nibble_levels(decoder, &book, &event, bits, room, befores);
                free(room);
                free(befores);
                count += !code;
        }
        code = code ? code : more;
        assert_true(code == 0 || code == ERR_CORRUPT);
        assert_true((size_t)count <= size);
        book_deinit(&book);
        free(block);
        return code ? code : count;
}

static struct segment *sample_new(uint64_t seed, unsigned events)
{
        struct segment *segment = segment_new(seed);
        for (unsigned i = 0; i < events; i++)
                segment_step(segment);
        segment_seal(segment);
        return segment;
}

static void a_block_cut_short_is_refused(void **state)
{
        (void)state;
        for (uint64_t seed = 0; seed < 4; seed++) {
                struct segment *segment = sample_new(seed, 10);
                const struct kept_block *block = &segment->blocks[0];
                assert_int_equal(decode_block(segment, block->bytes, block->size), 10);
                for (size_t size = 0; size < block->size; size++)
                        assert_int_equal(decode_block(segment, block->bytes, size), ERR_CORRUPT);
                segment_free(segment);
        }
}

/* Where column @index of the block begins, and its size. */
static size_t column_place(const struct kept_block *block, size_t index, uint64_t *ret_size)
{
        struct byte_reader reader = reader_of((struct bytes){block->bytes, block->size});
        size_t before = 0;
        uint64_t sizes[NIBBLE_BLOCK_COLUMNS];
        assert_int_equal(read_varint(&reader), NIBBLE_BLOCK_COLUMNS);
        for (size_t i = 0; i < NIBBLE_BLOCK_COLUMNS; i++) {
                sizes[i] = read_varint(&reader);
                before += i < index ? sizes[i] : 0;
        }
        *ret_size = sizes[index];
        return (size_t)(reader.at - block->bytes) + before;
}

/* The block with column @index longer by @more bytes, or shorter. Padded; the caller frees it. */
static uint8_t *resize_column(
    const struct kept_block *block, size_t index, int more, size_t *ret_size)
{
        struct buffer out;
        uint64_t size;
        buffer_init(&out, LIMIT_BLOCK_SIZE);
        write_varint(&out, NIBBLE_BLOCK_COLUMNS);
        for (size_t i = 0; i < NIBBLE_BLOCK_COLUMNS; i++) {
                column_place(block, i, &size);
                write_varint(&out, i == index ? size + (uint64_t)(int64_t)more : size);
        }
        for (size_t i = 0; i < NIBBLE_BLOCK_COLUMNS; i++) {
                size_t at = column_place(block, i, &size);
                if (i == index && more < 0)
                        size -= (uint64_t)-more;
                buffer_append(&out, block->bytes + at, size);
                for (int k = 0; i == index && k < more; k++)
                        buffer_append_byte(&out, 0);
        }
        uint8_t *copy = padded_copy(out.data, out.size);
        *ret_size = out.size;
        buffer_deinit(&out);
        return copy;
}

/* Exactly what was written is to be read, of symbols, of plain levels and of bits. */
static void columns_of_another_size_are_refused(void **state)
{
        (void)state;
        for (uint64_t seed = 0; seed < 6; seed++) {
                struct segment *segment = sample_new(seed, 20);
                const struct kept_block *block = &segment->blocks[0];
                for (size_t i = HEAD_COLUMNS; i < NIBBLE_BLOCK_COLUMNS; i++) {
                        uint64_t column;
                        column_place(block, i, &column);
                        for (int more = column < 4 ? 0 : -4; more <= 4; more++) {
                                size_t size;
                                uint8_t *bytes = resize_column(block, i, more, &size);
                                assert_int_equal(
                                    decode_block(segment, bytes, size), more ? ERR_CORRUPT : 20);
                                free(bytes);
                        }
                }
                segment_free(segment);
        }
}

static void any_byte_may_be_anything(void **state)
{
        (void)state;
        for (uint64_t seed = 0; seed < 3; seed++) {
                struct segment *segment = sample_new(seed, 3);
                struct kept_block *block = &segment->blocks[0];
                for (size_t at = 0; at < block->size; at++) {
                        uint8_t before = block->bytes[at];
                        for (unsigned value = (unsigned)seed; value < 256; value += 15) {
                                block->bytes[at] = (uint8_t)value;
                                decode_block(segment, block->bytes, block->size);
                        }
                        block->bytes[at] = before;
                }
                segment_free(segment);
        }
}

/* The columns' sizes stay as they are, so that what is inside is reached. */
static void a_block_of_chance_is_read_or_refused(void **state)
{
        (void)state;
        struct chance chance = {3};
        for (unsigned sample = 0; sample < 30; sample++) {
                struct segment *segment = sample_new(sample, 1 + sample);
                const struct kept_block *block = &segment->blocks[0];
                uint64_t unused;
                size_t head = column_place(block, 0, &unused);
                for (unsigned round = 0; round < 60; round++) {
                        uint8_t *copy = padded_copy(block->bytes, block->size);
                        for (uint64_t i = 1 + chance_below(&chance, 12); i > 0; i--) {
                                size_t at = head + chance_below(&chance, block->size - head);
                                copy[at] =
                                    (uint8_t)(chance_one_in(&chance, 2) ? chance_next(&chance)
                                                                        : copy[at] ^ 1u);
                        }
                        decode_block(segment, copy, block->size);
                        free(copy);
                }
                segment_free(segment);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(any_events_come_back_equal_with_their_book),
            cmocka_unit_test(events_of_thousands_of_levels_come_back_equal),
            cmocka_unit_test(every_size_of_number_comes_back_equal),
            cmocka_unit_test(a_reset_forgets_everything),
            cmocka_unit_test(what_was_learnt_is_carried_to_the_next_block),
            cmocka_unit_test(a_block_cut_short_is_refused),
            cmocka_unit_test(columns_of_another_size_are_refused),
            cmocka_unit_test(any_byte_may_be_anything),
            cmocka_unit_test(a_block_of_chance_is_read_or_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
