/* Coinbase Exchange: what it is asked for, signed where there is a key, its books and products. */
#include "tests/unit/coinbase_help.h"

static const struct venue *const venue = &venue_coinbase;

#define SECRET                                                                                     \
        "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYQ=="

static const struct venue_choice open_choice = {0},
                                 keyed = {.key = "KEY", .secret = SECRET, .passphrase = "PASS"};

#define SIGNED_AT (INT64_C(1700000000) * NS_PER_S + 999999999)

/* ---- commands ---- */

static void assert_name(uint8_t kind, const struct venue_choice *choice, const char *expected)
{
        char name[64];
        venue->stream_name(kind, "BTC-USD", choice, name, sizeof(name));
        assert_string_equal(name, expected);
}

static void a_key_makes_it_a_book_of_orders(void **state)
{
        (void)state;
        assert_int_equal(venue->book_kind(&open_choice), KIND_L2);
        assert_int_equal(venue->book_kind(&keyed), KIND_L3);
        assert_int_equal(
            venue->book_kind(&(struct venue_choice){.key = "KEY", .secret = SECRET}), KIND_L2);
        assert_int_equal(venue->book_kind(&(struct venue_choice){
                             .key = "KEY", .secret = SECRET, .passphrase = ""}),
            KIND_L2);
        assert_name(KIND_L2, &open_choice, "level2_batch:BTC-USD");
        assert_name(KIND_TRADES, &open_choice, "matches:BTC-USD");
        assert_name(KIND_L3, &keyed, "full:BTC-USD");
        assert_name(KIND_TRADES, &keyed, "full:BTC-USD");
        assert_int_equal(venue->sync(KIND_L3), SYNC_BRIDGE);
        assert_int_equal(venue->sync(KIND_L2), SYNC_SNAPSHOT);
        assert_int_equal(venue->sync(KIND_TRADES), SYNC_TAPE);
}

static void assert_command(bool subscribe, const char *const *names, size_t count,
    const struct venue_choice *choice, const char *expected)
{
        struct buffer text;
        buffer_init(&text, 4096);
        assert_int_equal(venue->command(subscribe, names, count, 7, choice, SIGNED_AT, &text), 1);
        assert_text(&text, quoted(expected));
        buffer_deinit(&text);
}

static void a_command_names_each_product_once_a_channel(void **state)
{
        (void)state;
        static const char *const names[] = {"level2_batch:BTC-USD", "matches:BTC-USD",
            "level2_batch:ETH-USD", "matches:ETH-USD", "level2_batch:BTC-USD"};
        assert_command(true, names, 5, &open_choice,
            "{'type':'subscribe','channels':[{'name':'level2_batch','product_ids':['BTC-USD',"
            "'ETH-USD']},{'name':'matches','product_ids':['BTC-USD','ETH-USD']},"
            "{'name':'heartbeat','product_ids':['BTC-USD','ETH-USD']}]}");
        assert_command(false, names + 1, 1, &open_choice,
            "{'type':'unsubscribe','channels':[{'name':'matches','product_ids':['BTC-USD']},"
            "{'name':'heartbeat','product_ids':['BTC-USD']}]}");
        assert_command(true, names, 2, &keyed,
            "{'type':'subscribe','channels':[{'name':'level2_batch','product_ids':['BTC-USD']},"
            "{'name':'matches','product_ids':['BTC-USD']},"
            "{'name':'heartbeat','product_ids':['BTC-USD']}]}");
}

static void what_wants_a_key_is_signed(void **state)
{
        (void)state;
        static const char *const names[] = {"full:BTC-USD", "full:BTC-USD"};
        static const struct venue_choice odd = {
            .key = "K\"", .secret = "no base64", .passphrase = "P\\"};
        assert_command(true, names, 2, &keyed,
            "{'type':'subscribe','channels':[{'name':'full','product_ids':['BTC-USD']},"
            "{'name':'heartbeat','product_ids':['BTC-USD']}],"
            "'signature':'l4fKgUFocXpz3QFwS3Ovh9LhW5B5qO+ZQcySYDMgK4Y=','key':'KEY',"
            "'passphrase':'PASS','timestamp':'1700000000'}");
        assert_command(true, names, 1, &open_choice,
            "{'type':'subscribe','channels':[{'name':'full','product_ids':['BTC-USD']},"
            "{'name':'heartbeat','product_ids':['BTC-USD']}]}");
        assert_command(true, names, 1, &odd,
            "{'type':'subscribe','channels':[{'name':'full','product_ids':['BTC-USD']},"
            "{'name':'heartbeat','product_ids':['BTC-USD']}],'signature':'',"
            "'key':'K\\'','passphrase':'P\\\\','timestamp':'1700000000'}");
}

