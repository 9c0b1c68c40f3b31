/* Binance's messages: what is taken, what is refused and with which words. */
#include "base/clock.h"
#include "tests/unit/json_help.h"
#include "venue/venue.h"

static const struct venue *const venue = &venue_binance;
static const struct scale scale = {8, 8, true, 1, 1};
static struct level_list list;
static unsigned digits[2];
static const char *reason;

#define RECEIVED (INT64_C(1723161600) * NS_PER_S + 123)

static struct venue_message message_of(const char *text)
{
        struct venue_message message;
        venue->parse(json_must(text), &message);
        return message;
}

/* The one thing that a message tells. */
static struct venue_part part_of(const char *text)
{
        struct venue_message message = message_of(text);
        struct venue_part part, more;
        assert_int_equal(message.kind, MESSAGE_EVENTS);
        assert_int_equal(message.sequence, -1);
        assert_true(venue->next_part(&message, &part));
        assert_false(part.image);
        assert_false(venue->next_part(&message, &more));
        assert_string_equal(message.text, "");
        return part;
}

static int event_of(const char *text, struct event *ret_event)
{
        struct venue_part part = part_of(text);
        *ret_event = (struct event){.receive_time_ns = RECEIVED, .last_id = -777};
        return venue->parse_event(&part, &scale, &list, ret_event, digits, &reason);
}

static int image_of(const char *text, uint32_t limit, struct image *ret_image)
{
        *ret_image = (struct image){.receive_time_ns = RECEIVED, .id = -777};
        return venue->parse_image(
            json_must(text), KIND_L2, &scale, limit, &list, ret_image, digits, &reason);
}

#define RAW                                                                                        \
        "{\"e\":\"depthUpdate\",\"E\":1622363903670,\"s\":\"BTCUSDT\",\"U\":157,\"u\":160,"        \
        "\"b\":[[\"0.00240000\",\"10.00000000\"],[\"0.0023\",\"0\"]],\"a\":[[\"0.00260000\","      \
        "\"1\"]]}"

static void an_event_is_the_same_raw_and_combined(void **state)
{
        (void)state;
        static const char *const texts[] = {RAW, "{\"stream\":\"btcusdt@depth\",\"data\":" RAW "}",
            "{\"data\":" RAW ",\"stream\":\"btcusdt@depth\"}"};
        for (size_t i = 0; i < 3; i++) {
                struct event event;
                assert_true(json_text_is(part_of(texts[i]).symbol, "BTCUSDT"));
                assert_int_equal(part_of(texts[i]).kind, KIND_L2);
                assert_int_equal(event_of(texts[i], &event), 0);
                assert_int_equal(event.event_time_ns, INT64_C(1622363903670) * NS_PER_MS);
                assert_int_equal(event.receive_time_ns, RECEIVED);
                assert_int_equal(event.first_id, 157);
                assert_int_equal(event.last_id, 160);
                assert_int_equal(event.flags, 0);
                assert_int_equal(event.type, TYPE_LEVELS);
                assert_null(event.order);
                assert_int_equal(event.count[SIDE_BID], 2);
                assert_int_equal(event.count[SIDE_ASK], 1);
                assert_int_equal(event.levels[SIDE_BID][0].price, 240000);
                assert_int_equal(event.levels[SIDE_BID][0].quantity, 1000000000);
                assert_int_equal(event.levels[SIDE_BID][1].price, 230000);
                assert_int_equal(event.levels[SIDE_BID][1].quantity, 0);
                assert_int_equal(event.levels[SIDE_ASK][0].price, 260000);
        }
}

#define EVENT(rest) "{\"e\":\"depthUpdate\",\"s\":\"X\"," rest "}"
#define SIDES_EMPTY "\"b\":[],\"a\":[]"
#define IDS "\"E\":1622363903670,\"U\":1,\"u\":2"
#define BIDS(pairs) EVENT(IDS ",\"b\":[" pairs "],\"a\":[]")

