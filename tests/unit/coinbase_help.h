/* What the tests of Coinbase's messages share: messages written with ' for ", and what they tell.
 */
#ifndef TESTS_UNIT_COINBASE_HELP_H
#define TESTS_UNIT_COINBASE_HELP_H

#include "base/clock.h"
#include "tests/unit/json_help.h"
#include "venue/venue.h"

#define RECEIVED (INT64_C(1756092957) * NS_PER_S + 7)

static const struct scale scale = {2, 8, false, 1, 1};
static struct level_list list;
static unsigned digits[2];
static const char *reason;

/* In a few texts that come round again. */
static inline const char *quoted(const char *text)
{
        static char texts[4][8192];
        static unsigned next;
        char *copy = texts[next++ % 4];
        snprintf(copy, sizeof(texts[0]), "%s", text);
        for (char *at = copy; (at = strchr(at, '\''));)
                *at = '"';
        return copy;
}

static inline struct json_value root_of(const char *text)
{
        return json_must(quoted(text));
}

static inline struct venue_message message_of(const struct venue *venue, const char *text)
{
        struct venue_message message;
        venue->parse(root_of(text), &message);
        return message;
}

/* The only part, or the one of that kind. */
static inline struct venue_part part_of(const struct venue *venue, const char *text, uint8_t kind)
{
        struct venue_message message = message_of(venue, text);
        struct venue_part part;
        assert_int_equal(message.kind, MESSAGE_EVENTS);
        while (venue->next_part(&message, &part)) {
                if (part.kind == kind)
                        return part;
        }
        fail_msg("no part of kind %d: %s, %s", kind, text, message.text);
        return part;
}

static inline int event_of(
    const struct venue *venue, const char *text, uint8_t kind, struct event *ret_event)
{
        struct venue_part part = part_of(venue, text, kind);
        assert_false(part.image);
        *ret_event = (struct event){.receive_time_ns = RECEIVED, .last_id = -777};
        return venue->parse_event(&part, &scale, &list, ret_event, digits, &reason);
}

static inline int image_of(
    const struct venue *venue, const char *text, uint8_t kind, struct image *ret_image)
{
        *ret_image = (struct image){.receive_time_ns = RECEIVED, .id = -777};
        return venue->parse_image(
            root_of(text), kind, &scale, 2, &list, ret_image, digits, &reason);
}

static inline void assert_level(struct level level, int64_t price, int64_t quantity)
{
        assert_int_equal(level.price, price);
        assert_int_equal(level.quantity, quantity);
}

static inline void assert_text(struct buffer *text, const char *expected)
{
        buffer_append_byte(text, 0);
        assert_string_equal((const char *)text->data, expected);
        buffer_clear(text);
}

static inline int coinbase_end(void **state)
{
        level_list_deinit(&list);
        return parser_end(state);
}

#define COINBASE_TEST(test) cmocka_unit_test_setup_teardown(test, parser_begin, coinbase_end)

#endif
