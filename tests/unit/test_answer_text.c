/* A REST answer as a line's text and back: all that was in it, and nothing of what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "logger/answer_text.h"

#define URL "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=5000"

static struct buffer text;
static char url[ANSWER_URL_SIZE];

static int begin(void **state)
{
        (void)state;
        buffer_init(&text, LIMIT_REST_BODY);
        return 0;
}

static int end(void **state)
{
        (void)state;
        buffer_deinit(&text);
        return 0;
}

static struct rest_answer answer_of(const char *body, size_t size)
{
        struct rest_answer answer = {.id = 7,
            .status = 200,
            .retry_after_s = -1,
            .used_weight = 250,
            .received_ns = INT64_C(1795356000123456789)};
        buffer_init(&answer.body, LIMIT_REST_BODY + JSON_PADDING);
        buffer_append(&answer.body, body, size);
        return answer;
}

static void expect_same(const struct rest_answer *answer, const struct rest_answer *back)
{
        assert_int_equal(back->code, answer->code);
        assert_int_equal(back->status, answer->status);
        assert_int_equal(back->retry_after_s, answer->retry_after_s);
        assert_int_equal(back->used_weight, answer->used_weight);
        assert_int_equal(back->received_ns, answer->received_ns);
        assert_string_equal(back->text, answer->code ? answer->text : "");
        assert_int_equal(back->body.size, answer->body.size);
        if (answer->body.size)
                assert_memory_equal(back->body.data, answer->body.data, answer->body.size);
        assert_int_equal(back->address_count, answer->address_count);
        for (size_t i = 0; i < answer->address_count; i++)
                assert_string_equal(back->addresses[i], answer->addresses[i]);
}

/* There and back; @answer is freed. */
static void expect_round_trip(struct rest_answer *answer, const char *asked)
{
        static const uint8_t zeros[JSON_PADDING];
        struct rest_answer back;
        answer_write(answer, asked, &text);
        assert_false(text.failed);
        assert_int_equal(answer_read(buffer_bytes(&text), &back, url), 0);
        assert_string_equal(url, asked);
        expect_same(answer, &back);
        assert_true(back.body.capacity - back.body.size >= JSON_PADDING);
        assert_memory_equal(back.body.data + back.body.size, zeros, JSON_PADDING);
        buffer_deinit(&back.body);
        buffer_deinit(&answer->body);
}

static void an_answer_comes_back_as_it_was(void **state)
{
        (void)state;
        struct rest_answer answer = answer_of("{\"lastUpdateId\":1}", 18);
        expect_round_trip(&answer, URL);
}

static void a_body_may_hold_anything(void **state)
{
        static const char body[] = "\n\n0 200\n\0\xff\x00 two lines\nand no end";
        (void)state;
        struct rest_answer answer = answer_of(body, sizeof(body));
        expect_round_trip(&answer, URL);
        answer = answer_of("", 0);
        expect_round_trip(&answer, "");
}

static void a_failure_says_why(void **state)
{
        (void)state;
        struct rest_answer answer = answer_of("", 0);
        answer.code = ERR_IO;
        answer.status = 0;
        memset(answer.text, 'w', sizeof(answer.text) - 1);
        expect_round_trip(&answer, URL);
        answer = answer_of("busy", 4);
        answer.status = 429;
        answer.retry_after_s = INT64_MAX;
        answer.used_weight = INT64_MIN;
        expect_round_trip(&answer, URL);
}

static void a_look_up_has_addresses(void **state)
{
        (void)state;
        struct rest_answer answer = answer_of("", 0);
        answer.address_count = REST_ADDRESSES;
        for (size_t i = 0; i < REST_ADDRESSES; i++) {
                memset(answer.addresses[i], 'a' + (int)i, REST_ADDRESS_SIZE - 1);
                answer.addresses[i][i] = '\0';
        }
        memset(answer.addresses[0], ':', REST_ADDRESS_SIZE - 1);
        expect_round_trip(&answer, "stream.binance.com");
}

static void the_longest_address_comes_back(void **state)
{
        static char longest[ANSWER_URL_SIZE];
        (void)state;
        memset(longest, 'u', sizeof(longest) - 1);
        struct rest_answer answer = answer_of("body", 4);
        expect_round_trip(&answer, longest);
}