static void a_request_with_a_key_has_four_headers(void **state)
{
        (void)state;
        struct buffer lines;
        buffer_init(&lines, 4096);
        venue->headers(&keyed, "/users/self/verify", SIGNED_AT, &lines);
        assert_text(&lines,
            "CB-ACCESS-KEY: KEY\nCB-ACCESS-SIGN: l4fKgUFocXpz3QFwS3Ovh9LhW5B5qO+ZQcySYDMgK4Y=\n"
            "CB-ACCESS-TIMESTAMP: 1700000000\nCB-ACCESS-PASSPHRASE: PASS\n");
        venue->headers(&open_choice, "/users/self/verify", SIGNED_AT, &lines);
        assert_text(&lines, "");
        buffer_deinit(&lines);
}

static void addresses_and_weights_are_those_of_the_exchange(void **state)
{
        (void)state;
        struct buffer url;
        buffer_init(&url, 4096);
        venue->image_url("https://h/x", KIND_L3, "BTC-USD", 5000, &url);
        assert_text(&url, "https://h/x/products/BTC-USD/book?level=3");
        venue->image_url("https://h", KIND_L2, "A/B", 5000, &url);
        assert_text(&url, "https://h/products/A%2FB/book?level=2");
        venue->info_url("https://h", (const char *const[]){"BTC-USD"}, 1, &url);
        assert_text(&url, "https://h/products/BTC-USD");
        buffer_deinit(&url);
        assert_int_equal(venue->image_weight(KIND_L3, 5), 50);
        assert_int_equal(venue->image_weight(KIND_L2, 5), 10);
        assert_int_equal(venue->info_weight, 1);
        assert_int_equal(venue->info_symbols_max, 1);
        assert_int_equal(venue->weight_per_minute, 600);
}

static void symbols_are_words_with_dashes_between(void **state)
{
        (void)state;
        static const char *const good[] = {"BTC-USD", "00-USD", "1INCH-EUR", "BTC-27JUN25-CDE"};
        static const char *const bad[] = {"", "-", "BTCUSD", "btc-usd", "BTC-usd", "-USD", "BTC-",
            "BTC--USD", "BTC USD", "BTC-US D", "BTC/USD", "BTC-USD\n", "BTC:USD-X", "\xc3\x84-USD"};
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
                assert_true(venue->symbol_is_valid(good[i]));
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                if (venue->symbol_is_valid(bad[i]))
                        fail_msg("%s", bad[i]);
        }
}

/* ---- books ---- */

static void a_snapshot_is_the_whole_book_without_an_id(void **state)
{
        (void)state;
        static const char text[] =
            "{'type':'snapshot','product_id':'BTC-USD','bids':[['10101.10','0.45054140'],"
            "['10101.1','-0.5'],['1','NaN'],['10102','0.1']],'asks':[['10102.55','0.57753524']]}";
        struct venue_message message = message_of(venue, text);
        struct venue_part part;
        struct image image;
        assert_true(venue->next_part(&message, &part));
        assert_int_equal(part.kind, KIND_L2);
        assert_true(part.image);
        assert_true(json_text_is(part.symbol, "BTC-USD"));
        assert_false(venue->next_part(&message, &part));
        assert_int_equal(image_of(venue, text, KIND_L2, &image), 0);
        assert_int_equal(image.kind, KIND_L2);
        assert_int_equal(image.id, 0);
        assert_int_equal(image.receive_time_ns, RECEIVED);
        assert_false(image.auction);
        assert_int_equal(image.count[SIDE_BID], 2);
        assert_int_equal(image.count[SIDE_ASK], 1);
        assert_level(image.levels[SIDE_BID][0], 1010110, 45054140);
        assert_level(image.levels[SIDE_BID][1], 1010200, 10000000);
        assert_level(image.levels[SIDE_ASK][0], 1010255, 57753524);
        for (enum side s = 0; s < SIDES; s++) {
                assert_false(image.bounded[s]);
                assert_null(image.orders[s]);
        }
        assert_int_equal(digits[0], 2);
        assert_int_equal(digits[1], 8);
}