static void a_bad_event_is_refused_with_its_reason(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                int code;
                const char *words;
        } bad[] = {
            {EVENT("\"U\":1,\"u\":2," SIDES_EMPTY), ERR_PARSE, "missing"},
            {EVENT("\"E\":1,\"u\":2," SIDES_EMPTY), ERR_PARSE, "missing"},
            {EVENT("\"E\":1,\"U\":1," SIDES_EMPTY), ERR_PARSE, "missing"},
            {EVENT("\"E\":1,\"U\":\"1\",\"u\":2," SIDES_EMPTY), ERR_PARSE, "no integer"},
            {EVENT("\"E\":1,\"U\":1.5,\"u\":2," SIDES_EMPTY), ERR_PARSE, "no integer"},
            {EVENT("\"E\":1,\"U\":3,\"u\":2," SIDES_EMPTY), ERR_PARSE, "range of ids"},
            {EVENT("\"E\":1,\"U\":-1,\"u\":2," SIDES_EMPTY), ERR_PARSE, "range of ids"},
            {EVENT("\"E\":1,\"U\":1,\"u\":9223372036854775807," SIDES_EMPTY), ERR_PARSE,
                "range of ids"},
            {EVENT("\"E\":\"5\",\"U\":1,\"u\":2," SIDES_EMPTY), ERR_PARSE, "its time"},
            {EVENT(IDS ",\"a\":[]"), ERR_PARSE, "side is missing"},
            {EVENT(IDS ",\"b\":[]"), ERR_PARSE, "side is missing"},
            {EVENT(IDS ",\"b\":{},\"a\":[]"), ERR_PARSE, "arrays of [price, quantity]"},
            {BIDS("[\"1\"]"), ERR_PARSE, "arrays of [price, quantity]"},
            {BIDS("[1,2]"), ERR_PARSE, "arrays of [price, quantity]"},
            {BIDS("[\"1\",\"x\"]"), ERR_PARSE, "no decimal number"},
            {BIDS("[\"\",\"1\"]"), ERR_PARSE, "no decimal number"},
            {BIDS("[\"-1\",\"1\"]"), ERR_RANGE, "negative"},
            {BIDS("[\"1\",\"-0.00000001\"]"), ERR_RANGE, "negative"},
            {BIDS("[\"1\",\"92233720368.54775808\"]"), ERR_RANGE, "too large"},
        };
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                struct event event;
                int code = event_of(bad[i].text, &event);
                if (code != bad[i].code || !strstr(reason, bad[i].words))
                        fail_msg("%s: %d, %s", bad[i].text, code, reason);
                assert_int_equal(event.last_id, -777); /* left unchanged */
        }
}

static void the_largest_quantity_is_taken(void **state)
{
        (void)state;
        struct event event;
        assert_int_equal(
            event_of(BIDS("[\"92233720368.54775807\",\"92233720368.54775807\"]"), &event), 0);
        assert_true(event.levels[SIDE_BID][0].price == INT64_MAX);
        assert_true(event.levels[SIDE_BID][0].quantity == INT64_MAX);
}

static void more_decimals_than_the_scale_are_told(void **state)
{
        (void)state;
        struct event event;
        assert_int_equal(
            event_of(BIDS("[\"1.000000001\",\"1\"],[\"2\",\"0.0000000012\"]"), &event), ERR_FULL);
        assert_int_equal(digits[0], 9);
        assert_int_equal(digits[1], 10);
        assert_int_equal(event_of(BIDS("[\"1.000000000\",\"1.1\"]"), &event), ERR_FULL);
        assert_int_equal(digits[0], 9); /* as written: the text must come back with its zeros */
        assert_int_equal(event_of(BIDS("[\"1.0\",\"1.100\"]"), &event), 0);
        assert_int_equal(digits[0], 1);
        assert_int_equal(digits[1], 3);
        assert_int_equal(event_of(BIDS("[\"1e-9\",\"1\"]"), &event), ERR_FULL);
        assert_int_equal(digits[0], 9);
        assert_int_equal(event_of(BIDS("[\"1.000000001\",\"-1\"]"), &event), ERR_RANGE);
        assert_int_equal(event_of(BIDS("[\"1.000000001\",\"y\"]"), &event), ERR_PARSE);
}

