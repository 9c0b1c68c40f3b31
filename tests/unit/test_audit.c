/* What an audit is made of: the score's formula, two books compared, trades against a book. */
#include "audit/compare.h"
#include "audit/quotes.h"
#include "audit/score.h"
#include "tests/unit/help.h"

#define S INT64_C(1000000000)

/* ---- score ---- */

static void what_is_right_costs_nothing(void **state)
{
        (void)state;
        struct audit_record record = {0};
        for (enum audit_check check = 0; check < AUDIT_CHECKS; check++) {
                assert_int_equal(score_penalty(check, 1000, 0), 0);
                score_judge(&record, check, 1000, 0);
                assert_int_equal(record.results[check].outcome, AUDIT_GOOD);
        }
        score_finish(&record);
        assert_int_equal(record.score, 100);
}

static void each_check_costs_what_the_formula_says(void **state)
{
        (void)state;
        static const struct {
                enum audit_check check;
                uint64_t examined, wrong;
                unsigned penalty;
        } rows[] = {
            {AUDIT_COVERAGE, 86400, 1, 1},      /* a second of a day */
            {AUDIT_COVERAGE, 86400, 864, 10},   /* a hundredth */
            {AUDIT_COVERAGE, 86400, 43200, 50}, /* no more than that */
            {AUDIT_COVERAGE, 0, 1, 50},
            {AUDIT_FRESH, 1, 30 * S, 10},
            {AUDIT_FRESH, 1, 300 * S, 15},
            {AUDIT_FRESH, 1, 86400 * S, 50},
            {AUDIT_FRAMES, 9, 1, 60},
            {AUDIT_IDS, 1000, 1, 5},
            {AUDIT_IDS, 1000, 7, 35},
            {AUDIT_IDS, 1000, 8, 40},
            {AUDIT_IDS, 1000, UINT64_MAX, 40},
            {AUDIT_CROSSED, 1000, 1, 6},
            {AUDIT_CROSSED, 1000, 999, 30},
            {AUDIT_IMAGE, 2000, 1, 21},
            {AUDIT_IMAGE, 2000, 100, 30},
            {AUDIT_IMAGE, 2000, 2000, 60},
            {AUDIT_LEVELS, 2000, 1, 21},
            {AUDIT_TAPE, 1000, 10, 0},
            {AUDIT_TAPE, 1000, 11, 1},
            {AUDIT_TAPE, 10, 2, 0}, /* a few are always let pass */
            {AUDIT_TAPE, 10, 3, 20},
        };
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                assert_int_equal(
                    score_penalty(rows[i].check, rows[i].examined, rows[i].wrong), rows[i].penalty);
}

static void a_score_is_never_below_0(void **state)
{
        (void)state;
        struct audit_record record = {0};
        score_judge(&record, AUDIT_IMAGE, 10, 10);
        score_judge(&record, AUDIT_IDS, 10, 1);
        assert_int_equal(record.results[AUDIT_IDS].outcome, AUDIT_FOUND);
        score_finish(&record);
        assert_int_equal(record.score, 35);
        score_judge(&record, AUDIT_FRAMES, 10, 1);
        score_finish(&record);
        assert_int_equal(record.score, 0);
}

/* ---- two books ---- */

static const struct level bids[] = {{100, 5}, {99, 6}, {98, 7}}, asks[] = {{101, 1}, {102, 2}};

static struct image image_of(
    const struct level *b, uint32_t bid_count, const struct level *a, uint32_t ask_count)
{
        return (struct image){
            .kind = KIND_L2, .id = 7, .count = {bid_count, ask_count}, .levels = {b, a}};
}

static struct comparison compared(
    const struct image *ours, const struct image *theirs, const struct event *except)
{
        struct comparison comparison;
        struct book book;
        book_init(&book);
        assert_int_equal(book_set_image(&book, ours), 0);
        assert_int_equal(compare_books(&book, theirs, except, &comparison), 0);
        book_deinit(&book);
        return comparison;
}

static void equal_books_do_not_differ(void **state)
{
        (void)state;
        struct image image = image_of(bids, 3, asks, 2);
        struct comparison comparison = compared(&image, &image, NULL);
        assert_int_equal(comparison.compared, 5);
        assert_int_equal(comparison.wrong, 0);
}

static void each_difference_has_its_place(void **state)
{
        (void)state;
        static const struct level other_bids[] = {{100, 5}, {99, 8}, {97, 1}};
        struct image ours = image_of(bids, 3, asks, 2), theirs = image_of(other_bids, 3, asks, 1);
        struct comparison comparison = compared(&ours, &theirs, NULL);
        static const struct difference expected[] = {{SIDE_BID, 99, 6, 8}, {SIDE_BID, 98, 7, 0},
            {SIDE_BID, 97, 0, 1}, {SIDE_ASK, 102, 2, 0}};
        assert_int_equal(comparison.compared, 6);
        assert_int_equal(comparison.wrong, 4);
        assert_int_equal(comparison.shown, 4);
        for (size_t i = 0; i < 4; i++) {
                assert_int_equal(comparison.first[i].side, expected[i].side);
                assert_int_equal(comparison.first[i].price, expected[i].price);
                assert_int_equal(comparison.first[i].ours, expected[i].ours);
                assert_int_equal(comparison.first[i].theirs, expected[i].theirs);
        }
}

static void levels_beyond_either_horizon_are_not_compared(void **state)
{
        (void)state;
        struct image ours = image_of(bids, 3, asks, 2), theirs = image_of(bids, 2, asks, 1);
        theirs.bounded[SIDE_BID] = theirs.bounded[SIDE_ASK] = true;
        struct comparison comparison = compared(&ours, &theirs, NULL);
        assert_int_equal(comparison.compared, 3);
        assert_int_equal(comparison.wrong, 0);
        comparison = compared(&theirs, &ours, NULL);
        assert_int_equal(comparison.compared, 3);
        assert_int_equal(comparison.wrong, 0);
}

