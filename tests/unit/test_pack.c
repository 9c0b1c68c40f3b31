/* Packed columns: what was packed comes back, costs hardly more than it was, and garbage is
 * refused.
 */
#include "base/error.h"
#include "base/limits.h"
#include "codec/pack.h"
#include "codec/varint.h"
#include "tests/unit/help.h"

/* What a block grows by at most, packed: a bit a column, and a head of two bytes for each group. */
#define GROWTH (PACK_COLUMNS_MAX / 8 + 2 * PACK_COLUMNS_MAX)

struct case_of_pack {
        struct packer packer, unpacker;
        struct buffer block, packed, again;
};

static void case_begin(struct case_of_pack *it)
{
        packer_init(&it->packer);
        packer_init(&it->unpacker);
        buffer_init(&it->block, 2 * (size_t)LIMIT_BLOCK_SIZE);
        buffer_init(&it->packed, 2 * (size_t)LIMIT_BLOCK_SIZE);
        buffer_init(&it->again, 2 * (size_t)LIMIT_BLOCK_SIZE);
}

static void case_end(struct case_of_pack *it)
{
        packer_deinit(&it->packer);
        packer_deinit(&it->unpacker);
        buffer_deinit(&it->block);
        buffer_deinit(&it->packed);
        buffer_deinit(&it->again);
}

enum column_style {
        STYLE_EMPTY,
        STYLE_CONSTANT,
        STYLE_NOISE,
        STYLE_SKEWED, /* few symbols, some of them often */
        STYLE_RARE,   /* all symbols, most of them hardly ever */
        STYLE_TEXT,   /* repeats itself */
        STYLES,
};

static uint8_t any_byte(struct chance *chance, enum column_style style, size_t i)
{
        switch (style) {
        case STYLE_CONSTANT:
                return 77;
        case STYLE_NOISE:
                return (uint8_t)chance_next(chance);
        case STYLE_SKEWED:
                return (uint8_t)(chance_below(chance, 5) * chance_below(chance, 5));
        case STYLE_RARE:
                return (uint8_t)chance_below(chance, chance_one_in(chance, 100) ? 256 : 56);
        default:
                return (uint8_t)(i * i % 11);
        }
}

/* A block of @count columns of at most @size_max bytes. @style: STYLES for any. */
static void block_make(struct buffer *block, struct chance *chance, size_t count, size_t size_max,
    enum column_style style)
{
        size_t sizes[PACK_COLUMNS_MAX];
        enum column_style styles[PACK_COLUMNS_MAX];
        buffer_clear(block);
        write_varint(block, count);
        for (size_t i = 0; i < count; i++) {
                styles[i] =
                    style < STYLES ? style : (enum column_style)chance_below(chance, STYLES);
                size_t limit = chance_one_in(chance, 3) ? size_max : 20;
                sizes[i] = styles[i] == STYLE_EMPTY ? 0 : 1 + chance_below(chance, limit);
                write_varint(block, sizes[i]);
        }
        for (size_t i = 0; i < count; i++) {
                for (size_t k = 0; k < sizes[i]; k++)
                        buffer_append_byte(block, any_byte(chance, styles[i], k));
        }
}

/* In bytes of exactly their size, behind something that must stay. */
static int unpack(struct case_of_pack *it, struct bytes packed, size_t size)
{
        uint8_t *exact = memory_new(packed.size);
        if (packed.size)
                memcpy(exact, packed.data, packed.size);
        buffer_clear(&it->again);
        buffer_append_text(&it->again, "kept");
        int code =
            unpack_columns(&it->unpacker, (struct bytes){exact, packed.size}, size, &it->again);
        assert_memory_equal(it->again.data, "kept", 4);
        free(exact);
        return code;
}

static void check_block(struct case_of_pack *it)
{
        buffer_clear(&it->packed);
        buffer_append_text(&it->packed, "kept");
        assert_int_equal(pack_columns(&it->packer, buffer_bytes(&it->block), &it->packed), 0);
        assert_memory_equal(it->packed.data, "kept", 4);
        struct bytes packed = {it->packed.data + 4, it->packed.size - 4};
        assert_true(packed.size <= it->block.size + GROWTH);
        assert_int_equal(unpack(it, packed, it->block.size), 0);
        assert_int_equal(it->again.size, it->block.size + 4);
        assert_memory_equal(it->again.data + 4, it->block.data, it->block.size);
}

