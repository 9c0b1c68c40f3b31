/* Coinbase Advanced Trade's messages: levels, trades, and the count that runs through all. */
#include "tests/unit/coinbase_help.h"

static const struct venue *const venue = &venue_coinbase_advanced;

#define ENVELOPE(channel, events)                                                                  \
        "{'channel':'" channel "','client_id':'','timestamp':'2026-04-07T14:30:02.789012Z',"       \
        "'sequence_num':5,'events':" events "}"

/* ---- levels ---- */

#define SNAPSHOT                                                                                   \
        "{'type':'snapshot','product_id':'BTC-USD','updates':["                                    \
        "{'side':'bid','event_time':'1970-01-01T00:00:00Z','price_level':'68900.00',"              \
        "'new_quantity':'1.50000000'},{'side':'offer','event_time':'2026-04-07T14:30:00.123456Z'," \
        "'price_level':'68901.00','new_quantity':'0.50000000'},{'side':'bid','price_level':'1',"   \
        "'new_quantity':'-1'},{'side':'bid','price_level':'68901','new_quantity':'0.25'}]}"

static void a_snapshot_is_an_image(void **state)
{
        (void)state;
        struct venue_message message = message_of(venue, ENVELOPE("l2_data", "[" SNAPSHOT "]"));
        struct venue_part part;
        struct image image = {.receive_time_ns = RECEIVED};
        assert_int_equal(message.kind, MESSAGE_EVENTS);
        assert_int_equal(message.sequence, 5);
        assert_true(venue->next_part(&message, &part));
        assert_int_equal(part.kind, KIND_L2);
        assert_true(part.image);
        assert_true(json_text_is(part.symbol, "BTC-USD"));
        assert_int_equal(
            venue->parse_image(part.body, KIND_L2, &scale, 2, &list, &image, digits, &reason), 0);
        assert_int_equal(image.kind, KIND_L2);
        assert_int_equal(image.id, 0);
        assert_int_equal(image.receive_time_ns, RECEIVED);
        assert_int_equal(image.count[SIDE_BID], 2);
        assert_int_equal(image.count[SIDE_ASK], 1);
        assert_level(image.levels[SIDE_BID][0], 6890000, 150000000);
        assert_level(image.levels[SIDE_BID][1], 6890100, 25000000);
        assert_level(image.levels[SIDE_ASK][0], 6890100, 50000000);
        assert_false(image.bounded[SIDE_BID] || image.bounded[SIDE_ASK]);
        assert_false(venue->next_part(&message, &part));
        assert_string_equal(message.text, "");
}

#define UPDATE(updates) "{'type':'update','product_id':'BTC-USD','updates':[" updates "]}"
#define BID(time, price, quantity)                                                                 \
        "{'side':'bid','event_time':'" time "','price_level':'" price                              \
        "','new_quantity':'" quantity "'}"
#define OFFER(time, price, quantity)                                                               \
        "{'side':'offer','event_time':'" time "','price_level':'" price                            \
        "','new_quantity':'" quantity "'}"

static void an_update_has_the_latest_of_its_times(void **state)
{
        (void)state;
        struct event event;
        assert_int_equal(
            event_of(venue,
                ENVELOPE("l2_data",
                    "[" UPDATE(BID("2026-04-07T14:30:01.4Z", "68900.00", "2.00000000") "," OFFER(
                        "2026-04-07T14:30:01.456789Z", "68901.00",
                        "0.00000000") "," BID("2026-04-07T14:30:00Z", "68899.5", "0")) "]"),
                KIND_L2, &event),
            0);
        assert_int_equal(event.type, TYPE_LEVELS);
        assert_int_equal(event.flags, 0);
        assert_int_equal(event.first_id, 0);
        assert_int_equal(event.last_id, 0);
        assert_int_equal(event.event_time_ns, INT64_C(1775572201456789000));
        assert_int_equal(event.count[SIDE_BID], 2);
        assert_int_equal(event.count[SIDE_ASK], 1);
        assert_level(event.levels[SIDE_BID][0], 6890000, 200000000);
        assert_level(event.levels[SIDE_BID][1], 6889950, 0);
        assert_level(event.levels[SIDE_ASK][0], 6890100, 0);
}

static void without_a_time_of_its_own_it_has_that_of_the_message(void **state)
{
        (void)state;
        struct event event;
        assert_int_equal(
            event_of(venue,
                ENVELOPE("l2_data", "[" UPDATE(BID("0001-01-01T00:00:00Z", "1", "2")) "]"), KIND_L2,
                &event),
            0);
        assert_int_equal(event.event_time_ns, INT64_C(1775572202789012000));
        assert_int_equal(event.flags, 0);
        assert_int_equal(
            event_of(venue, "{'channel':'l2_data','events':[" UPDATE(BID("", "1", "2")) "]}",
                KIND_L2, &event),
            0);
        assert_int_equal(event.event_time_ns, RECEIVED);
        assert_int_equal(event.flags, EVENT_TIME_REPLACED);
}

