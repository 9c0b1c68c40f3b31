/* The book against a naive one: whatever is done to both, they stay equal, level for level. */
#include "base/error.h"
#include "base/limits.h"
#include "tests/unit/help.h"

static void random_events_leave_both_books_equal(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 8; seed++) {
                struct chance chance = {seed};
                struct book book;
                struct naive *naive = memory_new(sizeof(*naive));
                uint64_t width = seed % 2 ? 700 : 40; /* many chunks, or crowded prices */
                book_init(&book);
                for (unsigned round = 0; round < 1500; round++) {
                        struct level levels[24];
                        struct event event = {.last_id = round,
                            .count = {(uint32_t)chance_below(&chance, 13),
                                (uint32_t)chance_below(&chance, 13)}};
                        bool empties = round / 300 % 2;
                        for (unsigned i = 0; i < 24; i++)
                                levels[i] = (struct level){
                                    (int64_t)chance_below(&chance, width) - (int64_t)width / 2,
                                    chance_one_in(&chance, empties ? 1 : 3)
                                        ? 0
                                        : (int64_t)chance_below(&chance, 1 << 30)};
                        event.levels[SIDE_BID] = levels;
                        event.levels[SIDE_ASK] = levels + event.count[SIDE_BID];
                        assert_int_equal(book_apply(&book, &event), 0);
                        naive_apply(naive, &event);
                        assert_int_equal(book.id, round);
                        if (round % 50 == 0)
                                assert_book_is(&book, naive);
                }
                assert_book_is(&book, naive);
                book_deinit(&book);
                free(naive);
        }
}

static void setting_a_level_tells_what_stood_there(void **state)
{
        (void)state;
        struct book book;
        struct level best;
        book_init(&book);
        assert_false(book_best(&book, SIDE_BID, &best));
        assert_int_equal(book_set(&book, SIDE_BID, 100, 5), 0);
        assert_int_equal(book_set(&book, SIDE_BID, 100, 7), 5);
        assert_int_equal(book_quantity(&book, SIDE_BID, 100), 7);
        assert_int_equal(book_quantity(&book, SIDE_ASK, 100), 0);
        assert_int_equal(book_set(&book, SIDE_BID, 99, 0), 0);
        assert_int_equal(book_set(&book, SIDE_BID, 100, 0), 7);
        assert_int_equal(book_count(&book, SIDE_BID), 0);
        book_deinit(&book);
}

static void bids_fall_and_asks_rise_from_the_best(void **state)
{
        (void)state;
        struct book book;
        struct level level;
        book_init(&book);
        for (int64_t price = 1; price <= 9; price++) {
                book_set(&book, SIDE_BID, price * 37 % 11, price);
                book_set(&book, SIDE_ASK, 100 + price * 37 % 11, price);
        }
        for (enum side s = 0; s < SIDES; s++) {
                struct book_cursor cursor = {0};
                int64_t before = s == SIDE_BID ? INT64_MAX : INT64_MIN;
                while (book_next(&book, s, &cursor, &level)) {
                        assert_true(s == SIDE_BID ? level.price < before : level.price > before);
                        before = level.price;
                }
        }
        assert_false(book_is_crossed(&book));
        book_best(&book, SIDE_BID, &level);
        book_set(&book, SIDE_ASK, level.price, 1);
        assert_true(book_is_crossed(&book));
        book_deinit(&book);
}

static void an_image_replaces_all_that_was(void **state)
{
        (void)state;
        struct book book;
        struct naive *naive = memory_new(sizeof(*naive));
        struct level levels[] = {{10, 1}, {9, 2}, {9, 3}, {8, 0}, {7, 4}};
        struct image image = {
            .id = 77, .count = {5, 0}, .levels = {levels, NULL}, .bounded = {true, true}};
        book_init(&book);
        for (int64_t price = 0; price < 1000; price++)
                book_set(&book, (enum side)(price & 1), price, 1);
        assert_int_equal(book_set_image(&book, &image), 0);
        naive_set(naive, SIDE_BID, 10, 1);
        naive_set(naive, SIDE_BID, 9, 3);
        naive_set(naive, SIDE_BID, 7, 4);
        assert_book_is(&book, naive);
        assert_int_equal(book.id, 77);
        assert_true(book.bounded[SIDE_BID]);
        assert_int_equal(book.horizon[SIDE_BID], 7);
        assert_false(book.bounded[SIDE_ASK]); /* nothing came: there is no horizon */
        book_clear(&book);
        assert_int_equal(book_count(&book, SIDE_BID), 0);
        assert_false(book.bounded[SIDE_BID]);
        book_deinit(&book);
        free(naive);
}

