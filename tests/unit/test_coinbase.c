/* Coinbase Exchange's messages: orders, levels, trades, heartbeats and answers. */
#include "tests/unit/coinbase_help.h"

static const struct venue *const venue = &venue_coinbase;

/* ---- orders ---- */

static struct order_id id_of(const char *text)
{
        struct order_id id;
        for (size_t i = 0; i < sizeof(id.bytes); i++, text += 2) {
                text += *text == '-';
                assert_int_equal(sscanf(text, "%2hhx", &id.bytes[i]), 1);
        }
        return id;
}

static void assert_order(const struct event *event, const struct order_message *expected)
{
        const struct order_message *order = event->order;
        assert_int_equal(event->type, TYPE_ORDER);
        assert_int_equal(event_level_count(event), 0);
        assert_ptr_equal(order, &list.order);
        assert_int_equal(order->type, expected->type);
        assert_int_equal(order->side, expected->side);
        assert_int_equal(order->reason, expected->reason);
        assert_int_equal(order->has, expected->has);
        assert_memory_equal(&order->id, &expected->id, sizeof(order->id));
        assert_memory_equal(&order->other, &expected->other, sizeof(order->other));
        assert_int_equal(order->price, expected->price);
        assert_int_equal(order->size, expected->size);
        assert_int_equal(order->old_price, expected->old_price);
        assert_int_equal(order->old_size, expected->old_size);
        assert_int_equal(order->trade_id, expected->trade_id);
        assert_string_equal(order->funds, expected->funds);
}

static void check_order(
    const char *text, int64_t sequence, int64_t time_us, struct order_message expected)
{
        struct event event;
        if (event_of(venue, text, KIND_L3, &event))
                fail_msg("%s: %s", text, reason);
        assert_int_equal(event.first_id, sequence);
        assert_int_equal(event.last_id, sequence);
        assert_int_equal(event.event_time_ns, time_us * NS_PER_US);
        assert_int_equal(event.receive_time_ns, RECEIVED);
        assert_int_equal(event.flags, 0);
        assert_order(&event, &expected);
        assert_true(json_text_is(part_of(venue, text, KIND_L3).symbol, "BTC-USD"));
}

static void an_order_is_received_and_rests(void **state)
{
        (void)state;
        check_order(
            "{'order_id':'480df2f8-fadd-473e-b173-e4b99f5839d4','order_type':'limit','size':"
            "'0.00012721','price':'20332.31','type':'received','side':'buy','product_id':"
            "'BTC-USD','time':'2023-03-10T00:05:24.245717Z','sequence':56308181839}",
            INT64_C(56308181839), INT64_C(1678406724245717),
            (struct order_message){.type = ORDER_RECEIVED,
                .side = SIDE_BID,
                .reason = REASON_LIMIT,
                .has = ORDER_HAS_PRICE | ORDER_HAS_SIZE,
                .id = id_of("480df2f8-fadd-473e-b173-e4b99f5839d4"),
                .price = 2033231,
                .size = 12721});
        check_order(
            "{'price':'19466.79','order_id':'77f6699d-5f0a-4128-b216-2b8500aae0ba',"
            "'remaining_size':'0.04943531','type':'open','side':'buy','product_id':'BTC-USD',"
            "'time':'2022-10-10T05:29:31.396407Z','sequence':47923517652}",
            INT64_C(47923517652), INT64_C(1665379771396407),
            (struct order_message){.type = ORDER_OPEN,
                .side = SIDE_BID,
                .has = ORDER_HAS_PRICE | ORDER_HAS_SIZE,
                .id = id_of("77f6699d-5f0a-4128-b216-2b8500aae0ba"),
                .price = 1946679,
                .size = 4943531});
}

static void a_done_order_tells_what_remained(void **state)
{
        (void)state;
        struct order_message done = {.type = ORDER_DONE,
            .side = SIDE_BID,
            .reason = REASON_CANCELED,
            .has = ORDER_HAS_PRICE | ORDER_HAS_SIZE,
            .id = id_of("98ebcae1-65c8-4c08-826e-37705e347611"),
            .price = 1946652,
            .size = 3947370};
        check_order(
            "{'order_id':'98ebcae1-65c8-4c08-826e-37705e347611','reason':'canceled','price':"
            "'19466.52','remaining_size':'0.0394737','type':'done','side':'buy',"
            "'product_id':'BTC-USD','time':'2022-10-10T05:29:31.403156Z',"
            "'sequence':47923517654}",
            INT64_C(47923517654), INT64_C(1665379771403156), done);
        done.id = id_of("9fb21887-aaaf-453b-8ff4-d9f9752fc23d");
        done.price = 30691;
        done.size = INT64_C(538724000);
        check_order("{'type':'done','side':'buy','order_id':'9fb21887-aaaf-453b-8ff4-d9f9752fc23d',"
                    "'reason':'canceled','product_id':'BTC-USD','price':'306.91000000',"
                    "'remaining_size':'5.38724000','sequence':617133254,"
                    "'time':'2017-06-25T11:23:14.898000Z'}",
            617133254, INT64_C(1498389794898000), done);
}

