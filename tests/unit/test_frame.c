/* Frames: the head comes back as written, and no cut or flipped frame is ever taken. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/error.h"
#include "base/limits.h"
#include "codec/frame.h"
#include "codec/varint.h"
#include "tests/unit/help.h"

static void info_make(struct frame_info *info, struct chance *chance)
{
        *info = (struct frame_info){.kind = (uint8_t)(1 + chance_below(chance, FRAME_KINDS - 1)),
            .method = (uint8_t)chance_below(chance, METHODS),
            .flags = (uint32_t)chance_next(chance) & FRAME_FLAGS,
            .scale = {(uint8_t)chance_below(chance, 19), (uint8_t)chance_below(chance, 19),
                chance_one_in(chance, 2), 1 + (int64_t)(chance_next(chance) >> 2),
                chance_one_in(chance, 2) ? INT64_MAX : 1},
            .epoch = (uint32_t)chance_next(chance),
            .segment = chance_next(chance),
            .events = (uint32_t)chance_next(chance),
            .level_updates = (uint32_t)chance_next(chance),
            .first_id = chance_int64(chance),
            .last_id = chance_int64(chance),
            .first_event_time_ns = chance_int64(chance),
            .last_event_time_ns = chance_int64(chance),
            .min_event_time_ns = chance_int64(chance),
            .max_event_time_ns = chance_int64(chance),
            .first_receive_time_ns = chance_int64(chance),
            .last_receive_time_ns = chance_int64(chance)};
        if (info->flags & FRAME_TIMED)
                info->running_max_ns = chance_int64(chance);
        if (!frame_is_image(info))
                return;
        info->corrections = (uint32_t)chance_next(chance);
        for (enum side s = 0; s < SIDES; s++) {
                if (info->flags & (uint32_t)FRAME_BOUNDED_BID << s)
                        info->horizon[s] = chance_int64(chance);
        }
}

static void assert_info_equal(const struct frame_info *a, const struct frame_info *b)
{
        assert_int_equal(a->kind, b->kind);
        assert_int_equal(a->method, b->method);
        assert_int_equal(a->flags, b->flags);
        assert_true(scale_equal(&a->scale, &b->scale));
        assert_int_equal(a->epoch, b->epoch);
        assert_int_equal(a->segment, b->segment);
        assert_int_equal(a->events, b->events);
        assert_int_equal(a->level_updates, b->level_updates);
        assert_int_equal(a->corrections, b->corrections);
        assert_int_equal(a->first_id, b->first_id);
        assert_int_equal(a->last_id, b->last_id);
        assert_int_equal(a->first_event_time_ns, b->first_event_time_ns);
        assert_int_equal(a->last_event_time_ns, b->last_event_time_ns);
        assert_int_equal(a->min_event_time_ns, b->min_event_time_ns);
        assert_int_equal(a->max_event_time_ns, b->max_event_time_ns);
        assert_int_equal(a->running_max_ns, b->running_max_ns);
        assert_int_equal(a->first_receive_time_ns, b->first_receive_time_ns);
        assert_int_equal(a->last_receive_time_ns, b->last_receive_time_ns);
        assert_int_equal(a->horizon[SIDE_BID], b->horizon[SIDE_BID]);
        assert_int_equal(a->horizon[SIDE_ASK], b->horizon[SIDE_ASK]);
}

/* Blocks that pack well and blocks that do not, empty ones too; of columns some. */
static void block_make(struct buffer *block, struct chance *chance)
{
        size_t size = chance_below(chance, 2000);
        bool packs = chance_one_in(chance, 2);
        buffer_clear(block);
        if (chance_one_in(chance, 3)) {
                write_varint(block, 3);
                write_varint(block, size / 2);
                write_varint(block, 0);
                write_varint(block, size - size / 2);
        }
        for (size_t i = 0; i < size; i++)
                buffer_append_byte(block, packs ? (uint8_t)(i % 7) : (uint8_t)chance_next(chance));
}

struct case_of_frame {
        struct frame_packer packer;
        struct frame_info info;
        struct buffer block, frame;
};

static void case_begin(struct case_of_frame *it)
{
        frame_packer_init(&it->packer);
        buffer_init(&it->block, LIMIT_BLOCK_SIZE + 16);
        buffer_init(&it->frame, 2 * (size_t)LIMIT_BLOCK_SIZE);
}

static void case_make(struct case_of_frame *it, struct chance *chance)
{
        info_make(&it->info, chance);
        block_make(&it->block, chance);
        buffer_clear(&it->frame);
        assert_int_equal(
            frame_write(&it->packer, &it->info, buffer_bytes(&it->block), &it->frame), 0);
}

