/* Method 1: whatever events come, they and the book that they build come back equal; and garbage is
 * refused. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/error.h"
#include "tests/unit/token_help.h"

/* ---- reading it back ---- */

/* Levels too, and what stood at their prices in @mirror, which takes the event then. */
static void assert_event_equal(const struct event *got, const int64_t *befores,
    const struct event *expected, struct book *mirror)
{
        assert_head_equal(got, expected);
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < got->count[s]; i++) {
                        const struct level *level = &expected->levels[s][i];
                        assert_int_equal(got->levels[s][i].price, level->price);
                        assert_int_equal(got->levels[s][i].quantity, level->quantity);
                        assert_int_equal(
                            *befores++, book_set(mirror, s, level->price, level->quantity));
                }
        }
        mirror->id = expected->last_id;
}

/* The heads can be read ahead: events up to a time, by either clock. */
static void check_count(const struct tape *tape, const struct kept_frame *frame,
    struct decoder *decoder, struct chance *chance)
{
        bool received = chance_one_in(chance, 2);
        const struct event *some =
            &tape->kept[frame->first + chance_below(chance, frame->count)].event;
        int64_t at_ns = received ? some->receive_time_ns : some->event_time_ns;
        uint32_t expected = 0, count;
        at_ns -= chance_one_in(chance, 3) && at_ns > INT64_MIN;
        for (size_t i = 0; i < frame->count; i++) {
                const struct event *event = &tape->kept[frame->first + i].event;
                if ((received ? event->receive_time_ns : event->event_time_ns) <= at_ns)
                        expected = (uint32_t)i + 1;
        }
        assert_int_equal(decoder_count(decoder, at_ns, received, &count), 0);
        assert_int_equal(count, expected);
}

static void check_changes(const struct tape *tape, const struct kept_frame *frame,
    struct decoder *decoder, struct book *book, struct book *mirror)
{
        struct event event;
        for (size_t i = 0; i < frame->count; i++) {
                assert_int_equal(decoder_next(decoder, book, &event), 1);
                assert_event_equal(
                    &event, decoder_befores(decoder), &tape->kept[frame->first + i].event, mirror);
                assert_books_equal(book, mirror);
        }
        assert_int_equal(decoder_next(decoder, book, &event), 0);
}

static void check_frame(const struct tape *tape, const struct kept_frame *frame,
    struct decoder *decoder, struct book *book, struct book *mirror, struct chance *chance)
{
        struct frame_info info;
        uint8_t *copy = memory_new(frame->size);
        memcpy(copy, frame->bytes, frame->size);
        assert_int_equal(decoder_open(decoder, (struct bytes){copy, frame->size}, &info), 0);
        free(copy); /* the decoder needs it no more */
        assert_int_equal(info.kind, frame->info.kind);
        if (info.kind == FRAME_CHANGES) {
                check_count(tape, frame, decoder, chance);
                check_changes(tape, frame, decoder, book, mirror);
                return;
        }
        const struct event *event = &tape->kept[frame->first].event;
        if (info.kind == FRAME_IMAGE) {
                book_clear(mirror);
                assert_int_equal(decoder_image(decoder, book), 0);
        } else {
                assert_int_equal(decoder_repair(decoder, book), 0);
        }
        assert_int_equal(book_apply(mirror, event), 0);
        assert_books_equal(book, mirror);
}

static void check_tape(const struct tape *tape, uint64_t seed)
{
        struct chance chance = {seed};
        struct decoder decoder;
        struct book book, mirror;
        decoder_init(&decoder);
        book_init(&book);
        book_init(&mirror);
        for (size_t i = 0; i < tape->frame_count; i++)
                check_frame(tape, &tape->frames[i], &decoder, &book, &mirror, &chance);
        assert_books_equal(&book, &tape->book);
        book_deinit(&book);
        book_deinit(&mirror);
        decoder_deinit(&decoder);
}

/* ---- the law ---- */