static void a_market_order_has_no_price(void **state)
{
        (void)state;
        struct order_message order = {.type = ORDER_RECEIVED,
            .side = SIDE_BID,
            .reason = REASON_MARKET,
            .has = ORDER_HAS_SIZE | ORDER_HAS_FUNDS,
            .id = id_of("1ee273da-4cad-456c-abcd-6f5de66f2431"),
            .size = 11944000,
            .funds = "49.3311088"};
        check_order("{'type':'received','sequence':760637129,'order_id':"
                    "'1ee273da-4cad-456c-abcd-6f5de66f2431','order_type':'market','size':'0.11944',"
                    "'price':null,'side':'buy','funds':'49.3311088','product_id':'BTC-USD',"
                    "'time':'2016-03-12T05:08:37.718533Z'}",
            760637129, INT64_C(1457759317718533), order);
        order.type = ORDER_DONE;
        order.reason = REASON_FILLED;
        order.has = 0;
        order.size = 0;
        order.funds[0] = '\0';
        check_order("{'type':'done','order_type':'market','side':'buy','sequence':760637131,"
                    "'order_id':'1ee273da-4cad-456c-abcd-6f5de66f2431','reason':'filled',"
                    "'product_id':'BTC-USD','time':'2016-03-12T05:08:37.718704Z'}",
            760637131, INT64_C(1457759317718704), order);
}

static void a_change_tells_old_and_new(void **state)
{
        (void)state;
        struct order_message order = {.type = ORDER_CHANGE,
            .side = SIDE_ASK,
            .reason = REASON_STP,
            .has = ORDER_HAS_PRICE | ORDER_HAS_SIZE | ORDER_HAS_OLD_SIZE,
            .id = id_of("ac928c66-ca53-498f-9c13-a110027a60e8"),
            .price = 40023,
            .size = 523512000,
            .old_size = 1223441200};
        check_order(
            "{'type':'change','reason':'STP','time':'2014-11-07T08:19:27.028459Z','sequence':"
            "80,'order_id':'ac928c66-ca53-498f-9c13-a110027a60e8','side':'sell',"
            "'product_id':'BTC-USD','old_size':'12.234412','new_size':'5.23512',"
            "'price':'400.23'}",
            80, INT64_C(1415348367028459), order);
        order.reason = REASON_NONE;
        order.has = ORDER_HAS_SIZE | ORDER_HAS_OLD_SIZE;
        order.price = 0;
        check_order(
            "{'type':'change','time':'2014-11-07T08:19:27.028459Z','sequence':80,'order_id':"
            "'ac928c66-ca53-498f-9c13-a110027a60e8','side':'sell','product_id':'BTC-USD',"
            "'old_size':'12.234412','new_size':'5.23512','price':null}",
            80, INT64_C(1415348367028459), order);
        check_order(
            "{'type':'change','reason':'modify_order','time':'2022-06-06T22:55:43.433114Z',"
            "'sequence':24753,'order_id':'c3f16063-77b1-408f-a743-88b7bc20cdcd','side':'buy',"
            "'product_id':'BTC-USD','old_size':'80','new_size':'80','old_price':'7',"
            "'new_price':'6'}",
            24753, INT64_C(1654556143433114),
            (struct order_message){.type = ORDER_CHANGE,
                .side = SIDE_BID,
                .reason = REASON_MODIFY,
                .has = ORDER_HAS_PRICE | ORDER_HAS_SIZE | ORDER_HAS_OLD_PRICE | ORDER_HAS_OLD_SIZE,
                .id = id_of("c3f16063-77b1-408f-a743-88b7bc20cdcd"),
                .price = 600,
                .size = INT64_C(8000000000),
                .old_price = 700,
                .old_size = INT64_C(8000000000)});
        check_order(
            "{'type':'change','reason':'STP','time':'2014-11-07T08:19:27.028459Z','sequence':"
            "81,'order_id':'ac928c66-ca53-498f-9c13-a110027a60e8','side':'buy',"
            "'product_id':'BTC-USD','old_funds':'12.5','new_funds':'5.23512'}",
            81, INT64_C(1415348367028459),
            (struct order_message){.type = ORDER_CHANGE,
                .side = SIDE_BID,
                .reason = REASON_STP,
                .has = ORDER_HAS_FUNDS,
                .id = id_of("ac928c66-ca53-498f-9c13-a110027a60e8"),
                .funds = "5.23512"});
}

