/* JSON: types are what they are, hostile text is refused whole, the padding is never content. */
#include "tests/unit/json_help.h"

static void values_are_only_what_they_are(void **state)
{
        (void)state;
        struct json_value root = json_must(
            "{\"s\":\"text\",\"i\":-5,\"t\":true,\"n\":null,\"o\":{},\"a\":[],\"d\":1.5}");
        struct json_value value;
        struct json_text text;
        int64_t number;
        bool truth;
        struct json_cursor cursor;
        assert_true(json_is_object(root));
        assert_true(json_member_string(root, "s", &text));
        assert_true(json_text_is(text, "text"));
        assert_false(json_text_is(text, "tex"));
        assert_true(json_member_int(root, "i", &number));
        assert_int_equal(number, -5);
        assert_true(json_member(root, "t", &value) && json_bool(value, &truth) && truth);
        assert_true(json_member(root, "n", &value) && json_is_null(value));
        assert_true(json_member(root, "o", &value) && json_is_object(value));
        assert_true(json_member(root, "a", &value) && json_array_begin(value, &cursor));
        assert_false(json_array_next(&cursor, &value));
        assert_false(json_member(root, "missing", &value));
        assert_false(json_member_string(root, "i", &text));
        assert_false(json_member_int(root, "s", &number));
        assert_false(json_member_int(root, "d", &number));
        assert_false(json_member_int(root, "t", &number));
        assert_true(json_member(root, "s", &value));
        assert_false(json_array_begin(value, &cursor));
        assert_false(json_member(value, "s", &value));
        assert_false(json_bool(value, &truth));
        assert_false(json_is_null(value));
}

static void integers_fit_int64_or_are_none(void **state)
{
        (void)state;
        struct json_value root =
            json_must("{\"max\":9223372036854775807,\"min\":-9223372036854775808,"
                      "\"over\":9223372036854775808,\"e\":1e3}");
        int64_t number = 777;
        assert_false(json_member_int(root, "over", &number));
        assert_false(json_member_int(root, "e", &number));
        assert_int_equal(number, 777);
        assert_true(json_member_int(root, "max", &number));
        assert_true(number == INT64_MAX);
        assert_true(json_member_int(root, "min", &number));
        assert_true(number == INT64_MIN);
        assert_int_equal(json_try("[18446744073709551616]"), ERR_PARSE);
}

static void texts_are_unescaped_and_end(void **state)
{
        (void)state;
        struct json_text text;
        assert_true(json_member_string(
            json_must("{\"k\":\"a\\\"\\\\\\n\\u00e9\\ud83d\\ude00\"}"), "k", &text));
        assert_true(json_text_is(text, "a\"\\\n\xc3\xa9\xf0\x9f\x98\x80"));
        assert_int_equal(text.data[text.size], 0);
        assert_true(json_member_string(json_must("{\"k\":\"a\\u0000b\"}"), "k", &text));
        assert_int_equal(text.size, 3);
        assert_memory_equal(text.data, "a\0b", 4);
}

static void what_is_no_json_is_refused(void **state)
{
        (void)state;
        static const char *const wrong[] = {"", " ", "{", "}", "{\"a\":}", "{\"a\" 1}", "{a:1}",
            "[1,]", "[1 2]", "{\"a\":1,}", "'a'", "tru", "nulll", "01", "1.", ".5", "+1", "-",
            "\"open", "\"\\x\"", "\"\\ud83d\"", "{\"a\":1}}", "{\"a\":1} {\"b\":2}", "NaN",
            "[\"tab\there\"]", "// c\n{}"};
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                if (json_try(wrong[i]) != ERR_PARSE)
                        fail_msg("taken as JSON: %s", wrong[i]);
        }
        struct json_value root;
        assert_int_equal(json_try_size("{\"a\":1}\0", 8, &root), ERR_PARSE);
}

static void text_that_is_not_utf8_is_refused(void **state)
{
        (void)state;
        static const char *const wrong[] = {"\"\xff\"", "\"\xc3\"", "\"\xc0\x80\"",
            "\"\xed\xa0\x80\"", "\"\xf5\x80\x80\x80\"", "{\"\xe2\x82\":1}"};
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                assert_int_equal(json_try(wrong[i]), ERR_PARSE);
        assert_int_equal(json_try("\"\xe2\x82\xac\""), 0);
}