static void case_end(struct case_of_frame *it)
{
        frame_packer_deinit(&it->packer);
        buffer_deinit(&it->block);
        buffer_deinit(&it->frame);
}

static void head_and_block_come_back_as_written(void **state)
{
        (void)state;
        struct chance chance = {1};
        struct case_of_frame it;
        struct frame_info info;
        struct bytes block;
        case_begin(&it);
        for (unsigned round = 0; round < 3000; round++) {
                case_make(&it, &chance);
                struct bytes frame = buffer_bytes(&it.frame);
                assert_int_equal(frame_peek(frame, &info), 0);
                assert_info_equal(&info, &it.info);
                assert_int_equal(frame_read(frame, &info), 0);
                assert_info_equal(&info, &it.info);
                assert_int_equal(frame_unpack(&it.packer, frame, &info, &block), 0);
                assert_info_equal(&info, &it.info);
                assert_int_equal(block.size, it.block.size);
                if (block.size)
                        assert_memory_equal(block.data, it.block.data, block.size);
        }
        case_end(&it);
}

static void the_same_input_gives_the_same_bytes(void **state)
{
        (void)state;
        struct chance chance = {2}, again = {2};
        struct case_of_frame a, b;
        case_begin(&a);
        case_begin(&b);
        for (unsigned round = 0; round < 100; round++) {
                case_make(&a, &chance);
                case_make(&b, &again);
                assert_int_equal(a.frame.size, b.frame.size);
                assert_memory_equal(a.frame.data, b.frame.data, a.frame.size);
        }
        case_end(&a);
        case_end(&b);
}

static int take(struct case_of_frame *it, struct bytes frame)
{
        struct frame_info info;
        struct bytes block;
        int read = frame_read(frame, &info);
        int unpacked = frame_unpack(&it->packer, frame, &info, &block);
        assert_int_equal(read != 0, unpacked != 0);
        frame_peek(frame, &info);
        return unpacked;
}

static void every_flipped_bit_is_seen(void **state)
{
        (void)state;
        struct chance chance = {3};
        struct case_of_frame it;
        case_begin(&it);
        for (unsigned round = 0; round < 12; round++) {
                case_make(&it, &chance);
                for (size_t bit = 0; bit < it.frame.size * 8; bit++) {
                        it.frame.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
                        assert_int_equal(take(&it, buffer_bytes(&it.frame)), ERR_CORRUPT);
                        it.frame.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
                }
                assert_int_equal(take(&it, buffer_bytes(&it.frame)), 0);
        }
        case_end(&it);
}

static void every_cut_and_every_tail_is_seen(void **state)
{
        (void)state;
        struct chance chance = {4};
        struct case_of_frame it;
        case_begin(&it);
        for (unsigned round = 0; round < 12; round++) {
                case_make(&it, &chance);
                for (size_t size = 0; size < it.frame.size; size++) {
                        uint8_t *exact = memory_new(size);
                        if (size)
                                memcpy(exact, it.frame.data, size);
                        assert_int_equal(take(&it, (struct bytes){exact, size}), ERR_CORRUPT);
                        free(exact);
                }
                buffer_append_byte(&it.frame, 0);
                assert_int_equal(take(&it, buffer_bytes(&it.frame)), ERR_CORRUPT);
        }
        case_end(&it);
}

/* Change one byte of the head and make the checksum right again. */
static int take_forged(struct case_of_frame *it, size_t at, uint8_t value)
{
        uint8_t *frame = it->frame.data, before = frame[at];
        frame[at] = value;
        uint64_t checksum =
            XXH3_64bits_withSeed(frame + 24, it->frame.size - 24, XXH3_64bits(frame, 16));
        uint64_t kept = load_u64(frame + 16);
        store_u64(frame + 16, checksum);
        int code = take(it, buffer_bytes(&it->frame));
        store_u64(frame + 16, kept);
        frame[at] = before;
        return code;
}

static void what_is_newer_or_unknown_is_refused_by_name(void **state)
{
        (void)state;
        struct chance chance = {5};
        struct case_of_frame it;
        struct frame_info info;
        struct bytes block;
        case_begin(&it);
        case_make(&it, &chance);
        assert_int_equal(take_forged(&it, 4, FRAME_VERSION), 0);
        assert_int_equal(take_forged(&it, 4, FRAME_VERSION + 1), ERR_VERSION);
        assert_int_equal(take_forged(&it, 6, METHODS), ERR_VERSION);
        assert_int_equal(take_forged(&it, 6, UINT8_MAX), ERR_VERSION);
        assert_int_equal(take_forged(&it, 5, 0), ERR_CORRUPT);
        assert_int_equal(take_forged(&it, 5, FRAME_KINDS), ERR_CORRUPT);
        assert_int_equal(take_forged(&it, 0, 'X'), ERR_CORRUPT);
        it.frame.data[7] = 9; /* a packing that is none; the checksum is made right */
        store_u64(it.frame.data + 16,
            XXH3_64bits_withSeed(
                it.frame.data + 24, it.frame.size - 24, XXH3_64bits(it.frame.data, 16)));
        assert_int_equal(
            frame_unpack(&it.packer, buffer_bytes(&it.frame), &info, &block), ERR_CORRUPT);
        case_end(&it);
}