static void a_book_of_level_2_has_an_id(void **state)
{
        (void)state;
        struct image image;
        assert_int_equal(
            image_of(venue,
                "{'bids':[['63217.42','0.00004377',1]],'asks':[['63217.43','0.24090999',8]],"
                "'sequence':130929351062,'auction_mode':false,'auction':null,"
                "'time':'2026-06-19T16:43:31.844642586Z'}",
                KIND_L2, &image),
            0);
        assert_int_equal(image.id, INT64_C(130929351062));
        assert_level(image.levels[SIDE_BID][0], 6321742, 4377);
        assert_level(image.levels[SIDE_ASK][0], 6321743, 24090999);
        assert_null(image.orders[SIDE_BID]);
}

#define ID_A "3b0f1225-7f84-490b-a29f-0faef9de823a"
#define ID_B "da863862-25f4-4868-ac41-005d11ab0a5f"
#define ID_C "00000000-0000-0000-0000-0000000000ff"

static void a_book_of_level_3_has_its_orders_as_they_queue(void **state)
{
        (void)state;
        struct image image;
        assert_int_equal(
            image_of(venue,
                "{'bids':[['63217.42','0.00004377','" ID_A "'],['63217.42','1','" ID_C "']],"
                "'asks':[['63217.43','0.24090999','" ID_B "']],'sequence':130929351062,"
                "'auction_mode':true,'auction':{},'time':'2026-06-19T16:43:31.844642586Z'}",
                KIND_L3, &image),
            0);
        assert_int_equal(image.kind, KIND_L3);
        assert_int_equal(image.id, INT64_C(130929351062));
        assert_true(image.auction);
        assert_int_equal(image.count[SIDE_BID], 2);
        assert_int_equal(image.count[SIDE_ASK], 1);
        assert_level(image.levels[SIDE_BID][0], 6321742, 4377);
        assert_level(image.levels[SIDE_BID][1], 6321742, 100000000);
        assert_level(image.levels[SIDE_ASK][0], 6321743, 24090999);
        assert_int_equal(image.orders[SIDE_BID][0].bytes[0], 0x3b);
        assert_int_equal(image.orders[SIDE_BID][0].bytes[15], 0x3a);
        assert_int_equal(image.orders[SIDE_BID][1].bytes[15], 0xff);
        assert_int_equal(image.orders[SIDE_ASK][0].bytes[0], 0xda);
        assert_int_equal(image.orders[SIDE_ASK][0].bytes[5], 0xf4);
        assert_false(image.bounded[SIDE_BID]);
        assert_int_equal(image_of(venue, "{'bids':[],'asks':[],'sequence':5}", KIND_L3, &image), 0);
        assert_int_equal(image.count[SIDE_BID] + image.count[SIDE_ASK], 0);
        assert_false(image.auction);
}

static void orders_beyond_the_first_thousands_keep_their_ids(void **state)
{
        (void)state;
        struct buffer text;
        struct image image;
        buffer_init(&text, 1 << 20);
        buffer_append_text(&text, "{\"sequence\":1,\"asks\":[],\"bids\":[");
        for (int i = 0; i < 5000; i++)
                buffer_printf(&text, "%s[\"%d\",\"1\",\"00000000-0000-0000-0000-%012x\"]",
                    i ? "," : "", i, (unsigned)i);
        buffer_append_text(&text, "]}");
        buffer_append_byte(&text, 0);
        assert_int_equal(venue->parse_image(json_must((const char *)text.data), KIND_L3, &scale, 1,
                             &list, &image, digits, &reason),
            0);
        assert_int_equal(image.count[SIDE_BID], 5000);
        for (int i = 0; i < 5000; i++) {
                const uint8_t *bytes = image.orders[SIDE_BID][i].bytes;
                assert_int_equal(bytes[14] << 8 | bytes[15], i);
                assert_int_equal(image.levels[SIDE_BID][i].price, i * 100);
        }
        buffer_deinit(&text);
}