static void a_body_beyond_a_line_is_told(void **state)
{
        (void)state;
        static const char piece[4096];
        struct rest_answer answer = answer_of("", 0);
        while (answer.body.size < LIMIT_REST_BODY)
                buffer_append(&answer.body, piece, sizeof(piece));
        answer_write(&answer, URL, &text);
        assert_true(text.failed);
        buffer_clear(&answer.body);
        answer_write(&answer, URL, &text);
        assert_false(text.failed);
        buffer_deinit(&answer.body);
}

static int read_text(const char *from, size_t size, struct rest_answer *ret_answer)
{
        uint8_t *copy = malloc(size ? size : 1); /* so that a look behind its end is seen */
        assert_non_null(copy);
        memcpy(copy, from, size);
        int code = answer_read((struct bytes){copy, size}, ret_answer, url);
        free(copy);
        return code;
}

static void what_is_cut_short_is_refused(void **state)
{
        static const char whole[] = "host\n0 0 -1 -1 5 2\n\n127.0.0.1\n::1\n";
        struct rest_answer answer;
        (void)state;
        for (size_t size = 0; size < sizeof(whole) - 1; size++)
                assert_int_equal(read_text(whole, size, &answer), ERR_PARSE);
        assert_int_equal(read_text(whole, sizeof(whole) - 1, &answer), 0);
        assert_int_equal(answer.address_count, 2);
        assert_string_equal(answer.addresses[1], "::1");
        assert_int_equal(answer.body.size, 0);
        buffer_deinit(&answer.body);
}

static void what_is_wrong_is_refused_and_leaves_the_answer(void **state)
{
        static const char *const wrong[] = {"\n\n\n", "u\n0 200 -1 -1 5\n\nbody",
            "u\nzero 200 -1 -1 5 0\n\nbody",
            "u\n0 200 -1 -1 5 17\n\n1\n2\n3\n4\n5\n6\n7\n8\n9\n0\n1\n"
            "2\n3\n4\n5\n6\n7\n",
            "u\n0 200 -1 -1 5 -1\n\nbody", "u\n0 200 -1 -1 5 2\n\n127.0.0.1\n",
            "u\n0 200 -1 -1 5 18446744073709551616\n\nbody"};
        struct rest_answer answer, before;
        (void)state;
        memset(&answer, 'x', sizeof(answer));
        before = answer;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                assert_int_equal(read_text(wrong[i], strlen(wrong[i]), &answer), ERR_PARSE);
                assert_memory_equal(&answer, &before, sizeof(answer));
        }
}

/* A line of @size bytes in the place of the @index-th. */
static int read_long(size_t index, size_t size)
{
        static const char *const lines[] = {"u", "0 0 -1 -1 5 1", "", "127.0.0.1"};
        struct rest_answer answer;
        buffer_clear(&text);
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                buffer_append_text(&text, lines[i]);
                for (size_t at = strlen(lines[i]); i == index && at < size; at++)
                        buffer_append_byte(&text, i == 1 ? ' ' : 'x');
                buffer_append_byte(&text, '\n');
        }
        int code = read_text((const char *)text.data, text.size, &answer);
        if (!code)
                buffer_deinit(&answer.body);
        return code;
}

static void what_is_too_long_is_refused(void **state)
{
        static const size_t sizes[] = {
            ANSWER_URL_SIZE, 256, sizeof(((struct rest_answer *)0)->text), REST_ADDRESS_SIZE};
        (void)state;
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                assert_int_equal(read_long(i, sizes[i] - 1), 0);
                assert_int_equal(read_long(i, sizes[i]), ERR_PARSE);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(an_answer_comes_back_as_it_was),
            cmocka_unit_test(a_body_may_hold_anything),
            cmocka_unit_test(a_failure_says_why),
            cmocka_unit_test(a_look_up_has_addresses),
            cmocka_unit_test(the_longest_address_comes_back),
            cmocka_unit_test(a_body_beyond_a_line_is_told),
            cmocka_unit_test(what_is_cut_short_is_refused),
            cmocka_unit_test(what_is_wrong_is_refused_and_leaves_the_answer),
            cmocka_unit_test(what_is_too_long_is_refused),
        };
        return cmocka_run_group_tests(tests, begin, end);
}