/* Numbers can be written longer than they need be; no writer does, but what is packed must unpack.
 */
static void columns_of_odd_sizes_come_back_as_they_are(void **state)
{
        (void)state;
        static const uint8_t blocks[][6] = {{0x80, 0x00}, {0x81, 0x00, 0x03, 7, 7, 7},
            {0x02, 0x83, 0x80, 0x00, 0x00, 7}, {0x01, 0x04, 7, 7, 7, 7}};
        static const size_t sizes[] = {2, 6, 6, 6};
        struct case_of_frame it;
        struct frame_info info;
        struct bytes block;
        case_begin(&it);
        info_make(&it.info, &(struct chance){8});
        it.info.method = METHOD_TOKENS;
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                buffer_clear(&it.frame);
                assert_int_equal(frame_write(&it.packer, &it.info,
                                     (struct bytes){blocks[i], sizes[i]}, &it.frame),
                    0);
                assert_int_equal(
                    frame_unpack(&it.packer, buffer_bytes(&it.frame), &info, &block), 0);
                assert_int_equal(block.size, sizes[i]);
                assert_memory_equal(block.data, blocks[i], sizes[i]);
        }
        case_end(&it);
}

static void every_kind_has_a_name_of_its_own(void **state)
{
        (void)state;
        static const char *const names[] = {"unknown", "image", "changes", "headless", "repair"};
        for (unsigned kind = 0; kind < FRAME_KINDS; kind++)
                assert_string_equal(frame_kind_name(kind), names[kind]);
        assert_string_equal(frame_kind_name(FRAME_KINDS), "unknown");
        assert_string_equal(frame_kind_name(UINT32_MAX), "unknown");
}

static void a_forged_size_never_unpacks(void **state)
{
        (void)state;
        struct chance chance = {6};
        struct case_of_frame it;
        struct frame_info info;
        struct bytes block;
        case_begin(&it);
        for (unsigned round = 0; round < 50; round++) {
                case_make(&it, &chance);
                static const uint32_t sizes[] = {0, 1, LIMIT_BLOCK_SIZE, UINT32_MAX, INT32_MAX};
                for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                        if (sizes[i] == it.block.size)
                                continue;
                        store_u32(it.frame.data + 12, sizes[i]);
                        store_u64(it.frame.data + 16,
                            XXH3_64bits_withSeed(it.frame.data + 24, it.frame.size - 24,
                                XXH3_64bits(it.frame.data, 16)));
                        assert_int_equal(
                            frame_unpack(&it.packer, buffer_bytes(&it.frame), &info, &block),
                            ERR_CORRUPT);
                }
        }
        case_end(&it);
}

static void a_block_too_large_is_refused(void **state)
{
        (void)state;
        struct chance chance = {7};
        struct case_of_frame it;
        case_begin(&it);
        case_make(&it, &chance);
        size_t size = it.frame.size;
        buffer_clear(&it.block);
        memset(buffer_reserve(&it.block, LIMIT_BLOCK_SIZE + 1), 1, LIMIT_BLOCK_SIZE + 1);
        it.block.size = LIMIT_BLOCK_SIZE + 1;
        assert_int_equal(
            frame_write(&it.packer, &it.info, buffer_bytes(&it.block), &it.frame), ERR_FULL);
        assert_int_equal(it.frame.size, size);
        it.frame.limit = size + 10;
        it.block.size = 100;
        assert_int_equal(
            frame_write(&it.packer, &it.info, buffer_bytes(&it.block), &it.frame), ERR_FULL);
        assert_int_equal(it.frame.size, size);
        case_end(&it);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(head_and_block_come_back_as_written),
            cmocka_unit_test(the_same_input_gives_the_same_bytes),
            cmocka_unit_test(every_flipped_bit_is_seen),
            cmocka_unit_test(every_cut_and_every_tail_is_seen),
            cmocka_unit_test(what_is_newer_or_unknown_is_refused_by_name),
            cmocka_unit_test(columns_of_odd_sizes_come_back_as_they_are),
            cmocka_unit_test(every_kind_has_a_name_of_its_own),
            cmocka_unit_test(a_forged_size_never_unpacks),
            cmocka_unit_test(a_block_too_large_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