static void any_events_come_back_equal_with_their_book(void **state)
{
        (void)state;
        struct exchange *exchange = memory_new(sizeof(*exchange));
        for (uint64_t seed = 0; seed < 120; seed++) {
                struct tape tape;
                exchange_begin(exchange, seed);
                tape_begin(&tape, &exchange->scale);
                tape_image(&tape, &exchange->book); /* of an empty book */
                for (unsigned i = 0; i < 150; i++) {
                        exchange_step(exchange);
                        tape_add(&tape, &exchange->event);
                        if (chance_one_in(&exchange->chance, 20))
                                tape_seal(&tape);
                        if (i % 50 == 0)
                                assert_books_equal(&tape.book, &exchange->book);
                }
                tape_seal(&tape);
                assert_books_equal(&tape.book, &exchange->book);
                check_tape(&tape, seed);
                tape_end(&tape);
                exchange_end(exchange);
        }
        free(exchange);
}

static void segments_of_images_changes_and_repairs_come_back_equal(void **state)
{
        (void)state;
        struct exchange *exchange = memory_new(sizeof(*exchange));
        for (uint64_t seed = 0; seed < 60; seed++) {
                struct tape tape;
                exchange_begin(exchange, seed);
                tape_begin(&tape, &exchange->scale);
                for (unsigned i = 0; i < 50; i++)
                        exchange_step(exchange);
                tape_image(&tape, &exchange->book);
                for (unsigned i = 0; i < 160; i++) {
                        exchange_step(exchange);
                        if (i % 40 == 25)
                                tape_repair(&tape, &exchange->event);
                        else
                                tape_add(&tape, &exchange->event);
                        if (i % 17 == 0)
                                tape_seal(&tape);
                        if (i == 100)
                                tape_image(&tape, &exchange->book);
                }
                tape_seal(&tape);
                assert_books_equal(&tape.book, &exchange->book);
                check_tape(&tape, seed);
                tape_end(&tape);
                exchange_end(exchange);
        }
        free(exchange);
}

static void events_of_thousands_of_levels_come_back_equal(void **state)
{
        (void)state;
        struct exchange *exchange = memory_new(sizeof(*exchange));
        for (uint64_t seed = 1; seed < 4; seed++) {
                struct tape tape;
                exchange_begin(exchange, seed);
                exchange->count_max = POOL;
                tape_begin(&tape, &exchange->scale);
                tape_image(&tape, &exchange->book); /* of an empty book */
                for (unsigned i = 0; i < 20; i++) {
                        exchange_step(exchange);
                        tape_add(&tape, &exchange->event);
                        if (i % 7 == 0)
                                tape_seal(&tape);
                }
                tape_image(&tape, &exchange->book);
                exchange_step(exchange);
                tape_add(&tape, &exchange->event);
                tape_seal(&tape);
                check_tape(&tape, seed);
                tape_end(&tape);
                exchange_end(exchange);
        }
        free(exchange);
}

/* New ones at first, then some of those again. */
static int64_t any_of(struct exchange *exchange, unsigned event, uint32_t level)
{
        uint64_t count = (uint64_t)event * SIDES * POOL + level;
        return 7919 * (int64_t)(event < 10 ? count : chance_below(&exchange->chance, count));
}

/* The list of used quantities is full long before the segment ends. */
static void more_quantities_than_the_list_holds_come_back_equal(void **state)
{
        (void)state;
        struct exchange *exchange = memory_new(sizeof(*exchange));
        struct tape tape;
        exchange_begin(exchange, 1);
        tape_begin(&tape, &exchange->scale);
        tape_image(&tape, &exchange->book);
        struct event event = {.event_time_ns = T0,
            .count = {POOL, POOL},
            .levels = {exchange->levels[SIDE_BID], exchange->levels[SIDE_ASK]}};
        for (unsigned i = 0; i < 14; i++) {
                for (uint32_t k = 0; k < SIDES * POOL; k++) {
                        int64_t price = (int64_t)(k % POOL) * 3 + i % 3;
                        exchange->levels[k / POOL][k % POOL] = (struct level){
                            k < POOL ? -price : price + 1, 1 + any_of(exchange, i, k)};
                }
                event.first_id = event.last_id + 1;
                event.last_id += SIDES * POOL;
                event.event_time_ns += NS_PER_MS;
                event.receive_time_ns = event.event_time_ns;
                tape_add(&tape, &event);
                if (i % 3 == 0)
                        tape_seal(&tape);
        }
        tape_seal(&tape);
        assert_int_equal(tape.encoder.coder.ranks.count, RANKS_MAX);
        check_tape(&tape, 1);
        tape_end(&tape);
        exchange_end(exchange);
        free(exchange);
}