#define ACTIVATE                                                                                   \
        "{'type':'activate','product_id':'BTC-USD','timestamp':'1483736448.299000','user_id':'12'" \
        ","                                                                                        \
        "'profile_id':'30000727-d308-cf50-7b1c-c06deb1934fc','order_id':"                          \
        "'7b52009b-64fd-0a2a-49e6-d8a939753077','stop_type':'entry','side':'buy','stop_price':"    \
        "'80','size':'2','funds':'50','private':true"

static void a_stop_order_counts_only_with_a_sequence(void **state)
{
        (void)state;
        assert_int_equal(message_of(venue, ACTIVATE "}").kind, MESSAGE_OTHER);
        check_order(ACTIVATE ",'sequence':5}", 5, INT64_C(1483736448299000),
            (struct order_message){.type = ORDER_ACTIVATE,
                .side = SIDE_BID,
                .reason = REASON_ENTRY,
                .has = ORDER_HAS_PRICE | ORDER_HAS_SIZE | ORDER_HAS_FUNDS,
                .id = id_of("7b52009b-64fd-0a2a-49e6-d8a939753077"),
                .price = 8000,
                .size = 200000000,
                .funds = "50"});
        check_order("{'type':'activate','product_id':'BTC-USD','sequence':6,'order_id':"
                    "'7b52009b-64fd-0a2a-49e6-d8a939753077','stop_type':'loss','side':'sell',"
                    "'time':'2014-11-07T08:19:27.028459Z'}",
            6, INT64_C(1415348367028459),
            (struct order_message){.type = ORDER_ACTIVATE,
                .side = SIDE_ASK,
                .reason = REASON_LOSS,
                .id = id_of("7b52009b-64fd-0a2a-49e6-d8a939753077")});
}

static void an_unknown_type_takes_its_sequence_number(void **state)
{
        (void)state;
        struct event event;
        assert_int_equal(
            event_of(venue, "{'type':'noop','product_id':'X-Y','sequence':7}", KIND_L3, &event), 0);
        assert_order(&event, &(struct order_message){.type = ORDER_OTHER});
        assert_int_equal(event.last_id, 7);
        assert_int_equal(event.event_time_ns, RECEIVED);
        assert_int_equal(event.flags, EVENT_TIME_REPLACED);
        check_order("{'type':'auction','product_id':'BTC-USD','sequence':9,'order_id':5,'side':'?',"
                    "'price':'x','time':'2014-11-07T08:19:27.028459Z'}",
            9, INT64_C(1415348367028459), (struct order_message){.type = ORDER_OTHER});
        static const char *const others[] = {"{'type':'noop','sequence':7}",
            "{'type':'noop','product_id':'X-Y'}",
            "{'type':'change','reason':'tpsl_triggered','order_id':'x'}",
            "{'type':'received','product_id':'X-Y'}", "{'type':'match','product_id':'X-Y'}"};
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                assert_int_equal(message_of(venue, others[i]).kind, MESSAGE_OTHER);
}

#define OPEN(rest) "{'type':'open','product_id':'X-Y','side':'sell'," rest "}"
#define OPEN_ID "'order_id':'77f6699d-5f0a-4128-b216-2b8500aae0ba'"
#define OPEN_VALUES "'price':'1','remaining_size':'1'"
#define ORDER(type, rest)                                                                          \
        "{'type':'" type "','product_id':'X-Y','sequence':1,'side':'sell'," OPEN_ID "," rest "}"