static void events_of_one_message_are_told_in_turn(void **state)
{
        (void)state;
        struct venue_message message = message_of(venue,
            ENVELOPE("l2_data",
                "[" SNAPSHOT ",{'type':'update','product_id':'ETH-USD','updates':[]},"
                "{'type':'other','product_id':'ETH-USD','updates':[]}," SNAPSHOT "]"));
        struct venue_part part;
        assert_true(venue->next_part(&message, &part));
        assert_true(part.image);
        assert_true(venue->next_part(&message, &part));
        assert_false(part.image);
        assert_true(json_text_is(part.symbol, "ETH-USD"));
        assert_false(venue->next_part(&message, &part));
        assert_non_null(strstr(message.text, "snapshot nor update"));
        assert_false(venue->next_part(&message, &part));
}

static void bad_updates_are_refused_with_their_reason(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                int code;
        } bad[] = {
            {"{'type':'update','product_id':'X-Y'}", ERR_PARSE},
            {"{'type':'update','product_id':'X-Y','updates':{}}", ERR_PARSE},
            {UPDATE("5"), ERR_PARSE},
            {UPDATE("{'side':'ask','price_level':'1','new_quantity':'1'}"), ERR_PARSE},
            {UPDATE("{'side':'bid','price_level':1,'new_quantity':'1'}"), ERR_PARSE},
            {UPDATE("{'side':'bid','price_level':'1'}"), ERR_PARSE},
            {UPDATE("{'side':'bid','price_level':'1','new_quantity':'nan'}"), ERR_PARSE},
            {UPDATE("{'side':'offer','price_level':'1','new_quantity':'-1'}"), ERR_RANGE},
            {UPDATE("{'side':'bid','price_level':'1.005','new_quantity':'1'}"), ERR_FULL},
        };
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                char text[1024];
                struct event event;
                snprintf(text, sizeof(text), ENVELOPE("l2_data", "[%s]"), bad[i].text);
                if (event_of(venue, text, KIND_L2, &event) != bad[i].code)
                        fail_msg("%s: %s", bad[i].text, reason);
                assert_true(*reason);
                assert_int_equal(event.last_id, -777);
        }
}

/* ---- trades ---- */

#define TRADE(id, product, side)                                                                   \
        "{'trade_id':" id ",'product_id':'" product "','price':'68900.50','size':'0.00150000',"    \
        "'side':'" side "','time':'2026-04-07T14:30:02.789012Z'}"
#define TRADES(trades) "{'type':'update','trades':[" trades "]}"

static void a_trade_is_on_its_makers_side(void **state)
{
        (void)state;
        struct event event;
        static const char text[] =
            ENVELOPE("market_trades", "[" TRADES(TRADE("'995098700'", "BTC-USD", "BUY")) "]");
        assert_true(json_text_is(part_of(venue, text, KIND_TRADES).symbol, "BTC-USD"));
        assert_int_equal(event_of(venue, text, KIND_TRADES, &event), 0);
        assert_int_equal(event.type, TYPE_TRADE);
        assert_int_equal(event.flags, 0);
        assert_int_equal(event.first_id, 995098700);
        assert_int_equal(event.last_id, 995098700);
        assert_int_equal(event.event_time_ns, INT64_C(1775572202789012000));
        assert_int_equal(event.count[SIDE_BID], 1);
        assert_int_equal(event.count[SIDE_ASK], 0);
        assert_level(event.levels[SIDE_BID][0], 6890050, 150000);
        assert_int_equal(
            event_of(venue,
                ENVELOPE("market_trades", "[" TRADES(TRADE("'7'", "BTC-USD", "SELL")) "]"),
                KIND_TRADES, &event),
            0);
        assert_int_equal(event.count[SIDE_ASK], 1);
        assert_int_equal(
            event_of(venue,
                ENVELOPE("market_trades", "[" TRADES(TRADE("'7'", "BTC-USD", "buy")) "]"),
                KIND_TRADES, &event),
            ERR_PARSE);
        assert_non_null(strstr(reason, "side"));
}