static void a_time_that_is_none_is_replaced(void **state)
{
        (void)state;
        static const char *const times[] = {"0", "-5", "9223372036854775807", "1", "4102444800000"};
        struct event event;
        for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
                char text[256];
                snprintf(
                    text, sizeof(text), EVENT("\"E\":%s,\"U\":1,\"u\":2," SIDES_EMPTY), times[i]);
                assert_int_equal(event_of(text, &event), 0);
                assert_int_equal(event.event_time_ns, RECEIVED);
                assert_int_equal(event.flags, EVENT_TIME_REPLACED);
        }
        assert_int_equal(
            event_of(EVENT("\"E\":1622363903670123,\"U\":1,\"u\":2," SIDES_EMPTY), &event), 0);
        assert_int_equal(event.event_time_ns, INT64_C(1622363903670123) * NS_PER_US);
}

static void answers_come_flat_and_nested(void **state)
{
        (void)state;
        struct venue_message message = message_of("{\"result\":null,\"id\":7}");
        assert_int_equal(message.kind, MESSAGE_ANSWER);
        assert_int_equal(message.answer_id, 7);
        assert_false(message.refused);
        message = message_of("{\"code\":2,\"msg\":\"Invalid request\",\"id\":8}");
        assert_int_equal(message.kind, MESSAGE_ANSWER);
        assert_true(message.refused);
        assert_int_equal(message.answer_id, 8);
        assert_string_equal(message.text, "Invalid request");
        message = message_of("{\"error\":{\"code\":3,\"msg\":\"Invalid JSON\"},\"id\":null}");
        assert_int_equal(message.kind, MESSAGE_ANSWER);
        assert_true(message.refused);
        assert_int_equal(message.answer_id, -1);
        assert_string_equal(message.text, "Invalid JSON");
}

static void other_messages_are_told_apart(void **state)
{
        (void)state;
        assert_int_equal(message_of("{\"e\":\"serverShutdown\",\"E\":1}").kind, MESSAGE_SHUTDOWN);
        assert_int_equal(message_of("{\"stream\":\"\",\"data\":{\"e\":\"serverShutdown\"}}").kind,
            MESSAGE_SHUTDOWN);
        static const char *const others[] = {"{}", "{\"e\":\"blockTrade\",\"s\":\"X\"}",
            "{\"stream\":\"x\",\"data\":[]}", "{\"stream\":\"x\",\"data\":null}", "{\"e\":5}"};
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                assert_int_equal(message_of(others[i]).kind, MESSAGE_OTHER);
        static const char *const bad[] = {"[]", "5", "null", "\"x\""};
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                struct venue_message message = message_of(bad[i]);
                assert_int_equal(message.kind, MESSAGE_BAD);
                assert_true(*message.text);
        }
}

static void a_message_without_its_symbol_is_told(void **state)
{
        (void)state;
        static const char *const bad[] = {"{\"e\":\"depthUpdate\"}",
            "{\"e\":\"depthUpdate\",\"s\":5}", "{\"e\":\"trade\"}", "{\"e\":\"aggTrade\"}"};
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                struct venue_message message = message_of(bad[i]);
                struct venue_part part;
                assert_int_equal(message.kind, MESSAGE_EVENTS);
                assert_false(venue->next_part(&message, &part));
                assert_non_null(strstr(message.text, "symbol"));
                assert_false(venue->next_part(&message, &part));
        }
}

static void assert_trade(
    const struct event *event, int64_t id, int64_t time_ms, enum side maker, struct level level)
{
        assert_int_equal(event->first_id, id);
        assert_int_equal(event->last_id, id);
        assert_int_equal(event->event_time_ns, time_ms * NS_PER_MS);
        assert_int_equal(event->receive_time_ns, RECEIVED);
        assert_int_equal(event->count[maker], 1);
        assert_int_equal(event->count[!maker], 0);
        assert_int_equal(event->levels[maker][0].price, level.price);
        assert_int_equal(event->levels[maker][0].quantity, level.quantity);
        assert_null(event->order);
}

#define TRADE                                                                                      \
        "{\"e\":\"trade\",\"E\":1672515782137,\"s\":\"BNBBTC\",\"t\":12345,\"p\":\"0.001\","       \
        "\"q\":\"100\",\"T\":1672515782136,\"m\":true,\"M\":true}"