static void what_an_owner_calls_his_order_is_kept_if_it_is_a_uuid(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                uint8_t has;
        } names[] = {
            {"'client_oid':'40f88c39-aff4-4983-a168-3d9614b2abe0'", ORDER_HAS_OTHER},
            {"'client_oid':'40f88c39aff44983a1683d9614b2abe0'",
                ORDER_HAS_OTHER | ORDER_OTHER_PLAIN},
            {"'client_oid':'40F88C39-AFF4-4983-A168-3D9614B2ABE0'", ORDER_HAS_OTHER},
            {"'client_oid':''", 0},
            {"'client_oid':null", 0},
            {"'client_oid':7", 0},
            {"'client_oid':'my first order'", 0},
            {"'client_oid':'40f88c39aff44983a1683d9614b2abe'", 0},
            {"'client_oid':'40f88c39-aff4-4983-a168-3d9614b2abeg'", 0},
            {"'client_oid':'40f88c39-aff4-4983-a1683-d9614b2abe0'", 0},
        };
        struct order_id none = {0}, expected = id_of("40f88c39-aff4-4983-a168-3d9614b2abe0");
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                char text[512];
                struct event event;
                snprintf(text, sizeof(text), ORDER("received", "%s"), names[i].text);
                assert_int_equal(event_of(venue, text, KIND_L3, &event), 0);
                assert_int_equal(event.order->has, names[i].has);
                assert_memory_equal(&event.order->other, names[i].has ? &expected : &none, 16);
        }
}

static void a_bad_order_is_refused_with_its_reason(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                int code;
                const char *words;
        } bad[] = {
            {OPEN("'sequence':'5'," OPEN_ID "," OPEN_VALUES), ERR_PARSE, "sequence"},
            {OPEN("'sequence':-1," OPEN_ID "," OPEN_VALUES), ERR_PARSE, "sequence"},
            {OPEN("'sequence':9223372036854775807," OPEN_ID "," OPEN_VALUES), ERR_PARSE,
                "sequence"},
            {OPEN("'sequence':1," OPEN_VALUES), ERR_PARSE, "UUID"},
            {OPEN("'sequence':1,'order_id':''," OPEN_VALUES), ERR_PARSE, "UUID"},
            {OPEN("'sequence':1,'order_id':'77f6699d5f0a4128b2162b8500aae0ba'," OPEN_VALUES),
                ERR_PARSE, "UUID"},
            {OPEN("'sequence':1,'order_id':'77f6699d-5f0a-4128-b216-2b8500aae0bg'," OPEN_VALUES),
                ERR_PARSE, "UUID"},
            {OPEN("'sequence':1,'order_id':'77f6699d-5f0a-4128-b21-62b8500aae0ba'," OPEN_VALUES),
                ERR_PARSE, "UUID"},
            {OPEN("'sequence':1,'order_id':'77f6699d-5f0a-4128-b216-2b8500aae0ba0'," OPEN_VALUES),
                ERR_PARSE, "UUID"},
            {OPEN("'sequence':1," OPEN_ID ",'price':'1'"), ERR_PARSE, "missing"},
            {OPEN("'sequence':1," OPEN_ID ",'price':null,'remaining_size':'1'"), ERR_PARSE,
                "missing"},
            {OPEN("'sequence':1," OPEN_ID ",'price':1,'remaining_size':'1'"), ERR_PARSE, "no text"},
            {OPEN("'sequence':1," OPEN_ID ",'price':'1','remaining_size':'x'"), ERR_PARSE,
                "no decimal"},
            {OPEN("'sequence':1," OPEN_ID ",'price':'-1','remaining_size':'1'"), ERR_RANGE,
                "negative"},
            {OPEN("'sequence':1," OPEN_ID ",'price':'1','remaining_size':'92233720368.54775808'"),
                ERR_RANGE, "too large"},
            {"{'type':'open','product_id':'X-Y','sequence':1," OPEN_ID "," OPEN_VALUES "}",
                ERR_PARSE, "side"},
            {"{'type':'open','product_id':'X-Y','sequence':1,'side':'Buy'," OPEN_ID "," OPEN_VALUES
             "}",
                ERR_PARSE, "side"},
            {ORDER("received", "'funds':'-5'"), ERR_PARSE, "funds"},
            {ORDER("received", "'funds':'1e5'"), ERR_PARSE, "funds"},
            {ORDER("received", "'funds':'5.'"), ERR_PARSE, "funds"},
            {ORDER("received", "'funds':''"), ERR_PARSE, "funds"},
            {ORDER("received", "'funds':5"), ERR_PARSE, "no text"},
            {ORDER("received", "'funds':'1234567890123456789012345678901234567890'"), ERR_PARSE,
                "funds"},
            {ORDER("change", "'reason':'STP'"), ERR_PARSE, "missing"},
            {ORDER("match", "'maker_order_id':'77f6699d-5f0a-4128-b216-2b8500aae0ba','trade_id':1"),
                ERR_PARSE, "UUID"},
        };
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                struct event event;
                int code = event_of(venue, bad[i].text, KIND_L3, &event);
                if (code != bad[i].code || !strstr(reason, bad[i].words))
                        fail_msg("%s: %d, %s", bad[i].text, code, reason);
                assert_int_equal(event.last_id, -777);
        }
}