/* Quantities are told without their zeros, as many as 64 bits hold. */
static void quantities_of_few_digits_and_many_zeros_come_back_equal(void **state)
{
        (void)state;
        struct exchange *exchange = memory_new(sizeof(*exchange));
        struct tape tape;
        exchange_begin(exchange, 1);
        tape_begin(&tape, &exchange->scale);
        tape_image(&tape, &exchange->book);
        for (uint64_t digits = 1; digits < 30; digits++) {
                struct event event = {.event_time_ns = T0,
                    .count = {20, 0},
                    .levels = {exchange->levels[SIDE_BID], NULL}};
                uint64_t quantity = digits;
                for (int64_t i = 0; i < 20; i++, quantity *= 10)
                        exchange->levels[SIDE_BID][i] = (struct level){100 - i, (int64_t)quantity};
                tape_add(&tape, &event);
        }
        tape_seal(&tape);
        check_tape(&tape, 1);
        tape_end(&tape);
        exchange_end(exchange);
        free(exchange);
}

/* ---- the pieces ---- */

static void an_event_taken_out_was_never_in_the_block(void **state)
{
        (void)state;
        struct exchange *exchange = memory_new(sizeof(*exchange));
        for (uint64_t seed = 0; seed < 200; seed++) {
                struct token_encoder with, without;
                struct book book_with, book_without;
                struct buffer block_with, block_without;
                exchange_begin(exchange, seed);
                token_encoder_init(&with);
                token_encoder_init(&without);
                book_init(&book_with);
                book_init(&book_without);
                buffer_init(&block_with, LIMIT_BLOCK_SIZE);
                buffer_init(&block_without, LIMIT_BLOCK_SIZE);
                for (unsigned i = 0; i < 1 + seed % 40; i++) {
                        exchange_step(exchange);
                        if (!i) {
                                token_begin(&with, &exchange->scale, &exchange->event);
                                token_begin(&without, &exchange->scale, &exchange->event);
                        }
                        token_add(&with, &book_with, &exchange->event);
                        token_add(&without, &book_without, &exchange->event);
                }
                exchange_step(exchange);
                token_add(&with, &book_with, &exchange->event);
                token_undo(&with);
                assert_books_equal(&book_with, &exchange->book);
                token_finish(&with, &block_with);
                token_finish(&without, &block_without);
                assert_int_equal(block_with.size, block_without.size);
                assert_memory_equal(block_with.data, block_without.data, block_with.size);
                token_encoder_deinit(&with);
                token_encoder_deinit(&without);
                book_deinit(&book_with);
                book_deinit(&book_without);
                buffer_deinit(&block_with);
                buffer_deinit(&block_without);
                exchange_end(exchange);
        }
        free(exchange);
}

static struct bytes frame_bytes(const struct kept_frame *frame)
{
        return (struct bytes){frame->bytes, frame->size};
}

/* A block as it stands when unpacked: exactly its size, and the padding. */
static uint8_t *padded_copy(const uint8_t *block, size_t size)
{
        uint8_t *copy = memory_new(size + COLUMN_PADDING);
        if (size)
                memcpy(copy, block, size);
        memset(copy + size, 0, COLUMN_PADDING);
        return copy;
}

/* A small record for what is done to it: the image of an empty book, and one block of changes. */
struct sample {
        struct tape tape;
        const struct kept_frame *image, *changes;
        uint8_t *block; /* padded */
        size_t size;
        struct event first;
};