#define TRADE_2019                                                                                 \
        "{\"stream\":\"bnbbtc@trade\",\"data\":{\"e\":\"trade\",\"E\":1554076800945,\"s\":"        \
        "\"BNBBTC\",\"t\":40756030,\"p\":\"0.00426990\",\"q\":\"33.82000000\",\"b\":133829535,"    \
        "\"a\":133829504,\"T\":1554076800940,\"m\":false,\"M\":true}}"
#define AGGREGATE                                                                                  \
        "{\"stream\":\"nknusdt@aggTrade\",\"data\":{\"e\":\"aggTrade\",\"E\":1633998523963,\"s\":" \
        "\"NKNUSDT\",\"a\":15683430,\"p\":\"0.35280000\",\"q\":\"58.00000000\",\"f\":19862790,"    \
        "\"l\":19862791,\"T\":1633998523961,\"m\":false,\"M\":true}}"

static void a_trade_has_one_level_on_its_makers_side(void **state)
{
        (void)state;
        struct event event;
        assert_int_equal(part_of(TRADE).kind, KIND_TRADES);
        assert_true(json_text_is(part_of(TRADE).symbol, "BNBBTC"));
        assert_int_equal(event_of(TRADE, &event), 0);
        assert_trade(&event, 12345, INT64_C(1672515782136), SIDE_BID,
            (struct level){100000, INT64_C(10000000000)});
        assert_int_equal(event.type, TYPE_TRADE);
        assert_int_equal(event.flags, 0);
        assert_int_equal(event_of(TRADE_2019, &event), 0);
        assert_trade(&event, 40756030, INT64_C(1554076800940), SIDE_ASK,
            (struct level){426990, INT64_C(3382000000)});
        assert_int_equal(event.type, TYPE_TRADE);
        assert_int_equal(event.flags, 0);
        assert_int_equal(digits[0], 8);
        assert_int_equal(digits[1], 8);
}

static void an_aggregate_names_its_first_and_last_trade(void **state)
{
        (void)state;
        struct event event;
        assert_int_equal(part_of(AGGREGATE).kind, KIND_TRADES);
        assert_true(json_text_is(part_of(AGGREGATE).symbol, "NKNUSDT"));
        assert_int_equal(event_of(AGGREGATE, &event), 0);
        assert_trade(&event, 15683430, INT64_C(1633998523961), SIDE_ASK,
            (struct level){35280000, INT64_C(5800000000)});
        assert_int_equal(event.type, TYPE_AGGREGATE);
        assert_int_equal(event.flags, 0);
        assert_int_equal(event.first_trade, 19862790);
        assert_int_equal(event.last_trade, 19862791);
}

#define TRADE_OF(rest) "{\"s\":\"X\",\"T\":1672515782136," rest "}"
#define TRADE_REST "\"p\":\"1\",\"q\":\"1\",\"m\":true"

static void a_bad_trade_is_refused_with_its_reason(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                int code;
                const char *words;
        } bad[] = {
            {TRADE_OF("\"e\":\"trade\"," TRADE_REST), ERR_PARSE, "id is missing"},
            {TRADE_OF("\"e\":\"trade\",\"t\":\"5\"," TRADE_REST), ERR_PARSE, "id is missing"},
            {TRADE_OF("\"e\":\"trade\",\"t\":-5," TRADE_REST), ERR_PARSE, "id is missing"},
            {TRADE_OF("\"e\":\"trade\",\"t\":5,\"p\":\"1\",\"q\":\"1\""), ERR_PARSE, "m is"},
            {TRADE_OF("\"e\":\"trade\",\"t\":5,\"p\":1,\"q\":\"1\",\"m\":true"), ERR_PARSE,
                "price or quantity is missing"},
            {TRADE_OF("\"e\":\"trade\",\"t\":5,\"p\":\"1\",\"m\":true"), ERR_PARSE,
                "price or quantity is missing"},
            {TRADE_OF("\"e\":\"trade\",\"t\":5,\"p\":\"1\",\"q\":\"z\",\"m\":true"), ERR_PARSE,
                "no decimal"},
            {TRADE_OF("\"e\":\"trade\",\"t\":5,\"p\":\"1\",\"q\":\"-1\",\"m\":true"), ERR_RANGE,
                "negative"},
            {TRADE_OF("\"e\":\"aggTrade\",\"a\":5,\"f\":1," TRADE_REST), ERR_PARSE, "f and l"},
            {TRADE_OF("\"e\":\"aggTrade\",\"a\":5,\"f\":2,\"l\":1," TRADE_REST), ERR_PARSE,
                "f and l"},
            {TRADE_OF("\"e\":\"aggTrade\",\"t\":5,\"f\":1,\"l\":1," TRADE_REST), ERR_PARSE,
                "id is missing"},
            {"{\"s\":\"X\",\"e\":\"trade\",\"t\":5," TRADE_REST "}", ERR_PARSE, "its time"},
        };
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                struct event event;
                int code = event_of(bad[i].text, &event);
                if (code != bad[i].code || !strstr(reason, bad[i].words))
                        fail_msg("%s: %d, %s", bad[i].text, code, reason);
                assert_int_equal(event.last_id, -777);
        }
}