static void the_longest_funds_are_kept(void **state)
{
        (void)state;
        struct event event;
        assert_int_equal(
            event_of(venue, ORDER("received", "'funds':'1234567890123456789012345678901234567.8'"),
                KIND_L3, &event),
            0);
        assert_string_equal(event.order->funds, "1234567890123456789012345678901234567.8");
}

static void digits_are_those_needed_and_never_below_the_scale(void **state)
{
        (void)state;
        struct event event;
        assert_int_equal(event_of(venue, ORDER("done", "'price':'5'"), KIND_L3, &event), 0);
        assert_int_equal(event.order->price, 500);
        assert_int_equal(digits[0], 2);
        assert_int_equal(digits[1], 8);
        assert_int_equal(event_of(venue, ORDER("done", "'price':'5.1200000'"), KIND_L3, &event), 0);
        assert_int_equal(event.order->price, 512);
        assert_int_equal(digits[0], 2);
        assert_int_equal(
            event_of(venue,
                ORDER("change", "'price':'5.1230','old_price':'5.12345','new_size':'1'"), KIND_L3,
                &event),
            ERR_FULL);
        assert_int_equal(digits[0], 5);
        assert_int_equal(digits[1], 8);
        assert_int_equal(
            event_of(venue, ORDER("done", "'remaining_size':'0.0000000001'"), KIND_L3, &event),
            ERR_FULL);
        assert_int_equal(digits[0], 2);
        assert_int_equal(digits[1], 10);
        assert_int_equal(
            event_of(venue, ORDER("done", "'price':'5.123','remaining_size':'x'"), KIND_L3, &event),
            ERR_PARSE);
        assert_int_equal(event_of(venue, ORDER("done", "'reason':'filled'"), KIND_L3, &event), 0);
        assert_int_equal(event_of(venue, ORDER("done", "'reason':'expired'"), KIND_L3, &event), 0);
        assert_int_equal(event.order->reason, REASON_OTHER);
        assert_int_equal(
            event_of(venue, ORDER("received", "'order_type':'stop'"), KIND_L3, &event), 0);
        assert_int_equal(event.order->reason, REASON_OTHER);
        assert_int_equal(digits[0], 2);
        assert_int_equal(digits[1], 8);
}

/* ---- times ---- */

static void times_have_up_to_nine_decimals(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                int64_t time_ns;
        } times[] = {
            {"2024-02-29T23:59:59Z", INT64_C(1709251199000000000)},
            {"2024-03-01T00:00:00.123456789Z", INT64_C(1709251200123456789)},
            {"2026-08-25T03:35:57.3Z", INT64_C(1787628957300000000)},
            {"2014-11-07T08:19:27.028459Z", INT64_C(1415348367028459000)},
            {"2099-12-31T23:59:59.9Z", INT64_C(4102444799900000000)},
            {"", 0},
            {"0001-01-01T00:00:00.000000Z", 0},
            {"1970-01-01T00:00:00Z", 0},
            {"2008-12-31T23:59:59Z", 0},
            {"2100-01-01T00:00:00Z", 0},
            {"2023-02-29T00:00:00Z", 0},
            {"2024-13-01T00:00:00Z", 0},
            {"2024-04-31T00:00:00Z", 0},
            {"2024-04-30T24:00:00Z", 0},
            {"2024-04-30T00:60:00Z", 0},
            {"2024-04-30T00:00:61Z", 0},
            {"2024-04-30 00:00:00Z", 0},
            {"2024-04-30T00:00:00", 0},
            {"2024-04-30T00:00:00.Z", 0},
            {"2024-04-30T00:00:00.1234567890Z", 0},
            {"2024-04-30T00:00:00.12x4Z", 0},
            {"2024-04-30T00:00:00-4Z", 0},
            {"2024-04-30T-1:00:00Z", 0},
            {"2024-0x-30T00:00:00Z", 0},
            {"Z", 0},
        };
        for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
                char text[512];
                struct event event;
                snprintf(text, sizeof(text), ORDER("done", "'time':'%s'"), times[i].text);
                assert_int_equal(event_of(venue, text, KIND_L3, &event), 0);
                if (event.event_time_ns != (times[i].time_ns ? times[i].time_ns : RECEIVED))
                        fail_msg("%s: %lld", times[i].text, (long long)event.event_time_ns);
                assert_int_equal(event.flags, times[i].time_ns ? 0 : EVENT_TIME_REPLACED);
        }
}

/* ---- trades ---- */

