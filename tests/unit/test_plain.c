/* Method 0: what was encoded comes back equal in every field, and garbage is refused. */
#include "base/error.h"
#include "base/limits.h"
#include "codec/plain.h"
#include "tests/unit/help.h"

#define EVENTS 60
#define LEVELS 40

struct sequence {
        struct scale scale;
        size_t count;
        struct event events[EVENTS];
        struct level levels[EVENTS][LEVELS];
};

/* Hard events: extreme numbers, off the grid, repeated, in any order, empty sides. */
static void sequence_make(struct sequence *sequence, struct chance *chance)
{
        static const int64_t steps[] = {1, 10, 1000000, INT64_MAX};
        *sequence = (struct sequence){.count = chance_below(chance, EVENTS) + 1,
            .scale = {(uint8_t)chance_below(chance, 19), (uint8_t)chance_below(chance, 19),
                chance_one_in(chance, 2), steps[chance_below(chance, 4)],
                steps[chance_below(chance, 4)]}};
        for (size_t e = 0; e < sequence->count; e++) {
                struct event *event = &sequence->events[e];
                bool on_grid = chance_one_in(chance, 2);
                *event = (struct event){.event_time_ns = chance_int64(chance),
                    .receive_time_ns = chance_int64(chance),
                    .first_id = chance_int64(chance),
                    .last_id = chance_int64(chance),
                    .flags = chance_one_in(chance, 2) ? 0 : (uint32_t)chance_next(chance),
                    .count = {(uint32_t)chance_below(chance, LEVELS / 2),
                        (uint32_t)chance_below(chance, LEVELS / 2)}};
                for (uint32_t i = 0; i < event_level_count(event); i++) {
                        struct level *level = &sequence->levels[e][i];
                        *level = (struct level){chance_int64(chance), chance_int64(chance)};
                        if (on_grid) {
                                level->price -= level->price % sequence->scale.tick;
                                level->quantity -= level->quantity % sequence->scale.lot;
                        }
                        if (i && chance_one_in(chance, 4))
                                level->price = level[-1].price;
                }
                event->levels[SIDE_BID] = sequence->levels[e];
                event->levels[SIDE_ASK] = sequence->levels[e] + event->count[SIDE_BID];
        }
}

static void assert_event_equal(const struct event *got, const struct event *expected)
{
        assert_int_equal(got->event_time_ns, expected->event_time_ns);
        assert_int_equal(got->receive_time_ns, expected->receive_time_ns);
        assert_int_equal(got->first_id, expected->first_id);
        assert_int_equal(got->last_id, expected->last_id);
        assert_int_equal(got->flags, expected->flags);
        for (enum side s = 0; s < SIDES; s++) {
                assert_int_equal(got->count[s], expected->count[s]);
                for (uint32_t i = 0; i < got->count[s]; i++) {
                        assert_int_equal(got->levels[s][i].price, expected->levels[s][i].price);
                        assert_int_equal(
                            got->levels[s][i].quantity, expected->levels[s][i].quantity);
                }
        }
}

static void encode(
    struct plain_encoder *encoder, const struct sequence *sequence, struct buffer *block)
{
        buffer_clear(block);
        plain_begin(encoder, &sequence->scale);
        for (size_t e = 0; e < sequence->count; e++)
                assert_int_equal(plain_add(encoder, &sequence->events[e]), 0);
        size_t size = plain_size(encoder);
        plain_finish(encoder, block);
        assert_true(block->size <= size);
}

static void every_sequence_comes_back_equal(void **state)
{
        (void)state;
        struct chance chance = {1};
        struct sequence *sequence = memory_new(sizeof(*sequence));
        struct plain_encoder encoder;
        struct plain_decoder decoder;
        struct buffer block;
        struct event event;
        plain_encoder_init(&encoder);
        plain_decoder_init(&decoder);
        buffer_init(&block, LIMIT_BLOCK_SIZE);
        for (unsigned round = 0; round < 3000; round++) {
                sequence_make(sequence, &chance);
                encode(&encoder, sequence, &block);
                assert_int_equal(plain_open(&decoder, &sequence->scale, buffer_bytes(&block)), 0);
                for (size_t e = 0; e < sequence->count; e++) {
                        assert_int_equal(plain_next(&decoder, &event), 1);
                        assert_event_equal(&event, &sequence->events[e]);
                }
                assert_int_equal(plain_next(&decoder, &event), 0);
        }
        buffer_deinit(&block);
        plain_encoder_deinit(&encoder);
        plain_decoder_deinit(&decoder);
        free(sequence);
}