static void an_image_is_bounded_where_it_is_full(void **state)
{
        (void)state;
        static const char text[] = "{\"lastUpdateId\":33933317943,\"bids\":[[\"2\",\"1\"],"
                                   "[\"1\",\"1\"]],\"asks\":[[\"3\",\"1\"]]}";
        struct image image;
        assert_int_equal(image_of(text, 2, &image), 0);
        assert_int_equal(image.id, INT64_C(33933317943));
        assert_int_equal(image.kind, KIND_L2);
        assert_null(image.orders[SIDE_BID]);
        assert_false(image.auction);
        assert_int_equal(image.receive_time_ns, RECEIVED);
        assert_int_equal(image.count[SIDE_BID], 2);
        assert_int_equal(image.levels[SIDE_ASK][0].price, 300000000);
        assert_true(image.bounded[SIDE_BID]);
        assert_false(image.bounded[SIDE_ASK]);
        assert_int_equal(image_of("{\"lastUpdateId\":-1,\"bids\":[],\"asks\":[]}", 5, &image), 0);
        assert_int_equal(image_of("{\"bids\":[],\"asks\":[]}", 5, &image), ERR_PARSE);
        assert_non_null(strstr(reason, "lastUpdateId"));
        assert_int_equal(image_of("{\"code\":-1121,\"msg\":\"x\"}", 5, &image), ERR_PARSE);
        assert_int_equal(image_of("[]", 5, &image), ERR_PARSE);
}

#define INFO                                                                                       \
        "{\"rateLimits\":[{\"rateLimitType\":\"RAW_REQUESTS\",\"interval\":\"MINUTE\","            \
        "\"intervalNum\":5,\"limit\":61000},{\"rateLimitType\":\"REQUEST_WEIGHT\",\"interval\":"   \
        "\"MINUTE\",\"intervalNum\":2,\"limit\":1200}],\"symbols\":[{\"symbol\":\"ETHBTC\","       \
        "\"status\":\"TRADING\",\"baseAsset\":\"ETH\",\"quoteAsset\":\"BTC\",\"filters\":["        \
        "{\"filterType\":\"PRICE_FILTER\",\"tickSize\":\"0.00001000\"},{\"filterType\":"           \
        "\"LOT_SIZE\",\"minQty\":\"0.00020000\",\"stepSize\":\"0.00010000\"},{\"filterType\":"     \
        "\"NOTIONAL\",\"minNotional\":\"0.00030000\"}]},"                                          \
        "{\"symbol\":\"OLD\",\"status\":\"BREAK\",\"filters\":[{\"filterType\":\"PRICE_FILTER\","  \
        "\"tickSize\":\"0.00000000\"},{\"filterType\":\"LOT_SIZE\",\"stepSize\":\"x\"},"           \
        "{\"filterType\":\"MIN_NOTIONAL\",\"minNotional\":\"5\"}]}]}"