static void sample_make(struct sample *sample, uint64_t seed, unsigned events)
{
        struct exchange *exchange = memory_new(sizeof(*exchange));
        struct frame_info info;
        struct bytes block;
        exchange_begin(exchange, seed);
        tape_begin(&sample->tape, &exchange->scale);
        tape_image(&sample->tape, &exchange->book);
        for (unsigned i = 0; i < events; i++) {
                exchange_step(exchange);
                tape_add(&sample->tape, &exchange->event);
        }
        tape_seal(&sample->tape);
        sample->image = &sample->tape.frames[0];
        sample->changes = &sample->tape.frames[1];
        assert_int_equal(
            frame_unpack(&sample->tape.packer, frame_bytes(sample->changes), &info, &block), 0);
        sample->block = padded_copy(block.data, block.size);
        sample->size = block.size;
        sample->first = sample->tape.kept[1].event;
        exchange_end(exchange);
        free(exchange);
}

static void sample_end(struct sample *sample)
{
        free(sample->block);
        tape_end(&sample->tape);
}

static void heads_are_read_ahead_without_the_levels(void **state)
{
        (void)state;
        for (uint64_t seed = 0; seed < 30; seed++) {
                struct sample sample;
                struct token_decoder decoder;
                struct event event;
                sample_make(&sample, seed, 80);
                token_decoder_init(&decoder);
                assert_int_equal(token_open(&decoder, &sample.tape.scale, &sample.first,
                                     (struct bytes){sample.block, sample.size}),
                    0);
                for (size_t i = 1; i < sample.tape.count; i++) {
                        assert_int_equal(token_scan(&decoder, &event), 1);
                        assert_head_equal(&event, &sample.tape.kept[i].event);
                }
                assert_int_equal(token_scan(&decoder, &event), 0);
                token_decoder_deinit(&decoder);
                sample_end(&sample);
        }
}

static void without_a_book_no_dense_block_is_read(void **state)
{
        (void)state;
        struct sample sample;
        struct decoder decoder;
        struct book book;
        struct frame_info info;
        struct event event;
        sample_make(&sample, 1, 5);
        decoder_init(&decoder);
        book_init(&book);
        assert_int_equal(decoder_open(&decoder, frame_bytes(sample.image), &info), 0);
        assert_int_equal(decoder_image(&decoder, &book), 0);
        assert_int_equal(decoder_open(&decoder, frame_bytes(sample.changes), &info), 0);
        assert_int_equal(decoder_next(&decoder, NULL, &event), ERR_CORRUPT);
        book_deinit(&book);
        decoder_deinit(&decoder);
        sample_end(&sample);
}

/* A dense block says nothing to one who has not followed its segment. */
static void changes_without_the_image_of_their_segment_are_refused(void **state)
{
        (void)state;
        struct sample sample;
        struct decoder decoder;
        struct book book;
        struct frame_info info;
        sample_make(&sample, 1, 5);
        decoder_init(&decoder);
        book_init(&book);
        assert_int_equal(decoder_open(&decoder, frame_bytes(sample.changes), &info), ERR_CORRUPT);
        assert_int_equal(decoder_open(&decoder, frame_bytes(sample.image), &info), 0);
        assert_int_equal(decoder_image(&decoder, &book), 0);
        assert_int_equal(decoder_open(&decoder, frame_bytes(sample.changes), &info), 0);
        tape_image(&sample.tape, &book); /* another segment begins */
        assert_int_equal(decoder_open(&decoder, frame_bytes(&sample.tape.frames[2]), &info), 0);
        assert_int_equal(decoder_image(&decoder, &book), 0);
        assert_int_equal(decoder_open(&decoder, frame_bytes(sample.changes), &info), ERR_CORRUPT);
        book_deinit(&book);
        decoder_deinit(&decoder);
        sample_end(&sample);
}

/* ---- damage ---- */

/* Read the block to its end, into room of exactly what each event needs. Events, or the code. */
static int decode_block(const struct sample *sample, const uint8_t *data, size_t size)
{
        struct token_decoder decoder;
        struct book book;
        struct event event;
        unsigned bits;
        size_t levels = 0;
        int count = 0, more = 0;
        uint8_t *block = padded_copy(data, size);
        token_decoder_init(&decoder);
        book_init(&book);
        int code =
            token_open(&decoder, &sample->tape.scale, &sample->first, (struct bytes){block, size});
        while (!code && (more = token_next(&decoder, &event, &bits)) == 1) {
                size_t in_event = event_level_count(&event);
                struct level *room = malloc(in_event * sizeof(*room));
                int64_t *befores = malloc(in_event * sizeof(*befores));
                code = book_room(&book, &event)
                    ? ERR_CORRUPT
                    : token_levels(&decoder, &book, &event, bits, room, befores);
                free(room);
                free(befores);
                if (!code)
                        levels += in_event;
                count += !code;
        }
        code = code ? code : more;
        assert_true(code == 0 || code == ERR_CORRUPT);
        assert_true((size_t)count <= size && levels <= size); /* none is told by no byte */
        book_deinit(&book);
        token_decoder_deinit(&decoder);
        free(block);
        return code ? code : count;
}