#define MATCH                                                                                      \
        "{'type':'match','trade_id':1081862675,'maker_order_id':"                                  \
        "'f07e510f-4edf-469d-b844-4f670f1e93f1','taker_order_id':"                                 \
        "'e6f50944-3e2a-439e-ae49-308300ba8296','side':'sell','size':'0.00000001','price':"        \
        "'80691.53','product_id':'BTC-USD','sequence':134905860111,"                               \
        "'time':'2026-08-25T03:35:57.198335Z'}"
#define LAST_MATCH                                                                                 \
        "{'type':'last_match','trade_id':1081862674,'maker_order_id':"                             \
        "'00000000-0000-0000-0000-000000000000','taker_order_id':"                                 \
        "'00000000-0000-0000-0000-000000000000','side':'buy','size':'0.5','price':'80691.5',"      \
        "'product_id':'BTC-USD','sequence':134905859981,'time':'2026-08-25T03:35:56.000000Z'}"

static void a_match_is_an_order_message_and_then_a_trade(void **state)
{
        (void)state;
        struct venue_message message = message_of(venue, MATCH);
        struct venue_part part;
        struct event event;
        assert_true(venue->next_part(&message, &part));
        assert_int_equal(part.kind, KIND_L3);
        assert_true(venue->next_part(&message, &part));
        assert_int_equal(part.kind, KIND_TRADES);
        assert_true(json_text_is(part.symbol, "BTC-USD"));
        assert_false(venue->next_part(&message, &part));
        assert_string_equal(message.text, "");
        check_order(MATCH, INT64_C(134905860111), INT64_C(1787628957198335),
            (struct order_message){.type = ORDER_MATCH,
                .side = SIDE_ASK,
                .has = ORDER_HAS_PRICE | ORDER_HAS_SIZE | ORDER_HAS_OTHER,
                .id = id_of("f07e510f-4edf-469d-b844-4f670f1e93f1"),
                .other = id_of("e6f50944-3e2a-439e-ae49-308300ba8296"),
                .price = 8069153,
                .size = 1,
                .trade_id = 1081862675});
        assert_int_equal(event_of(venue, MATCH, KIND_TRADES, &event), 0);
        assert_int_equal(event.type, TYPE_TRADE);
        assert_int_equal(event.first_id, 1081862675);
        assert_int_equal(event.last_id, 1081862675);
        assert_int_equal(event.event_time_ns, INT64_C(1787628957198335000));
        assert_int_equal(event.count[SIDE_BID], 0);
        assert_int_equal(event.count[SIDE_ASK], 1);
        assert_level(event.levels[SIDE_ASK][0], 8069153, 1);
        assert_null(event.order);
}

static void the_last_match_is_a_trade_only(void **state)
{
        (void)state;
        struct venue_message message = message_of(venue, LAST_MATCH);
        struct venue_part part;
        struct event event;
        assert_true(venue->next_part(&message, &part));
        assert_int_equal(part.kind, KIND_TRADES);
        assert_false(venue->next_part(&message, &part));
        assert_int_equal(event_of(venue, LAST_MATCH, KIND_TRADES, &event), 0);
        assert_int_equal(event.last_id, 1081862674);
        assert_int_equal(event.count[SIDE_BID], 1);
        assert_level(event.levels[SIDE_BID][0], 8069150, 50000000);
        static const char *const bad[] = {
            "{'type':'last_match','product_id':'X-Y','side':'buy','size':'1','price':'1'}",
            "{'type':'last_match','product_id':'X-Y','side':'bid','size':'1','price':'1',"
            "'trade_id':5}",
            "{'type':'last_match','product_id':'X-Y','side':'buy','price':'1','trade_id':5}",
            "{'type':'last_match','product_id':'X-Y','side':'buy','size':1,'price':'1',"
            "'trade_id':5}",
            "{'type':'last_match','product_id':'X-Y','side':'buy','size':'1','price':'1',"
            "'trade_id':'5'}"};
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                assert_int_equal(event_of(venue, bad[i], KIND_TRADES, &event), ERR_PARSE);
                assert_true(*reason);
        }
}

/* ---- levels ---- */