static void exchange_info_gives_scale_and_status(void **state)
{
        (void)state;
        struct json_cursor cursor;
        struct symbol_info info;
        uint32_t limit;
        assert_int_equal(venue->parse_info_begin(json_must(INFO), &cursor, &limit), 0);
        assert_int_equal(limit, 600);
        assert_int_equal(venue->parse_info(&cursor, &info), 1);
        assert_string_equal(info.symbol, "ETHBTC");
        assert_true(info.trading);
        assert_false(info.gone);
        assert_false(info.auction);
        assert_string_equal(info.base, "ETH");
        assert_string_equal(info.quote, "BTC");
        assert_string_equal(info.tick, "0.00001000");
        assert_string_equal(info.lot, "0.00010000");
        assert_string_equal(info.min_quantity, "0.00020000");
        assert_string_equal(info.min_notional, "0.00030000");
        assert_int_equal(info.scale.tick, 1000);
        assert_int_equal(info.scale.lot, 10000);
        assert_true(info.scale.fixed);
        assert_int_equal(info.scale.price_digits, 8);
        assert_int_equal(venue->parse_info(&cursor, &info), 1);
        assert_string_equal(info.symbol, "OLD");
        assert_false(info.trading);
        assert_true(info.gone);
        assert_string_equal(info.status, "BREAK");
        assert_string_equal(info.tick, "0.00000000");
        assert_string_equal(info.lot, "");
        assert_string_equal(info.min_notional, "5");
        assert_int_equal(info.scale.tick, 1);
        assert_int_equal(info.scale.lot, 1);
        assert_int_equal(venue->parse_info(&cursor, &info), 0);
}

static void bad_exchange_info_is_refused(void **state)
{
        (void)state;
        struct json_cursor cursor;
        struct symbol_info info;
        uint32_t limit;
        static const char *const bad[] = {"{\"symbols\":[{}]}", "{\"symbols\":[5]}",
            "{\"symbols\":[{\"symbol\":\"A\"}]}",
            "{\"symbols\":[{\"symbol\":\"A\\u0000B\",\"status\":\"TRADING\"}]}",
            "{\"symbols\":[{\"symbol\":"
            "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
            "AAAAAAAAAA\",\"status\":\"TRADING\"}]}"};
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                assert_int_equal(venue->parse_info_begin(json_must(bad[i]), &cursor, &limit), 0);
                assert_int_equal(limit, 0);
                assert_int_equal(venue->parse_info(&cursor, &info), ERR_PARSE);
        }
        assert_int_equal(venue->parse_info_begin(json_must("{}"), &cursor, &limit), ERR_PARSE);
        assert_int_equal(venue->parse_info_begin(json_must("[]"), &cursor, &limit), ERR_PARSE);
        assert_true(
            venue->is_unknown_symbol(400, json_must("{\"code\":-1121,\"msg\":\"Invalid\"}")));
        assert_false(venue->is_unknown_symbol(500, json_must("{\"code\":-1121}")));
        assert_false(venue->is_unknown_symbol(400, json_must("{\"code\":-1003}")));
        assert_false(venue->is_unknown_symbol(400, json_must("[]")));
}

static void assert_url(struct buffer *url, const char *expected)
{
        buffer_append_byte(url, 0);
        assert_string_equal((const char *)url->data, expected);
        buffer_clear(url);
}

static void addresses_are_spelled_as_the_exchange_wants(void **state)
{
        (void)state;
        static const char *const symbols[] = {"BTCUSDT",
            "\xe5\xb8\x81"
            "A"};
        struct buffer url;
        buffer_init(&url, 4096);
        venue->image_url("https://h", KIND_L2, "BTCUSDT", 5000, &url);
        assert_url(&url, "https://h/api/v3/depth?symbol=BTCUSDT&limit=5000");
        venue->image_url("https://h", KIND_L2, "A&B#?", 5, &url);
        assert_url(&url, "https://h/api/v3/depth?symbol=A%26B%23%3F&limit=5");
        venue->info_url("https://h", symbols, 2, &url);
        assert_url(
            &url, "https://h/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22%2C%22%E5%B8%81A%22%5D");
        assert_int_equal(venue->image_weight(KIND_L2, 5000), 250);
        assert_int_equal(venue->image_weight(KIND_L2, 1000), 50);
        assert_int_equal(venue->image_weight(KIND_L2, 100), 5);
        assert_null(venue->headers);
        buffer_deinit(&url);
}

static void assert_name(uint8_t kind, struct venue_choice choice, const char *expected)
{
        char name[64];
        venue->stream_name(kind, "BTCUSDT", &choice, name, sizeof(name));
        assert_string_equal(name, expected);
}