static void the_padding_is_no_content(void **state)
{
        (void)state;
        struct json_value root;
        int64_t number;
        /* The padding is full of digits: a number at the end must not swallow them. */
        assert_int_equal(json_try_size("12", 2, &root), 0);
        assert_true(json_int(root, &number));
        assert_int_equal(number, 12);
        static const char message[] = "{\"b\":[[\"1.0\",\"2\"]],\"u\":123}";
        for (size_t size = 0; size < sizeof(message) - 1; size++)
                assert_int_equal(json_try_size(message, size, &root), ERR_PARSE);
        assert_int_equal(json_try_size(message, sizeof(message) - 1, &root), 0);
}

static int try_depth(unsigned depth)
{
        char text[2 * 4096];
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth] = '\0';
        return json_try(text);
}

static void nesting_has_a_limit_also_after_a_large_message(void **state)
{
        (void)state;
        struct json_value root;
        assert_int_equal(try_depth(6), 0);
        assert_int_equal(try_depth(LIMIT_JSON_DEPTH - 1), 0);
        assert_int_equal(try_depth(LIMIT_JSON_DEPTH + 1), ERR_FULL);
        assert_int_equal(try_depth(4000), ERR_FULL);
        size_t size = 5u << 20;
        char *text = memory_new(size);
        memset(text, ' ', size);
        text[0] = '1';
        assert_int_equal(json_try_size(text, size, &root), 0);
        free(text);
        assert_int_equal(try_depth(4000), ERR_FULL);
        assert_int_equal(try_depth(6), 0);
}

static void a_message_too_large_is_refused(void **state)
{
        (void)state;
        struct json_value root;
        size_t size = (size_t)LIMIT_REST_BODY + 1;
        char *text = memory_new(size);
        memset(text, ' ', size);
        text[0] = '1';
        assert_int_equal(json_try_size(text, size, &root), ERR_FULL);
        free(text);
        assert_int_equal(json_try("{}"), 0);
}

static void the_order_of_members_never_matters(void **state)
{
        (void)state;
        static const char *const texts[] = {"{\"a\":1,\"b\":{\"a\":2},\"c\":3}",
            "{\"c\":3,\"b\":{\"a\":2},\"a\":1}", "{ \"b\" : { \"a\" : 2 } , \"c\":3 , \"a\":1 }"};
        for (size_t i = 0; i < 3; i++) {
                struct json_value root = json_must(texts[i]), inner;
                int64_t a, b, c;
                assert_true(json_member_int(root, "c", &c) && json_member_int(root, "a", &a));
                assert_true(json_member(root, "b", &inner) && json_member_int(inner, "a", &b));
                assert_int_equal(a * 100 + b * 10 + c, 123);
        }
}

static void pairs_are_two_texts(void **state)
{
        (void)state;
        struct json_cursor cursor;
        struct json_text first, second;
        assert_true(json_array_begin(json_must("[[\"1\",\"2\"],[\"3\",\"4\",\"5\"]]"), &cursor));
        assert_int_equal(json_pair_next(&cursor, &first, &second), 1);
        assert_true(json_text_is(first, "1") && json_text_is(second, "2"));
        assert_int_equal(json_pair_next(&cursor, &first, &second), 1);
        assert_true(json_text_is(first, "3") && json_text_is(second, "4"));
        assert_int_equal(json_pair_next(&cursor, &first, &second), 0);
        static const char *const wrong[] = {
            "[[]]", "[[\"1\"]]", "[[1,\"2\"]]", "[[\"1\",2]]", "[\"1\"]", "[null]", "[{}]"};
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                assert_true(json_array_begin(json_must(wrong[i]), &cursor));
                assert_int_equal(json_pair_next(&cursor, &first, &second), ERR_PARSE);
        }
}

#define PARSER_TEST(test) cmocka_unit_test_setup_teardown(test, parser_begin, parser_end)

int main(void)
{
        const struct CMUnitTest tests[] = {
            PARSER_TEST(values_are_only_what_they_are),
            PARSER_TEST(integers_fit_int64_or_are_none),
            PARSER_TEST(texts_are_unescaped_and_end),
            PARSER_TEST(what_is_no_json_is_refused),
            PARSER_TEST(text_that_is_not_utf8_is_refused),
            PARSER_TEST(the_padding_is_no_content),
            PARSER_TEST(nesting_has_a_limit_also_after_a_large_message),
            PARSER_TEST(a_message_too_large_is_refused),
            PARSER_TEST(the_order_of_members_never_matters),
            PARSER_TEST(pairs_are_two_texts),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