static void any_columns_come_back_equal(void **state)
{
        (void)state;
        struct chance chance = {1};
        struct case_of_pack it;
        case_begin(&it);
        for (unsigned round = 0; round < 400; round++) {
                size_t count = chance_below(&chance, round % 4 ? 50 : PACK_COLUMNS_MAX + 1);
                block_make(&it.block, &chance, count, round % 10 ? 300 : 9000, STYLES);
                check_block(&it);
        }
        case_end(&it);
}

static void columns_of_one_style_come_back_equal(void **state)
{
        (void)state;
        static const size_t counts[] = {0, 1, 2, 7, 8, 9, 255, 256};
        struct chance chance = {2};
        struct case_of_pack it;
        case_begin(&it);
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
                for (enum column_style style = 0; style < STYLES; style++) {
                        block_make(&it.block, &chance, counts[i], 200, style);
                        check_block(&it);
                }
        }
        case_end(&it);
}

static void large_columns_come_back_equal(void **state)
{
        (void)state;
        struct chance chance = {3};
        struct case_of_pack it;
        case_begin(&it);
        for (enum column_style style = STYLE_CONSTANT; style <= STYLES; style++) {
                block_make(&it.block, &chance, 6, 1u << 20, style);
                check_block(&it);
        }
        case_end(&it);
}

static void what_is_alike_gets_small(void **state)
{
        (void)state;
        struct chance chance = {4};
        struct case_of_pack it;
        case_begin(&it);
        block_make(&it.block, &chance, 100, 5000, STYLE_CONSTANT);
        check_block(&it);
        assert_true(it.packed.size < 700);
        block_make(&it.block, &chance, 100, 5000, STYLE_SKEWED);
        check_block(&it);
        assert_true(it.packed.size < it.block.size * 3 / 4);
        case_end(&it);
}

static void what_is_no_block_of_columns_is_refused(void **state)
{
        (void)state;
        static const struct {
                uint8_t bytes[6];
                size_t size;
        } blocks[] = {
            {{0}, 0},                      /* nothing */
            {{1}, 1},                      /* no size */
            {{1, 2, 7}, 3},                /* a byte too few */
            {{1, 1, 7, 7}, 4},             /* a byte too many */
            {{0, 7}, 2},                   /* likewise */
            {{0x81, 0x02}, 2},             /* 257 columns */
            {{0x80}, 1},                   /* half a number */
            {{0x81, 0x00, 0x01, 7}, 4},    /* a number longer than it need be */
            {{1, 0x81, 0x80, 0x00, 7}, 5}, /* likewise */
        };
        struct case_of_pack it;
        case_begin(&it);
        for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
                assert_int_equal(pack_columns(&it.packer,
                                     (struct bytes){blocks[i].bytes, blocks[i].size}, &it.packed),
                    ERR_CORRUPT);
        case_end(&it);
}

static void another_size_is_refused(void **state)
{
        (void)state;
        static const size_t others[] = {0, 1, LIMIT_BLOCK_SIZE, LIMIT_BLOCK_SIZE + 1, SIZE_MAX};
        struct chance chance = {5};
        struct case_of_pack it;
        case_begin(&it);
        for (unsigned round = 0; round < 30; round++) {
                block_make(&it.block, &chance, 1 + round, 100, STYLES);
                buffer_clear(&it.packed);
                pack_columns(&it.packer, buffer_bytes(&it.block), &it.packed);
                struct bytes packed = buffer_bytes(&it.packed);
                assert_int_equal(unpack(&it, packed, it.block.size), 0);
                assert_int_equal(unpack(&it, packed, it.block.size - 1), ERR_CORRUPT);
                assert_int_equal(unpack(&it, packed, it.block.size + 1), ERR_CORRUPT);
                for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                        assert_int_equal(unpack(&it, packed, others[i]), ERR_CORRUPT);
        }
        case_end(&it);
}