static void streams_are_named_and_subscribed_as_the_exchange_wants(void **state)
{
        (void)state;
        static const struct venue_choice fast = {.period_ms = 100}, slow = {.period_ms = 1000},
                                         whole = {.period_ms = 100, .aggregate = true};
        struct buffer text;
        assert_name(KIND_L2, fast, "btcusdt@depth@100ms");
        assert_name(KIND_L2, slow, "btcusdt@depth");
        assert_name(KIND_TRADES, fast, "btcusdt@trade");
        assert_name(KIND_TRADES, whole, "btcusdt@aggTrade");
        buffer_init(&text, 4096);
        assert_int_equal(venue->command(true, (const char *const[]){"a@depth", "b\"@depth"}, 2, 9,
                             &fast, RECEIVED, &text),
            1);
        assert_url(
            &text, "{\"method\":\"SUBSCRIBE\",\"params\":[\"a@depth\",\"b\\\"@depth\"],\"id\":9}");
        assert_int_equal(
            venue->command(false, (const char *const[]){"a@depth"}, 1, 10, &fast, RECEIVED, &text),
            1);
        assert_url(&text, "{\"method\":\"UNSUBSCRIBE\",\"params\":[\"a@depth\"],\"id\":10}");
        buffer_deinit(&text);
        assert_int_equal(venue->book_kind(&fast), KIND_L2);
        assert_int_equal(venue->sync(KIND_L2), SYNC_BRIDGE);
        assert_int_equal(venue->sync(KIND_TRADES), SYNC_TAPE);
}

static void symbols_are_checked_before_they_travel(void **state)
{
        (void)state;
        const struct venue *found = NULL;
        struct error error;
        char symbol[LIMIT_SYMBOL_SIZE + 1];
        assert_int_equal(venue_parse_symbol("BTCUSDT", &found, symbol, sizeof(symbol), &error), 0);
        assert_ptr_equal(found, venue);
        assert_string_equal(symbol, "BTCUSDT");
        assert_int_equal(
            venue_parse_symbol("binance:ETHUSDT", &found, symbol, sizeof(symbol), &error), 0);
        assert_string_equal(symbol, "ETHUSDT");
        static const char *const bad[] = {"", "binance:", "btcusdt", "BTC USDT", "BTC,USDT",
            "nowhere:BTCUSDT", ":BTCUSDT", "binance:A:B", "A/B", "A@B", "A\"B", "A\nB",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "binanceeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee:BTCUSDT"};
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                error = (struct error){0};
                assert_int_equal(
                    venue_parse_symbol(bad[i], &found, symbol, sizeof(symbol), &error), ERR_PARSE);
                assert_true(*error.text);
        }
        assert_string_equal(symbol, "ETHUSDT");
        assert_ptr_equal(venue_find("binance"), venue);
        assert_null(venue_find("Binance"));
}

static void every_feed_is_found_by_its_name(void **state)
{
        (void)state;
        const struct venue *found = NULL, *known;
        struct error error;
        char symbol[LIMIT_SYMBOL_SIZE + 1];
        assert_ptr_equal(venue_find("coinbase"), &venue_coinbase);
        assert_ptr_equal(venue_feed("coinbase", "exchange"), &venue_coinbase);
        assert_ptr_equal(venue_feed("coinbase", "advanced"), &venue_coinbase_advanced);
        assert_ptr_equal(venue_feed("binance", "spot"), venue);
        assert_null(venue_feed("binance", "advanced"));
        for (size_t i = 0; (known = venue_at(i)); i++) {
                assert_ptr_equal(venue_feed(known->name, known->feed), known);
                assert_true(known->symbol_is_valid(known->example));
        }
        assert_int_equal(
            venue_parse_symbol("coinbase:BTC-USD", &found, symbol, sizeof(symbol), &error), 0);
        assert_ptr_equal(found, &venue_coinbase);
        assert_string_equal(symbol, "BTC-USD");
        assert_int_equal(
            venue_parse_symbol("coinbase:BTCUSD", &found, symbol, sizeof(symbol), &error),
            ERR_PARSE);
        assert_string_equal(error.text,
            "\"coinbase:BTCUSD\": not a symbol as coinbase spells it, like coinbase:BTC-USD");
        assert_int_equal(
            venue_parse_symbol("kraken:X", &found, symbol, sizeof(symbol), &error), ERR_PARSE);
        assert_string_equal(
            error.text, "\"kraken:X\": the exchange \"kraken\" is not known (binance, coinbase)");
}