static void a_block_cut_short_is_refused(void **state)
{
        (void)state;
        for (uint64_t seed = 0; seed < 6; seed++) {
                struct sample sample;
                sample_make(&sample, seed, 12);
                assert_int_equal(decode_block(&sample, sample.block, sample.size), 12);
                for (size_t size = 0; size < sample.size; size++)
                        assert_int_equal(decode_block(&sample, sample.block, size), ERR_CORRUPT);
                sample_end(&sample);
        }
}

static void any_byte_may_be_anything(void **state)
{
        (void)state;
        for (uint64_t seed = 0; seed < 3; seed++) {
                struct sample sample;
                sample_make(&sample, seed, 4);
                for (size_t at = 0; at < sample.size; at++) {
                        uint8_t before = sample.block[at];
                        for (unsigned value = 0; value < 256; value++) {
                                sample.block[at] = (uint8_t)value;
                                decode_block(&sample, sample.block, sample.size);
                        }
                        sample.block[at] = before;
                }
                sample_end(&sample);
        }
}

/* The columns' sizes stay as they are, so that what is inside is reached. */
static void a_block_of_chance_is_read_or_refused(void **state)
{
        (void)state;
        struct chance chance = {3};
        for (unsigned round = 0; round < 3000; round++) {
                static struct sample sample;
                if (round % 100 == 0)
                        sample_make(&sample, round / 100, 1 + round / 100);
                uint8_t *copy = padded_copy(sample.block, sample.size);
                size_t head = 2 + TOKEN_BLOCK_COLUMNS;
                for (uint64_t i = 1 + chance_below(&chance, 12); i > 0; i--) {
                        size_t at = head + chance_below(&chance, sample.size - head);
                        copy[at] = (uint8_t)(chance_one_in(&chance, 2) ? chance_next(&chance)
                                                                       : copy[at] ^ 1u);
                }
                decode_block(&sample, copy, sample.size);
                free(copy);
                if (round % 100 == 99)
                        sample_end(&sample);
        }
}

/* Where column @index of the block stands. */
static size_t column_place(const struct sample *sample, size_t index, size_t *ret_size)
{
        struct byte_reader reader = reader_of((struct bytes){sample->block, sample->size});
        uint64_t count = read_varint(&reader), size = 0, before = 0;
        assert_int_equal(count, TOKEN_BLOCK_COLUMNS);
        for (size_t i = 0; i < count; i++) {
                size = read_varint(&reader);
                before += i < index ? size : 0;
                if (i == index)
                        *ret_size = size;
        }
        return (size_t)(reader.at - sample->block) + before;
}

/* One event that puts one level with a new quantity into an empty book. */
static void symbols_beyond_the_last_are_refused(void **state)
{
        (void)state;
        static const struct {
                size_t column;
                unsigned first;
        } symbols[] = {{TOKEN_STEPS, 240}, {TOKEN_INSERTS, BUCKETS}, {TOKEN_ZEROS, 20},
            {TOKEN_VALUES, BUCKETS}};
        struct sample sample = {0};
        struct level level = {700, 35};
        struct event event = {.event_time_ns = T0,
            .receive_time_ns = T0,
            .first_id = 1,
            .last_id = 1,
            .count = {0, 1},
            .levels = {NULL, &level}};
        tape_begin(&sample.tape, &(struct scale){2, 8, true, 1, 1});
        tape_add(&sample.tape, &event);
        struct buffer block;
        buffer_init(&block, LIMIT_BLOCK_SIZE);
        token_finish(&sample.tape.encoder, &block);
        sample.block = padded_copy(block.data, block.size);
        sample.size = block.size;
        sample.first = event;
        buffer_deinit(&block);
        assert_int_equal(decode_block(&sample, sample.block, sample.size), 1);
        for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
                size_t size,
                    at = column_place(&sample, HEAD_COLUMNS + 1 + symbols[i].column, &size);
                assert_int_equal(size, 1);
                uint8_t before = sample.block[at];
                for (unsigned value = symbols[i].first; value < 256; value++) {
                        sample.block[at] = (uint8_t)value;
                        assert_int_equal(
                            decode_block(&sample, sample.block, sample.size), ERR_CORRUPT);
                }
                sample.block[at] = before;
        }
        sample_end(&sample);
}