static void cuts_and_tails_are_refused(void **state)
{
        (void)state;
        struct chance chance = {6};
        struct case_of_pack it;
        case_begin(&it);
        for (unsigned round = 0; round < 20; round++) {
                block_make(&it.block, &chance, 1 + round * 3, 200, STYLES);
                buffer_clear(&it.packed);
                pack_columns(&it.packer, buffer_bytes(&it.block), &it.packed);
                for (size_t size = 0; size < it.packed.size; size++)
                        assert_int_equal(
                            unpack(&it, (struct bytes){it.packed.data, size}, it.block.size),
                            ERR_CORRUPT);
                buffer_append_byte(&it.packed, 0);
                assert_int_equal(unpack(&it, buffer_bytes(&it.packed), it.block.size), ERR_CORRUPT);
        }
        case_end(&it);
}

/* There is no checksum here: damage may give other bytes, but never more or fewer of them. */
static void damage_gives_a_block_of_that_size_or_none(void **state)
{
        (void)state;
        struct chance chance = {7};
        struct case_of_pack it;
        size_t refused = 0;
        case_begin(&it);
        for (unsigned round = 0; round < 3000; round++) {
                if (round % 50 == 0)
                        block_make(&it.block, &chance, 1 + round / 50, 150, STYLES);
                buffer_clear(&it.packed);
                pack_columns(&it.packer, buffer_bytes(&it.block), &it.packed);
                for (uint64_t i = 1 + chance_below(&chance, 4); i > 0; i--)
                        it.packed.data[chance_below(&chance, it.packed.size)] =
                            (uint8_t)chance_next(&chance);
                int code = unpack(&it, buffer_bytes(&it.packed), it.block.size);
                assert_true(code == 0 || code == ERR_CORRUPT);
                refused += code != 0;
                if (!code)
                        assert_int_equal(it.again.size, it.block.size + 4);
        }
        assert_true(refused > 500);
        case_end(&it);
}

static void garbage_is_never_read_beyond(void **state)
{
        (void)state;
        struct chance chance = {8};
        struct case_of_pack it;
        uint8_t garbage[64];
        case_begin(&it);
        for (unsigned round = 0; round < 50000; round++) {
                size_t size = chance_below(&chance, sizeof(garbage));
                for (size_t i = 0; i < size; i++)
                        garbage[i] =
                            (uint8_t)(chance_one_in(&chance, 3) ? chance_next(&chance)
                                                                : chance_below(&chance, 8));
                unpack(&it, (struct bytes){garbage, size}, chance_below(&chance, 100));
        }
        case_end(&it);
}

static void any_bytes_pack_only_where_that_is_smaller(void **state)
{
        (void)state;
        struct chance chance = {9};
        struct case_of_pack it;
        size_t packed = 0;
        case_begin(&it);
        for (unsigned round = 0; round < 300; round++) {
                size_t size = chance_below(&chance, 4000);
                enum column_style style = (enum column_style)(1 + round % (STYLES - 1));
                buffer_clear(&it.block);
                buffer_clear(&it.packed);
                buffer_clear(&it.again);
                for (size_t i = 0; i < size; i++)
                        buffer_append_byte(&it.block, any_byte(&chance, style, i));
                if (!pack_bytes(&it.packer, buffer_bytes(&it.block), &it.packed)) {
                        assert_int_equal(it.packed.size, 0);
                        continue;
                }
                packed++;
                assert_true(it.packed.size < size);
                assert_int_equal(
                    unpack_bytes(&it.unpacker, buffer_bytes(&it.packed), size, &it.again), 0);
                assert_int_equal(it.again.size, size);
                assert_memory_equal(it.again.data, it.block.data, size);
                assert_int_equal(
                    unpack_bytes(&it.unpacker, buffer_bytes(&it.packed), size - 1, &it.again),
                    ERR_CORRUPT);
                it.packed.size--;
                assert_int_equal(
                    unpack_bytes(&it.unpacker, buffer_bytes(&it.packed), size, &it.again),
                    ERR_CORRUPT);
        }
        assert_true(packed > 150);
        case_end(&it);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(any_columns_come_back_equal),
            cmocka_unit_test(columns_of_one_style_come_back_equal),
            cmocka_unit_test(large_columns_come_back_equal),
            cmocka_unit_test(what_is_alike_gets_small),
            cmocka_unit_test(what_is_no_block_of_columns_is_refused),
            cmocka_unit_test(another_size_is_refused),
            cmocka_unit_test(cuts_and_tails_are_refused),
            cmocka_unit_test(damage_gives_a_block_of_that_size_or_none),
            cmocka_unit_test(garbage_is_never_read_beyond),
            cmocka_unit_test(any_bytes_pack_only_where_that_is_smaller),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