static void prices_of_the_event_around_the_image_are_not_judged(void **state)
{
        (void)state;
        static const struct level other[] = {{100, 5}, {99, 8}, {98, 9}}, touched[] = {{99, 6}};
        struct image ours = image_of(bids, 3, asks, 2), theirs = image_of(other, 3, asks, 2);
        struct event event = {.count = {1, 0}, .levels = {touched, NULL}};
        struct comparison comparison = compared(&ours, &theirs, &event);
        assert_int_equal(comparison.compared, 4);
        assert_int_equal(comparison.wrong, 1);
        assert_int_equal(comparison.first[0].price, 98);
}

/* ---- trades and the book ---- */

struct market {
        struct quotes quotes;
        struct book book;
};

static void market_begin(struct market *market)
{
        quotes_init(&market->quotes);
        quotes_begin(&market->quotes, 1000 * S, 1060 * S);
        book_init(&market->book);
}

static void market_stands(struct market *market, int64_t time_ns, int64_t bid, int64_t ask)
{
        struct level levels[SIDES] = {{bid, 1}, {ask, 1}};
        struct image image = image_of(&levels[SIDE_BID], 1, &levels[SIDE_ASK], 1);
        assert_int_equal(book_set_image(&market->book, &image), 0);
        quotes_take(&market->quotes, time_ns, &market->book, 2);
}

static void market_end(struct market *market)
{
        quotes_deinit(&market->quotes);
        book_deinit(&market->book);
}

static void a_trade_is_inside_what_stood_around_its_second(void **state)
{
        (void)state;
        struct market market;
        market_begin(&market);
        market_stands(&market, 1010 * S, 10000, 10001);
        market_stands(&market, 1012 * S, 20000, 20001);
        market_stands(&market, 1030 * S, 20000, 20001);
        struct quotes *quotes = &market.quotes;
        assert_int_equal(quotes_judge(quotes, 1010 * S, 10000, 2), QUOTES_INSIDE);
        assert_int_equal(quotes_judge(quotes, 1010 * S, 9991, 2), QUOTES_INSIDE); /* slack */
        assert_int_equal(quotes_judge(quotes, 1010 * S, 9989, 2), QUOTES_OUTSIDE);
        assert_int_equal(quotes_judge(quotes, 1012 * S, 10000, 2), QUOTES_INSIDE); /* before it */
        assert_int_equal(quotes_judge(quotes, 1014 * S, 10000, 2), QUOTES_OUTSIDE);
        assert_int_equal(quotes_judge(quotes, 1020 * S, 20000, 2), QUOTES_INSIDE); /* it stands */
        assert_int_equal(quotes_judge(quotes, 1020 * S, 20030, 2), QUOTES_OUTSIDE);
        assert_int_equal(quotes_judge(quotes, 1020 * S, 2000, 1), QUOTES_INSIDE); /* same price */
        assert_int_equal(quotes_judge(quotes, 1020 * S, 2000, 2), QUOTES_OUTSIDE);
        market_end(&market);
}

static void where_no_book_is_known_no_trade_is_judged(void **state)
{
        (void)state;
        struct market market;
        market_begin(&market);
        market_stands(&market, 1010 * S, 10000, 10001);
        quotes_break(&market.quotes);
        market_stands(&market, 1020 * S, 10000, 10001);
        struct quotes *quotes = &market.quotes;
        assert_int_equal(quotes_judge(quotes, 1005 * S, 1, 2), QUOTES_UNKNOWN);
        assert_int_equal(quotes_judge(quotes, 1015 * S, 1, 2), QUOTES_UNKNOWN);
        assert_int_equal(quotes_judge(quotes, 1025 * S, 1, 2), QUOTES_UNKNOWN);
        assert_int_equal(quotes_judge(quotes, 1 * S, 1, 2), QUOTES_UNKNOWN);
        assert_int_equal(quotes_judge(quotes, 9000 * S, 1, 2), QUOTES_UNKNOWN);
        assert_int_equal(quotes_judge(quotes, 1020 * S, 1, 2), QUOTES_OUTSIDE);
        market_end(&market);
}

static void of_a_range_that_is_too_long_the_end_is_kept(void **state)
{
        (void)state;
        struct quotes quotes;
        int64_t end_ns = 40 * INT64_C(86400) * S;
        quotes_init(&quotes);
        quotes_begin(&quotes, 0, end_ns);
        assert_true(quotes.count <= QUOTES_MAX);
        assert_true(quotes.from_ns + (int64_t)quotes.count * S > end_ns);
        assert_int_equal(quotes_judge(&quotes, end_ns, 1, 0), QUOTES_UNKNOWN);
        quotes_deinit(&quotes);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_is_right_costs_nothing),
            cmocka_unit_test(each_check_costs_what_the_formula_says),
            cmocka_unit_test(a_score_is_never_below_0),
            cmocka_unit_test(equal_books_do_not_differ),
            cmocka_unit_test(each_difference_has_its_place),
            cmocka_unit_test(levels_beyond_either_horizon_are_not_compared),
            cmocka_unit_test(prices_of_the_event_around_the_image_are_not_judged),
            cmocka_unit_test(a_trade_is_inside_what_stood_around_its_second),
            cmocka_unit_test(where_no_book_is_known_no_trade_is_judged),
            cmocka_unit_test(of_a_range_that_is_too_long_the_end_is_kept),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