static void a_bad_book_is_refused_with_its_reason(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                uint8_t kind;
                int code;
                const char *words;
        } bad[] = {
            {"[]", KIND_L3, ERR_PARSE, "sequence"},
            {"{'message':'NotFound'}", KIND_L3, ERR_PARSE, "sequence"},
            {"{'bids':[],'asks':[]}", KIND_L3, ERR_PARSE, "sequence"},
            {"{'bids':[],'asks':[],'sequence':'5'}", KIND_L2, ERR_PARSE, "sequence"},
            {"{'bids':[],'asks':[],'sequence':-1}", KIND_L3, ERR_PARSE, "sequence"},
            {"{'bids':[]}", KIND_L2, ERR_PARSE, "side is missing"},
            {"{'bids':[],'asks':{}}", KIND_L2, ERR_PARSE, "side is missing"},
            {"{'bids':[['1']],'asks':[]}", KIND_L2, ERR_PARSE, "[price, size]"},
            {"{'bids':[[1,'1']],'asks':[]}", KIND_L2, ERR_PARSE, "[price, size]"},
            {"{'bids':[],'asks':['x']}", KIND_L2, ERR_PARSE, "[price, size]"},
            {"{'bids':[['1','']],'asks':[]}", KIND_L2, ERR_PARSE, "no decimal"},
            {"{'bids':[['-1','1']],'asks':[]}", KIND_L2, ERR_RANGE, "negative"},
            {"{'bids':[['1.123','1']],'asks':[]}", KIND_L2, ERR_FULL, "decimals"},
            {"{'sequence':1,'bids':[['1','1']],'asks':[]}", KIND_L3, ERR_PARSE, "order]"},
            {"{'sequence':1,'bids':[['1','1',1]],'asks':[]}", KIND_L3, ERR_PARSE, "order]"},
            {"{'sequence':1,'bids':[['1','1','x']],'asks':[]}", KIND_L3, ERR_PARSE, "order]"},
            {"{'sequence':1,'bids':[['1','-1','" ID_A "']],'asks':[]}", KIND_L3, ERR_RANGE,
                "negative"},
        };
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                struct image image;
                int code = image_of(venue, bad[i].text, bad[i].kind, &image);
                if (code != bad[i].code || !strstr(reason, bad[i].words))
                        fail_msg("%s: %d, %s", bad[i].text, code, reason);
                assert_int_equal(image.id, -777);
        }
        assert_int_equal(digits[0], 3);
}

/* ---- products ---- */

static int info_of(const char *text, struct symbol_info *ret_info)
{
        struct json_cursor cursor;
        uint32_t limit = 5;
        if (venue->parse_info_begin(root_of(text), &cursor, &limit))
                return ERR_PARSE;
        assert_int_equal(limit, 0);
        int code = venue->parse_info(&cursor, ret_info);
        if (code == 1) {
                struct symbol_info more;
                assert_int_equal(venue->parse_info(&cursor, &more), 0);
        }
        return code;
}

#define PRODUCT(status, rest)                                                                      \
        "{'id':'BTC-USD','base_currency':'BTC','quote_currency':'USD','quote_increment':'0.01',"   \
        "'base_increment':'0.00000001','display_name':'BTC-USD','min_market_funds':'1',"           \
        "'margin_enabled':false,'post_only':false,'limit_only':false,'status':'" status "',"       \
        "'status_message':''," rest "}"
#define NORMAL "'cancel_only':false,'trading_disabled':false,'auction_mode':false"

static void a_product_gives_scale_and_status(void **state)
{
        (void)state;
        struct symbol_info info;
        assert_int_equal(info_of(PRODUCT("online", NORMAL), &info), 1);
        assert_string_equal(info.symbol, "BTC-USD");
        assert_string_equal(info.base, "BTC");
        assert_string_equal(info.quote, "USD");
        assert_string_equal(info.tick, "0.01");
        assert_string_equal(info.lot, "0.00000001");
        assert_string_equal(info.min_notional, "1");
        assert_string_equal(info.min_quantity, "");
        assert_string_equal(info.status, "online");
        assert_true(info.trading);
        assert_false(info.gone);
        assert_false(info.auction);
        assert_int_equal(info.scale.price_digits, 2);
        assert_int_equal(info.scale.quantity_digits, 8);
        assert_false(info.scale.fixed);
        assert_int_equal(info.scale.tick, 1);
        assert_int_equal(info.scale.lot, 1);
}