static void trades_are_told_oldest_first(void **state)
{
        (void)state;
        static const int64_t expected[] = {7, 9, 10, 1000, 3, 4};
        static const char *const products[] = {"B-C", "B-C", "A-B", "A-B", "A-B", "A-B"};
        struct venue_message message = message_of(venue,
            ENVELOPE("market_trades",
                "[" TRADES(TRADE("'1000'", "A-B", "BUY") "," TRADE("'10'", "A-B", "BUY") "," TRADE(
                    "'9'", "B-C", "SELL") "," TRADE("'7'", "B-C",
                    "BUY")) "," TRADES("") "," TRADES(TRADE("'4'", "A-B", "SELL") "," TRADE("'3'",
                    "A-B", "BUY")) "]"));
        struct venue_part part;
        for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
                struct event event = {.receive_time_ns = RECEIVED};
                assert_true(venue->next_part(&message, &part));
                assert_true(json_text_is(part.symbol, products[i]));
                assert_int_equal(
                    venue->parse_event(&part, &scale, &list, &event, digits, &reason), 0);
                assert_int_equal(event.last_id, expected[i]);
        }
        assert_false(venue->next_part(&message, &part));
        assert_string_equal(message.text, "");
}

static struct json_value many_trades(struct buffer *text, unsigned count)
{
        buffer_clear(text);
        buffer_append_text(text, "{\"channel\":\"market_trades\",\"events\":[{\"trades\":[");
        for (unsigned i = 0; i < count; i++)
                buffer_printf(text, "%s{\"trade_id\":\"%u\",\"product_id\":\"A-B\"}", i ? "," : "",
                    count - i);
        buffer_append_text(text, "]}]}");
        buffer_append_byte(text, 0);
        return json_must((const char *)text->data);
}

static void an_event_has_at_most_so_many_trades(void **state)
{
        (void)state;
        struct buffer text;
        struct venue_message message;
        struct venue_part part;
        unsigned found = 0;
        buffer_init(&text, 1 << 20);
        venue->parse(many_trades(&text, 4096), &message);
        while (venue->next_part(&message, &part))
                found++;
        assert_int_equal(found, 4096);
        assert_string_equal(message.text, "");
        venue->parse(many_trades(&text, 4097), &message);
        assert_false(venue->next_part(&message, &part));
        assert_true(*message.text);
        buffer_deinit(&text);
}

static void trades_that_cannot_be_ordered_are_refused(void **state)
{
        (void)state;
        static const char *const bad[] = {TRADES("5"), TRADES(TRADE("5", "A-B", "BUY")),
            TRADES(TRADE("''", "A-B", "BUY")), TRADES(TRADE("'-5'", "A-B", "BUY")),
            TRADES(TRADE("'5x'", "A-B", "BUY")),
            TRADES(TRADE("'9223372036854775807'", "A-B", "BUY")),
            TRADES(TRADE("'99999999999999999999'", "A-B", "BUY")), "{'type':'update'}", "5",
            TRADES("{'trade_id':'5'}")};
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                char text[1024];
                snprintf(text, sizeof(text), ENVELOPE("market_trades", "[%s]"), bad[i]);
                struct venue_message message = message_of(venue, text);
                struct venue_part part;
                assert_int_equal(message.kind, MESSAGE_EVENTS);
                assert_false(venue->next_part(&message, &part));
                assert_true(*message.text);
                assert_false(venue->next_part(&message, &part));
        }
}

/* ---- the rest ---- */

static void every_message_has_its_number(void **state)
{
        (void)state;
        assert_true(venue->counts_messages);
        struct venue_message message = message_of(venue,
            "{'channel':'heartbeats','client_id':'','timestamp':'2026-04-07T14:30:10.000000Z',"
            "'sequence_num':0,'events':[{'current_time':'2026-04-07 14:30:10.000000000+00:00',"
            "'heartbeat_counter':42}]}");
        assert_int_equal(message.kind, MESSAGE_ALIVE);
        assert_int_equal(message.sequence, 0);
        assert_int_equal(message.symbol.size, 0);
        assert_int_equal(message.newest_id, -1);
        assert_int_equal(message.newest_trade, -1);
        message = message_of(
            venue, ENVELOPE("subscriptions", "[{'subscriptions':{'level2':['BTC-USD']}}]"));
        assert_int_equal(message.kind, MESSAGE_ANSWER);
        assert_int_equal(message.sequence, 5);
        assert_int_equal(message.answer_id, -1);
        assert_false(message.refused);
        message = message_of(venue, ENVELOPE("ticker", "[]"));
        assert_int_equal(message.kind, MESSAGE_OTHER);
        assert_int_equal(message.sequence, 5);
}