static void frame_reseal(uint8_t *frame, size_t size)
{
        store_u64(frame + 16, XXH3_64bits_withSeed(frame + 24, size - 24, XXH3_64bits(frame, 16)));
}

/* Whatever lies behind a right checksum, a decoder with a book reads it or refuses it. */
static void decode_frame(const struct sample *sample, const uint8_t *data, size_t size)
{
        struct decoder decoder;
        struct frame_info info;
        struct book book;
        struct event event;
        uint32_t count;
        size_t events = 0;
        uint8_t *frame = memory_new(size);
        memcpy(frame, data, size);
        frame_reseal(frame, size);
        decoder_init(&decoder);
        book_init(&book);
        assert_int_equal(decoder_open(&decoder, frame_bytes(sample->image), &info), 0);
        assert_int_equal(decoder_image(&decoder, &book), 0);
        int code = decoder_open(&decoder, (struct bytes){frame, size}, &info);
        free(frame);
        if (!code)
                code = decoder_count(&decoder, T0, false, &count);
        if (!code && info.kind == FRAME_IMAGE)
                decoder_image(&decoder, &book);
        while (!code && decoder_next(&decoder, &book, &event) == 1)
                assert_true(++events < 10000);
        decoder_deinit(&decoder);
        book_deinit(&book);
}

static void a_damaged_frame_with_a_right_checksum_is_read_or_refused(void **state)
{
        (void)state;
        struct chance chance = {4};
        for (uint64_t seed = 0; seed < 12; seed++) {
                struct sample sample;
                sample_make(&sample, seed, 1 + (unsigned)seed * 5);
                const struct kept_frame *frame = sample.changes;
                for (unsigned round = 0; round < 250; round++) {
                        uint8_t *copy = memory_new(frame->size);
                        memcpy(copy, frame->bytes, frame->size);
                        for (uint64_t i = 1 + chance_below(&chance, 3); i > 0; i--) {
                                size_t at = 12 + chance_below(&chance, frame->size - 12);
                                copy[at] ^= (uint8_t)(1u << chance_below(&chance, 8));
                        }
                        copy[5] = (uint8_t)(1 + chance_below(&chance, FRAME_KINDS - 1));
                        size_t size =
                            round % 5 ? frame->size : 24 + chance_below(&chance, frame->size - 23);
                        store_u32(copy + 8, (uint32_t)size);
                        decode_frame(&sample, copy, size);
                        free(copy);
                }
                sample_end(&sample);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(any_events_come_back_equal_with_their_book),
            cmocka_unit_test(segments_of_images_changes_and_repairs_come_back_equal),
            cmocka_unit_test(events_of_thousands_of_levels_come_back_equal),
            cmocka_unit_test(more_quantities_than_the_list_holds_come_back_equal),
            cmocka_unit_test(quantities_of_few_digits_and_many_zeros_come_back_equal),
            cmocka_unit_test(an_event_taken_out_was_never_in_the_block),
            cmocka_unit_test(heads_are_read_ahead_without_the_levels),
            cmocka_unit_test(without_a_book_no_dense_block_is_read),
            cmocka_unit_test(changes_without_the_image_of_their_segment_are_refused),
            cmocka_unit_test(a_block_cut_short_is_refused),
            cmocka_unit_test(any_byte_may_be_anything),
            cmocka_unit_test(a_block_of_chance_is_read_or_refused),
            cmocka_unit_test(symbols_beyond_the_last_are_refused),
            cmocka_unit_test(a_damaged_frame_with_a_right_checksum_is_read_or_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