/* Decode to the end; the number of events, or the code. The bytes stand in a block of exactly their
 * size, so that reading beyond them is seen by the sanitizer. */
static int decode_all(const uint8_t *data, size_t size, const struct scale *scale)
{
        struct plain_decoder decoder;
        struct event event;
        uint8_t *exact = memory_new(size);
        int code, count = 0;
        if (size)
                memcpy(exact, data, size);
        plain_decoder_init(&decoder);
        code = plain_open(&decoder, scale, (struct bytes){exact, size});
        for (int more = 1; !code && more; count += more) {
                more = plain_next(&decoder, &event);
                code = more < 0 ? more : 0;
                assert_true(decoder.capacity <= 64 + 2 * size);
        }
        plain_decoder_deinit(&decoder);
        free(exact);
        return code < 0 ? code : count;
}

static void a_block_cut_short_is_refused_or_shorter(void **state)
{
        (void)state;
        struct chance chance = {2};
        struct sequence *sequence = memory_new(sizeof(*sequence));
        struct plain_encoder encoder;
        struct buffer block;
        plain_encoder_init(&encoder);
        buffer_init(&block, LIMIT_BLOCK_SIZE);
        for (unsigned round = 0; round < 10; round++) {
                sequence_make(sequence, &chance);
                encode(&encoder, sequence, &block);
                assert_int_equal(
                    decode_all(block.data, block.size, &sequence->scale), sequence->count);
                for (size_t size = 0; size < block.size; size++)
                        assert_int_equal(
                            decode_all(block.data, size, &sequence->scale), ERR_CORRUPT);
        }
        buffer_deinit(&block);
        plain_encoder_deinit(&encoder);
        free(sequence);
}

static void garbage_is_never_read_beyond(void **state)
{
        (void)state;
        struct chance chance = {3};
        struct scale scale = {8, 8, true, INT64_MAX, 1000};
        uint8_t garbage[256];
        for (unsigned round = 0; round < 100000; round++) {
                size_t size = chance_below(&chance, sizeof(garbage));
                for (size_t i = 0; i < size; i++)
                        garbage[i] = (uint8_t)(chance_one_in(&chance, 3) ? chance_below(&chance, 12)
                                                                         : chance_next(&chance));
                assert_true(decode_all(garbage, size, &scale) >= ERR_CORRUPT);
        }
}

static void a_full_block_is_left_as_it_was(void **state)
{
        (void)state;
        struct plain_encoder encoder;
        struct scale scale = {8, 8, true, 1, 1};
        size_t count = LIMIT_EVENT_LEVELS;
        struct level *levels = memory_new(count * sizeof(*levels));
        for (size_t i = 0; i < count; i++)
                levels[i] = (struct level){i & 1 ? INT64_MAX / 2 : INT64_MIN / 2, INT64_MIN};
        struct event event = {
            .count = {(uint32_t)count, (uint32_t)count}, .levels = {levels, levels}};
        plain_encoder_init(&encoder);
        plain_begin(&encoder, &scale);
        assert_int_equal(plain_add(&encoder, &event), 0); /* the largest event fits */
        size_t size = plain_size(&encoder);
        assert_int_equal(plain_add(&encoder, &event), ERR_FULL);
        assert_int_equal(plain_size(&encoder), size);
        plain_encoder_deinit(&encoder);
        free(levels);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_sequence_comes_back_equal),
            cmocka_unit_test(a_block_cut_short_is_refused_or_shorter),
            cmocka_unit_test(garbage_is_never_read_beyond),
            cmocka_unit_test(a_full_block_is_left_as_it_was),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