static void a_product_is_traded_or_not_or_gone(void **state)
{
        (void)state;
        struct symbol_info info;
        assert_int_equal(info_of(PRODUCT("delisted", NORMAL), &info), 1);
        assert_true(info.gone && !info.trading);
        assert_int_equal(info_of(PRODUCT("offline", NORMAL), &info), 1);
        assert_true(!info.gone && !info.trading);
        assert_int_equal(info_of(PRODUCT("online", "'trading_disabled':true"), &info), 1);
        assert_true(!info.gone && !info.trading);
        assert_int_equal(info_of(PRODUCT("online", "'cancel_only':true"), &info), 1);
        assert_true(!info.gone && !info.trading);
        assert_int_equal(
            info_of(PRODUCT("online", "'auction_mode':true,'base_min_size':'0.016'"), &info), 1);
        assert_true(info.auction && info.trading);
        assert_string_equal(info.min_quantity, "0.016");
}

static void steps_are_counted_in_their_own_decimals(void **state)
{
        (void)state;
        static const struct {
                const char *tick;
                unsigned digits;
                int64_t step;
        } steps[] = {{"0.05", 2, 5}, {"0.01000000", 2, 1}, {"1", 0, 1}, {"1.00", 0, 1},
            {"10", 0, 10}, {"0.25", 2, 25}, {"0", 0, 1}, {"0.000000000000000001", 18, 1}};
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
                char text[512];
                struct symbol_info info;
                snprintf(text, sizeof(text),
                    "{'id':'A-B','status':'online','quote_increment':'%s','base_increment':'1'}",
                    steps[i].tick);
                assert_int_equal(info_of(text, &info), 1);
                assert_string_equal(info.tick, steps[i].tick);
                assert_int_equal(info.scale.price_digits, steps[i].digits);
                assert_int_equal(info.scale.tick, steps[i].step);
        }
}

static void a_bad_product_is_refused(void **state)
{
        (void)state;
        static const char *const bad[] = {"[{'id':'A-B'}]", "{}", "{'message':'NotFound'}",
            "{'id':'A-B','status':'online','quote_increment':'0.01'}",
            "{'id':'A-B','quote_increment':'0.01','base_increment':'1'}",
            "{'id':'A-B','status':'online','quote_increment':0.01,'base_increment':'1'}",
            "{'id':'A-B','status':'online','quote_increment':'x','base_increment':'1'}",
            "{'id':'A-B','status':'online','quote_increment':'-1','base_increment':'1'}",
            "{'id':'A-B','status':'online','quote_increment':'1e-19','base_increment':'1'}",
            "{'id':'A-B','status':'online','quote_increment':'1e30','base_increment':'1'}",
            "{'id':'A\\u0000B','status':'online','quote_increment':'1','base_increment':'1'}"};
        struct symbol_info info;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(info_of(bad[i], &info), ERR_PARSE);
        assert_int_equal(info_of("[]", &info), 0);
        assert_true(venue->is_unknown_symbol(404, root_of("{'message':'NotFound'}")));
        assert_false(venue->is_unknown_symbol(400, root_of("{'message':'unexpected level: _'}")));
        assert_false(venue->is_unknown_symbol(429, root_of("{}")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            COINBASE_TEST(a_key_makes_it_a_book_of_orders),
            COINBASE_TEST(a_command_names_each_product_once_a_channel),
            COINBASE_TEST(what_wants_a_key_is_signed),
            COINBASE_TEST(a_request_with_a_key_has_four_headers),
            COINBASE_TEST(addresses_and_weights_are_those_of_the_exchange),
            COINBASE_TEST(symbols_are_words_with_dashes_between),
            COINBASE_TEST(a_snapshot_is_the_whole_book_without_an_id),
            COINBASE_TEST(a_book_of_level_2_has_an_id),
            COINBASE_TEST(a_book_of_level_3_has_its_orders_as_they_queue),
            COINBASE_TEST(orders_beyond_the_first_thousands_keep_their_ids),
            COINBASE_TEST(a_bad_book_is_refused_with_its_reason),
            COINBASE_TEST(a_product_gives_scale_and_status),
            COINBASE_TEST(a_product_is_traded_or_not_or_gone),
            COINBASE_TEST(steps_are_counted_in_their_own_decimals),
            COINBASE_TEST(a_bad_product_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