static void a_copy_lives_by_itself(void **state)
{
        (void)state;
        struct book book, copy;
        struct chance chance = {4};
        struct naive *naive = memory_new(sizeof(*naive));
        book_init(&book);
        book_init(&copy);
        for (unsigned i = 0; i < 2000; i++) {
                int64_t price = (int64_t)chance_below(&chance, 1500);
                book_set(&book, i & 1, price, i + 1);
                naive_set(naive, i & 1, price, i + 1);
                book_set(&copy, i & 1, (int64_t)chance_below(&chance, 90), 1);
        }
        book.id = 5;
        book.bounded[SIDE_ASK] = true;
        book.horizon[SIDE_ASK] = 99;
        book_copy(&copy, &book);
        book_clear(&book);
        assert_book_is(&copy, naive);
        assert_int_equal(copy.id, 5);
        assert_true(copy.bounded[SIDE_ASK]);
        assert_int_equal(copy.horizon[SIDE_ASK], 99);
        book_set(&copy, SIDE_BID, 3, 12345);
        naive_set(naive, SIDE_BID, 3, 12345);
        assert_book_is(&copy, naive);
        book_deinit(&book);
        book_deinit(&copy);
        free(naive);
}

static void a_rescale_multiplies_everything_or_nothing(void **state)
{
        (void)state;
        struct book book;
        struct naive *naive = memory_new(sizeof(*naive));
        book_init(&book);
        for (int64_t i = 1; i < 500; i++) {
                book_set(&book, SIDE_BID, i, i * 3);
                naive_set(naive, SIDE_BID, i * 10, i * 300);
        }
        book.horizon[SIDE_BID] = 1;
        assert_int_equal(book_rescale(&book, 10, 100), 0);
        assert_book_is(&book, naive);
        assert_int_equal(book.horizon[SIDE_BID], 10);
        assert_int_equal(book_set(&book, SIDE_BID, 10, 300), 300);
        assert_int_equal(book_set(&book, SIDE_ASK, 1, INT64_MAX / 2), 0);
        naive_set(naive, SIDE_ASK, 1, INT64_MAX / 2);
        assert_int_equal(book_rescale(&book, 1, 3), ERR_RANGE);
        assert_int_equal(book_rescale(&book, INT64_MAX, 1), ERR_RANGE);
        assert_book_is(&book, naive);
        book_deinit(&book);
        free(naive);
}

static void a_hundred_thousand_levels_come_and_go(void **state)
{
        (void)state;
        enum {
                COUNT = 100000
        };
        struct book book;
        struct level level;
        struct book_cursor cursor = {0};
        book_init(&book);
        for (int64_t i = 0; i < COUNT; i++)
                book_set(&book, SIDE_ASK, i * 99991 % COUNT, i + 1);
        assert_int_equal(book_count(&book, SIDE_ASK), COUNT);
        for (int64_t price = 0; price < COUNT; price++) {
                assert_true(book_next(&book, SIDE_ASK, &cursor, &level));
                assert_int_equal(level.price, price);
        }
        for (int64_t i = 0; i < COUNT; i++)
                assert_int_equal(book_set(&book, SIDE_ASK, i * 99991 % COUNT, 0), i + 1);
        assert_int_equal(book_count(&book, SIDE_ASK), 0);
        assert_false(book_best(&book, SIDE_ASK, &level));
        book_deinit(&book);
}

static void what_would_be_too_much_changes_nothing(void **state)
{
        (void)state;
        struct book book;
        struct level *levels = memory_new((LIMIT_BOOK_LEVELS + 1) * sizeof(*levels));
        for (int64_t i = 0; i <= LIMIT_BOOK_LEVELS; i++)
                levels[i] = (struct level){i, 1};
        struct image image = {.id = 1, .count = {0, LIMIT_BOOK_LEVELS}, .levels = {NULL, levels}};
        struct event event = {.last_id = 2, .count = {1, 1}, .levels = {levels, levels}};
        book_init(&book);
        assert_int_equal(book_set_image(&book, &image), 0);
        assert_int_equal(book_count(&book, SIDE_ASK), LIMIT_BOOK_LEVELS);
        assert_int_equal(book_apply(&book, &event), ERR_FULL);
        assert_int_equal(book_count(&book, SIDE_BID), 0);
        assert_int_equal(book.id, 1);
        image.count[SIDE_ASK]++;
        image.id = 3;
        assert_int_equal(book_set_image(&book, &image), ERR_FULL);
        assert_int_equal(book_count(&book, SIDE_ASK), LIMIT_BOOK_LEVELS);
        assert_int_equal(book.id, 1);
        book_deinit(&book);
        free(levels);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(random_events_leave_both_books_equal),
            cmocka_unit_test(setting_a_level_tells_what_stood_there),
            cmocka_unit_test(bids_fall_and_asks_rise_from_the_best),
            cmocka_unit_test(an_image_replaces_all_that_was),
            cmocka_unit_test(a_copy_lives_by_itself),
            cmocka_unit_test(a_rescale_multiplies_everything_or_nothing),
            cmocka_unit_test(a_hundred_thousand_levels_come_and_go),
            cmocka_unit_test(what_would_be_too_much_changes_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