static void changes_of_both_sides_keep_their_order(void **state)
{
        (void)state;
        static const char text[] =
            "{'type':'l2update','product_id':'BTC-USD','changes':[['buy','80688.08','0.59153273'],"
            "['sell','80745.16','0.20558981'],['buy','80688.08','0.0'],['sell','80745.2','0'],"
            "['sell','80745.160','0.000000'],['buy','1','0.00000000']],"
            "'time':'2026-08-25T03:35:57.300000Z'}";
        struct event event;
        assert_true(json_text_is(part_of(venue, text, KIND_L2).symbol, "BTC-USD"));
        assert_int_equal(event_of(venue, text, KIND_L2, &event), 0);
        assert_int_equal(event.type, TYPE_LEVELS);
        assert_int_equal(event.flags, 0);
        assert_int_equal(event.first_id, 0);
        assert_int_equal(event.last_id, 0);
        assert_int_equal(event.event_time_ns, INT64_C(1787628957300000000));
        assert_int_equal(event.count[SIDE_BID], 3);
        assert_int_equal(event.count[SIDE_ASK], 3);
        assert_int_equal(list.count, 6);
        assert_level(event.levels[SIDE_BID][0], 8068808, 59153273);
        assert_level(event.levels[SIDE_BID][1], 8068808, 0);
        assert_level(event.levels[SIDE_BID][2], 100, 0);
        assert_level(event.levels[SIDE_ASK][0], 8074516, 20558981);
        assert_level(event.levels[SIDE_ASK][1], 8074520, 0);
        assert_level(event.levels[SIDE_ASK][2], 8074516, 0);
}

#define UPDATE(changes) "{'type':'l2update','product_id':'X-Y','changes':" changes "}"

static void bad_changes_are_refused_with_their_reason(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                int code;
        } bad[] = {{"{'type':'l2update','product_id':'X-Y'}", ERR_PARSE}, {UPDATE("5"), ERR_PARSE},
            {UPDATE("[5]"), ERR_PARSE}, {UPDATE("[['buy','1']]"), ERR_PARSE},
            {UPDATE("[['bid','1','1']]"), ERR_PARSE}, {UPDATE("[['buy',1,'1']]"), ERR_PARSE},
            {UPDATE("[['buy','1','nan']]"), ERR_PARSE}, {UPDATE("[['buy','1','-1']]"), ERR_RANGE},
            {UPDATE("[['sell','-1','1']]"), ERR_RANGE},
            {UPDATE("[['sell','1','1'],['sell','1','1e30']]"), ERR_RANGE},
            {UPDATE("[['sell','1.001','1']]"), ERR_FULL}};
        struct event event;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                if (event_of(venue, bad[i].text, KIND_L2, &event) != bad[i].code)
                        fail_msg("%s: %s", bad[i].text, reason);
                assert_true(*reason);
                assert_int_equal(event.last_id, -777);
        }
        assert_int_equal(event_of(venue, UPDATE("[]"), KIND_L2, &event), 0);
        assert_int_equal(event_level_count(&event), 0);
        assert_int_equal(
            event_of(venue, UPDATE("[['sell','9223372036854775.807','1']]"), KIND_L2, &event),
            ERR_FULL);
        assert_int_equal(
            event_of(venue, UPDATE("[['sell','92233720368547758.07','0']]"), KIND_L2, &event), 0);
        assert_true(event.levels[SIDE_ASK][0].price == INT64_MAX);
}

/* ---- the rest ---- */

static void a_heartbeat_tells_the_newest_ids(void **state)
{
        (void)state;
        struct venue_message message = message_of(venue,
            "{'type':'heartbeat','sequence':90,'last_trade_id':20,'product_id':'BTC-USD',"
            "'time':'2014-11-07T08:19:28.464459Z'}");
        assert_int_equal(message.kind, MESSAGE_ALIVE);
        assert_true(json_text_is(message.symbol, "BTC-USD"));
        assert_int_equal(message.newest_id, 90);
        assert_int_equal(message.newest_trade, 20);
        assert_int_equal(message.sequence, -1);
        message = message_of(venue, "{'type':'heartbeat','product_id':'X-Y','sequence':-5}");
        assert_int_equal(message.kind, MESSAGE_ALIVE);
        assert_int_equal(message.newest_id, -1);
        assert_int_equal(message.newest_trade, -1);
        message = message_of(venue, "{'type':'heartbeat','sequence':90}");
        assert_int_equal(message.symbol.size, 0);
        assert_int_equal(message.newest_id, -1);
}