/* ---- recorded messages ---- */

static uint8_t kind_of(const char *line)
{
        if (strstr(line, "\"e\":\"depthUpdate\""))
                return KIND_L2;
        return strstr(line, "\"e\":\"trade\"") || strstr(line, "\"e\":\"aggTrade\"") ? KIND_TRADES
                                                                                     : KINDS;
}

static void check_sample(const char *line, unsigned counts[KINDS], unsigned *images)
{
        struct venue_message message = message_of(line);
        struct event event;
        struct image image;
        uint8_t kind = kind_of(line);
        assert_int_equal(message.kind, kind == KINDS ? MESSAGE_OTHER : MESSAGE_EVENTS);
        if (kind != KINDS) {
                assert_int_equal(part_of(line).kind, kind);
                assert_int_equal(event_of(line, &event), 0);
                assert_int_equal(event.flags & EVENT_TIME_REPLACED, 0);
                assert_true(event.first_id <= event.last_id);
                assert_int_equal(event_level_count(&event),
                    kind == KIND_L2 ? count_of(strstr(line, "\"b\":["), "\",\"") : 1);
                counts[kind]++;
        }
        if (!strncmp(line, "{\"lastUpdateId\"", 15)) {
                assert_int_equal(image_of(line, 3, &image), 0);
                assert_int_equal(image.count[SIDE_BID], 3);
                assert_int_equal(image.count[SIDE_ASK], 3);
                assert_true(image.levels[SIDE_BID][0].price < image.levels[SIDE_ASK][0].price);
                ++*images;
        }
}

static void recorded_messages_are_understood(void **state)
{
        (void)state;
        const char *source = getenv("OBLOGGER_SOURCE");
        char path[512], *line = NULL;
        size_t capacity = 0;
        unsigned counts[KINDS] = {0}, images = 0;
        snprintf(path, sizeof(path), "%s/tests/data/binance_message_samples.jsonl",
            source ? source : ".");
        FILE *file = fopen(path, "r");
        if (!file)
                skip();
        for (ssize_t size; (size = getline(&line, &capacity, file)) > 0;) {
                line[size - (line[size - 1] == '\n')] = '\0';
                if (*line)
                        check_sample(line, counts, &images);
        }
        fclose(file);
        free(line);
        assert_true(counts[KIND_L2] > 5 && counts[KIND_TRADES] == 5 && images > 3);
}

static int venue_end(void **state)
{
        level_list_deinit(&list);
        return parser_end(state);
}

#define VENUE_TEST(test) cmocka_unit_test_setup_teardown(test, parser_begin, venue_end)

int main(void)
{
        const struct CMUnitTest tests[] = {
            VENUE_TEST(an_event_is_the_same_raw_and_combined),
            VENUE_TEST(a_bad_event_is_refused_with_its_reason),
            VENUE_TEST(the_largest_quantity_is_taken),
            VENUE_TEST(more_decimals_than_the_scale_are_told),
            VENUE_TEST(a_time_that_is_none_is_replaced),
            VENUE_TEST(answers_come_flat_and_nested),
            VENUE_TEST(other_messages_are_told_apart),
            VENUE_TEST(a_message_without_its_symbol_is_told),
            VENUE_TEST(a_trade_has_one_level_on_its_makers_side),
            VENUE_TEST(an_aggregate_names_its_first_and_last_trade),
            VENUE_TEST(a_bad_trade_is_refused_with_its_reason),
            VENUE_TEST(an_image_is_bounded_where_it_is_full),
            VENUE_TEST(exchange_info_gives_scale_and_status),
            VENUE_TEST(bad_exchange_info_is_refused),
            VENUE_TEST(addresses_are_spelled_as_the_exchange_wants),
            VENUE_TEST(streams_are_named_and_subscribed_as_the_exchange_wants),
            VENUE_TEST(symbols_are_checked_before_they_travel),
            VENUE_TEST(every_feed_is_found_by_its_name),
            VENUE_TEST(recorded_messages_are_understood),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
