/* Buffers: they grow, they stop at their limit, and they stay stopped. */
#include "tests/unit/help.h"

static void what_is_appended_stands_there_in_order(void **state)
{
        (void)state;
        struct buffer buffer;
        buffer_init(&buffer, 1000);
        buffer_append(&buffer, "ab", 2);
        buffer_append_byte(&buffer, 'c');
        buffer_append_text(&buffer, "de");
        buffer_printf(&buffer, "%d-%s", 42, "x");
        assert_int_equal(buffer_bytes(&buffer).size, 9);
        assert_memory_equal(buffer.data, "abcde42-x", 9);
        buffer_clear(&buffer);
        assert_int_equal(buffer.size, 0);
        buffer_deinit(&buffer);
}

static void the_limit_is_reached_but_never_passed(void **state)
{
        (void)state;
        struct buffer buffer;
        buffer_init(&buffer, 5);
        buffer_append(&buffer, "12345", 5);
        assert_false(buffer.failed);
        buffer_append(&buffer, "", 0);
        assert_false(buffer.failed);
        buffer_append_byte(&buffer, '6');
        assert_true(buffer.failed);
        assert_int_equal(buffer.size, 5);
        assert_memory_equal(buffer.data, "12345", 5);
        buffer_deinit(&buffer);
}

static void an_error_sticks_until_it_is_cleared(void **state)
{
        (void)state;
        struct buffer buffer;
        buffer_init(&buffer, 4);
        buffer_append(&buffer, "12345", 5);
        assert_true(buffer.failed);
        buffer_append_byte(&buffer, 'a');
        buffer_append_text(&buffer, "b");
        buffer_printf(&buffer, "c");
        assert_int_equal(buffer.size, 0);
        assert_null(buffer_reserve(&buffer, 1));
        assert_null(buffer_reserve(&buffer, SIZE_MAX));
        buffer_clear(&buffer);
        buffer_append_byte(&buffer, 'a');
        assert_false(buffer.failed);
        assert_int_equal(buffer.size, 1);
        buffer_deinit(&buffer);
}

static void a_large_buffer_keeps_its_content_while_it_grows(void **state)
{
        (void)state;
        struct buffer buffer;
        buffer_init(&buffer, 1 << 20);
        for (unsigned i = 0; i < 1 << 20; i++)
                buffer_append_byte(&buffer, (uint8_t)(i * 7));
        assert_false(buffer.failed);
        for (unsigned i = 0; i < 1 << 20; i++)
                assert_int_equal(buffer.data[i], (uint8_t)(i * 7));
        buffer_append_byte(&buffer, 0);
        assert_true(buffer.failed);
        buffer_deinit(&buffer);
}

static void json_text_is_escaped(void **state)
{
        (void)state;
        struct buffer buffer;
        buffer_init(&buffer, 1000);
        buffer_append_json(&buffer, "a\"b\\c\n\x01 \xc3\xa9/");
        buffer_append_byte(&buffer, 0);
        assert_string_equal((const char *)buffer.data, "a\\\"b\\\\c\\u000a\\u0001 \xc3\xa9/");
        buffer_deinit(&buffer);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_is_appended_stands_there_in_order),
            cmocka_unit_test(the_limit_is_reached_but_never_passed),
            cmocka_unit_test(an_error_sticks_until_it_is_cleared),
            cmocka_unit_test(a_large_buffer_keeps_its_content_while_it_grows),
            cmocka_unit_test(json_text_is_escaped),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