static void a_refusal_tells_whether_the_key_is_to_blame(void **state)
{
        (void)state;
        static const struct {
                const char *text, *words;
                bool denied;
        } errors[] = {
            {"{'type':'error','message':'Failed to subscribe','reason':'level2, level3, and full "
             "channels now require authentication. https://docs'}",
                "level2, level3, and full channels now require authentication. https://docs", true},
            {"{'type':'error','message':'Authentication Failed'}", "Authentication Failed", true},
            {"{'type':'error','message':'x','reason':'Invalid API Key'}", "Invalid API Key", true},
            {"{'type':'error','message':'x','reason':'invalid signature'}", "invalid signature",
                true},
            {"{'type':'error','message':'x','reason':'Invalid Passphrase'}", "Invalid Passphrase",
                true},
            {"{'type':'error','message':'Failed to subscribe','reason':' is not a valid product'}",
                " is not a valid product", false},
            {"{'type':'error','reason':'TIMESTAMP-USD is not a valid product'}",
                "TIMESTAMP-USD is not a valid product", false},
            {"{'message':'Failed to subscribe','reason':'No channels provided','type':'error'}",
                "No channels provided", false},
            {"{'type':'error','reason':5}", "refused without a reason", false},
        };
        for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
                struct venue_message message = message_of(venue, errors[i].text);
                assert_int_equal(message.kind, MESSAGE_ANSWER);
                assert_int_equal(message.answer_id, -1);
                assert_true(message.refused);
                assert_string_equal(message.text, errors[i].words);
                assert_int_equal(message.denied, errors[i].denied);
        }
        struct venue_message message = message_of(venue,
            "{'type':'subscriptions','channels':[{'name':'level2_50','product_ids':['BTC-USD'],"
            "'account_ids':null},{'name':'matches','product_ids':['BTC-USD'],'account_ids':null}]"
            "}");
        assert_int_equal(message.kind, MESSAGE_ANSWER);
        assert_int_equal(message.answer_id, -1);
        assert_false(message.refused);
        assert_false(message.denied);
}

static void other_messages_are_told_apart(void **state)
{
        (void)state;
        static const char *const others[] = {
            "{'type':'ticker','sequence':37475248783,'product_id':'ETH-USD','price':'1285.22',"
            "'side':'buy','time':'2022-10-19T23:28:22.061769Z','trade_id':370843401}",
            "{'type':'status','products':[{'id':'BTC-USD','status':'online'}],'currencies':[]}",
            "{'type':'rfq_match','trade_id':138740126,'product_id':'BTC-USD','size':'5.23512',"
            "'price':'400.23','side':'BUY'}"};
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                assert_int_equal(message_of(venue, others[i]).kind, MESSAGE_OTHER);
        static const char *const bad[] = {
            "[]", "5", "{}", "{'type':5}", "['open','BTC-USD','5']", "{'message':'NotFound'}"};
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                struct venue_message message = message_of(venue, bad[i]);
                assert_int_equal(message.kind, MESSAGE_BAD);
                assert_true(*message.text);
        }
        static const char *const nameless[] = {"{'type':'open','sequence':5}",
            "{'type':'match','sequence':5,'product_id':7}", "{'type':'l2update','changes':[]}",
            "{'type':'snapshot'}", "{'type':'noop','sequence':5,'product_id':7}"};
        for (size_t i = 0; i < sizeof(nameless) / sizeof(nameless[0]); i++) {
                struct venue_message message = message_of(venue, nameless[i]);
                struct venue_part part;
                assert_int_equal(message.kind, MESSAGE_EVENTS);
                assert_false(venue->next_part(&message, &part));
                assert_non_null(strstr(message.text, "product"));
                assert_false(venue->next_part(&message, &part));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            COINBASE_TEST(an_order_is_received_and_rests),
            COINBASE_TEST(a_done_order_tells_what_remained),
            COINBASE_TEST(a_market_order_has_no_price),
            COINBASE_TEST(a_change_tells_old_and_new),
            COINBASE_TEST(a_stop_order_counts_only_with_a_sequence),
            COINBASE_TEST(an_unknown_type_takes_its_sequence_number),
            COINBASE_TEST(what_an_owner_calls_his_order_is_kept_if_it_is_a_uuid),
            COINBASE_TEST(a_bad_order_is_refused_with_its_reason),
            COINBASE_TEST(the_longest_funds_are_kept),
            COINBASE_TEST(digits_are_those_needed_and_never_below_the_scale),
            COINBASE_TEST(times_have_up_to_nine_decimals),
            COINBASE_TEST(a_match_is_an_order_message_and_then_a_trade),
            COINBASE_TEST(the_last_match_is_a_trade_only),
            COINBASE_TEST(changes_of_both_sides_keep_their_order),
            COINBASE_TEST(bad_changes_are_refused_with_their_reason),
            COINBASE_TEST(a_heartbeat_tells_the_newest_ids),
            COINBASE_TEST(a_refusal_tells_whether_the_key_is_to_blame),
            COINBASE_TEST(other_messages_are_told_apart),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