static void refusals_and_nonsense_are_told_apart(void **state)
{
        (void)state;
        struct venue_message message =
            message_of(venue, "{'type':'error','message':'authentication failure'}");
        assert_int_equal(message.kind, MESSAGE_ANSWER);
        assert_true(message.refused && message.denied);
        assert_string_equal(message.text, "authentication failure");
        assert_int_equal(message.sequence, -1);
        message = message_of(venue, "{'type':'error','message':'BTC-FOO is not a valid product'}");
        assert_true(message.refused && !message.denied);
        static const char *const bad[] = {"[]", "5", "{}", "{'channel':5}", "{'type':'subscribe'}",
            "{'channel':'l2_data'}", "{'channel':'market_trades','events':{}}"};
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                message = message_of(venue, bad[i]);
                assert_int_equal(message.kind, MESSAGE_BAD);
                assert_true(*message.text);
        }
}

static void assert_command(
    bool subscribe, const char *const *names, size_t count, unsigned frames, const char *expected)
{
        static const struct venue_choice choice = {.key = "K", .secret = "YQ==", .passphrase = "P"};
        struct buffer text;
        buffer_init(&text, 4096);
        assert_int_equal(
            venue->command(subscribe, names, count, 7, &choice, RECEIVED, &text), frames);
        assert_text(&text, quoted(expected));
        buffer_deinit(&text);
}

static void a_command_has_a_frame_for_each_channel(void **state)
{
        (void)state;
        static const char *const names[] = {
            "level2:BTC-USD", "market_trades:BTC-USD", "level2:ETH-USD", "level2:BTC-USD"};
        assert_command(true, names, 4, 3,
            "{'type':'subscribe','product_ids':['BTC-USD','ETH-USD'],'channel':'level2'}\n"
            "{'type':'subscribe','product_ids':['BTC-USD'],'channel':'market_trades'}\n"
            "{'type':'subscribe','channel':'heartbeats'}");
        assert_command(true, names, 1, 2,
            "{'type':'subscribe','product_ids':['BTC-USD'],'channel':'level2'}\n"
            "{'type':'subscribe','channel':'heartbeats'}");
        assert_command(false, names, 2, 2,
            "{'type':'unsubscribe','product_ids':['BTC-USD'],'channel':'level2'}\n"
            "{'type':'unsubscribe','product_ids':['BTC-USD'],'channel':'market_trades'}");
}

static void streams_and_symbols_are_spelled_as_the_exchange_wants(void **state)
{
        (void)state;
        static const struct venue_choice choice = {.key = "K", .secret = "YQ==", .passphrase = "P"};
        char name[64];
        struct buffer url;
        venue->stream_name(KIND_L2, "BTC-USD", &choice, name, sizeof(name));
        assert_string_equal(name, "level2:BTC-USD");
        venue->stream_name(KIND_TRADES, "BTC-USD", &choice, name, sizeof(name));
        assert_string_equal(name, "market_trades:BTC-USD");
        assert_int_equal(venue->book_kind(&choice), KIND_L2);
        assert_int_equal(venue->sync(KIND_L2), SYNC_SNAPSHOT);
        assert_int_equal(venue->sync(KIND_TRADES), SYNC_TAPE);
        assert_true(venue->symbol_is_valid("BTC-USD"));
        assert_true(venue->symbol_is_valid("USDC-EUR"));
        assert_false(venue->symbol_is_valid("BTC-USDC")); /* comes as BTC-USD */
        assert_false(venue->symbol_is_valid("BTCUSD"));
        buffer_init(&url, 4096);
        venue->info_url("https://h", (const char *const[]){"BTC-USD"}, 1, &url);
        assert_text(&url, "https://h/products/BTC-USD");
        buffer_deinit(&url);
        assert_null(venue->headers);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            COINBASE_TEST(a_snapshot_is_an_image),
            COINBASE_TEST(an_update_has_the_latest_of_its_times),
            COINBASE_TEST(without_a_time_of_its_own_it_has_that_of_the_message),
            COINBASE_TEST(events_of_one_message_are_told_in_turn),
            COINBASE_TEST(bad_updates_are_refused_with_their_reason),
            COINBASE_TEST(a_trade_is_on_its_makers_side),
            COINBASE_TEST(trades_are_told_oldest_first),
            COINBASE_TEST(an_event_has_at_most_so_many_trades),
            COINBASE_TEST(trades_that_cannot_be_ordered_are_refused),
            COINBASE_TEST(every_message_has_its_number),
            COINBASE_TEST(refusals_and_nonsense_are_told_apart),
            COINBASE_TEST(a_command_has_a_frame_for_each_channel),
            COINBASE_TEST(streams_and_symbols_are_spelled_as_the_exchange_wants),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
