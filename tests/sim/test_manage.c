/* Symbols that come and go in the running logger, in simulated time: thousands of them, none
 * leaves anything behind; two hundred at once, within the budget. */
#include "sim_exchange.h"

#include <malloc.h>
#include <sys/wait.h>

#define CYCLES 10000
#define MINUTE_NS (60 * NS_PER_S)

static size_t memory_used(void)
{
        return mallinfo2().uordblks;
}

static void cycle(unsigned round)
{
        char line[256];
        size_t one = round % 7, two = 7 + round % 5;
        bool wrong = round % 64 == 0;
        snprintf(line, sizeof(line), "{\"command\":\"add\",\"symbols\":[\"S%zu\",\"S%zu\"%s]}", one,
            two, wrong ? ",\"NOSUCH\"" : "");
        const char *rows = sim_ask(line, 60 * NS_PER_S);
        assert_int_equal(reply.code, wrong);
        assert_true(!wrong ||
            strstr(rows,
                "\"NOSUCH\",\"state\":\"refused\",\"error\":\"the exchange does not know this"));
        sim_check_book(one);
        sim_check_book(two);
        assert_int_equal(sim_app.sites[0].tracked_count, 4);
        snprintf(line, sizeof(line), "{\"command\":\"remove\",\"symbols\":[\"S%zu\",\"S%zu\"]}",
            one, two);
        rows = sim_ask(line, NS_PER_S);
        assert_int_equal(reply.code, 0);
        assert_int_equal(sim_app.sites[0].tracked_count, 0);
}

static void ten_thousand_cycles_leave_nothing(void **state)
{
        size_t before = 0;
        (void)state;
        setenv("IMAGE_DEPTH", "100", 1); /* cheap: the budget is not what is tried here */
        sim_begin(12, "");
        for (unsigned round = 0; round < CYCLES / 2; round++) { /* of two symbols each */
                cycle(round);
                if (round == CYCLES / 10)
                        before = memory_used();
        }
        sim_run(2 * NS_PER_S); /* the last command to the exchange goes out */
        for (size_t i = 0; i < exchange.symbols; i++)
                assert_false(exchange.connections[0].books[i] || exchange.connections[0].trades[i]);
        assert_int_equal(sim_app.rules.count, 0);
        assert_true(sim_app.request_count <= 64);
        assert_true(sim_app.sites[0].links[0]->member_count <= 64);
        assert_true(
            memory_used() < before + CYCLES * 16); /* the store's list of free pages grows */
        sim_end();
        unsetenv("IMAGE_DEPTH");
}

static void two_hundred_at_once_use_the_budget_and_no_more(void **state)
{
        struct buffer line;
        (void)state;
        sim_begin(200, "");
        buffer_init(&line, 1 << 16);
        buffer_append_text(&line, "{\"command\":\"add\",\"symbols\":[");
        for (size_t i = 0; i < 200; i++)
                buffer_printf(&line, "%s\"S%zu\"", i ? "," : "", i);
        buffer_append_text(&line, "]}");
        buffer_append_byte(&line, 0);
        int64_t began = exchange.mono_ns;
        const char *rows = sim_ask((char *)line.data, 10 * MINUTE_NS);
        int64_t took_s = (exchange.mono_ns - began) / NS_PER_S;
        assert_int_equal(reply.code, 0);
        for (size_t i = 0; i < 200; i++) {
                char name[32];
                snprintf(name, sizeof(name), "\"S%zu\",\"state\":\"live\"", i);
                assert_non_null(strstr(rows, name));
                sim_check_book(i);
        }
        print_message("200 symbols live after %d s\n", (int)took_s);
        size_t minutes = (size_t)(took_s / 60);
        for (size_t m = 0; m <= minutes; m++) {
                print_message("minute %zu: weight %" PRIu64 "\n", m, exchange.weight[m]);
                assert_true(exchange.weight[m] <= 3000);
        }
        assert_true(minutes >= 2);
        for (size_t m = 1; m < minutes; m++) /* whole minutes in which some waited */
                assert_true(exchange.weight[m] >= 2700);
        buffer_deinit(&line);
        sim_end();
}

static void a_pattern_follows_what_is_listed(void **state)
{
        (void)state;
        sim_begin(5, "S4");
        sim_run(5 * NS_PER_S);
        const char *rows = sim_ask("{\"command\":\"add\",\"symbols\":[\"binance:S*\"]}", MINUTE_NS);
        assert_non_null(strstr(rows, "\"pattern\":\"S*\",\"matches\":5"));
        assert_int_equal(sim_app.sites[0].tracked_count, 10);
        sim_ask("{\"command\":\"remove\",\"symbols\":[\"S2\"]}", MINUTE_NS);
        assert_int_equal(sim_app.sites[0].tracked_count, 8);
        exchange.ids[5] = exchange.trade_ids[5] = 77;
        exchange.symbols = 6; /* a new listing */
        sim_run(11 * MINUTE_NS);
        assert_non_null(symbol_book(&sim_app.sites[0], "S5"));
        sim_check_book(5);
        assert_null(symbol_book(&sim_app.sites[0], "S2")); /* the later word */
        sim_close();
        sim_open(); /* the changes were kept */
        sim_run(10 * NS_PER_S);
        assert_int_equal(sim_app.sites[0].tracked_count, 10);
        assert_null(symbol_book(&sim_app.sites[0], "S2"));
        sim_ask("{\"command\":\"remove\",\"symbols\":[\"S*\"]}", MINUTE_NS);
        assert_int_equal(sim_app.sites[0].tracked_count, 0);
        sim_close();
        sim_open(); /* S4 is a setting, but the later word was against it */
        sim_run(10 * NS_PER_S);
        assert_int_equal(sim_app.sites[0].tracked_count, 0);
        assert_false(sim_app.failed);
        sim_end();
}

/* Whatever goes, the others are found by their names, and what went is not. */
static void the_others_are_still_found(void **state)
{
        char line[128], name[16];
        (void)state;
        sim_begin(400, "S*");
        exchange.quiet = true;
        sim_run(5 * NS_PER_S);
        assert_int_equal(sim_app.sites[0].tracked_count, 800);
        for (unsigned gone = 0; gone < 400; gone++) {
                unsigned symbol = gone * 97 % 400; /* each once, in an order of its own */
                snprintf(
                    line, sizeof(line), "{\"command\":\"remove\",\"symbols\":[\"S%u\"]}", symbol);
                sim_ask(line, NS_PER_S);
                for (unsigned i = 0; i < 400; i++) {
                        snprintf(name, sizeof(name), "S%u", i * 97 % 400);
                        assert_int_equal(!symbol_book(&sim_app.sites[0], name), i <= gone);
                        assert_int_equal(
                            !tracked_find(&sim_app.sites[0], name, strlen(name), KIND_TRADES),
                            i <= gone);
                }
        }
        sim_end();
}

/* A symbol that goes while its image, its name, or its subscription is under way. */
static void it_may_go_at_any_moment(void **state)
{
        char line[128];
        (void)state;
        sim_begin(40, "");
        for (int64_t after = 0; after < 40; after++) {
                snprintf(
                    line, sizeof(line), "{\"command\":\"add\",\"symbols\":[\"S%d\"]}", (int)after);
                char padded[256] = {0};
                memcpy(padded, line, strlen(line));
                commands_request(&sim_app, 2, padded, strlen(line));
                sim_run(after * STEP_NS);
                snprintf(line, sizeof(line), "{\"command\":\"remove\",\"symbols\":[\"S%d\"]}",
                    (int)after);
                sim_ask(line, NS_PER_S);
                assert_int_equal(reply.code, 0);
                assert_int_equal(sim_app.sites[0].tracked_count, 0);
        }
        sim_run(5 * NS_PER_S);
        for (size_t i = 0; i < 40; i++)
                assert_false(exchange.connections[0].books[i]);
        sim_end();
}

static void the_one_asking_may_go(void **state)
{
        char line[] = "{\"command\":\"add\",\"symbols\":[\"S1\"]}"
                      "                                                                    ";
        (void)state;
        sim_begin(3, "S0");
        commands_request(&sim_app, 9, line, strlen(line));
        commands_gone(&sim_app, 9);
        reply.ended = false;
        sim_run(10 * NS_PER_S);
        assert_false(reply.ended);
        sim_check_book(1); /* what he began goes on */
        sim_end();
}

/* ... but what the exchange refuses is not wanted any more, and does not end the logger. */
static void what_is_refused_to_one_who_went_is_forgotten(void **state)
{
        char line[] = "{\"command\":\"add\",\"symbols\":[\"NOSUCH\"]}"
                      "                                                                    ";
        (void)state;
        sim_begin(3, "");
        commands_request(&sim_app, 9, line, strlen(line));
        commands_gone(&sim_app, 9);
        sim_run(10 * NS_PER_S);
        assert_false(sim_app.failed);
        assert_int_equal(sim_app.rules.count, 0);
        assert_int_equal(sim_app.sites[0].tracked_count, 0);
        sim_close();
        sim_open();
        sim_run(5 * NS_PER_S);
        assert_int_equal(sim_app.site_count, 0);
        sim_end();
}

/* Nothing is listed, or answered, for over a minute: who asked is told, and it goes on. */
static void who_waits_too_long_is_told_and_it_goes_on(void **state)
{
        (void)state;
        sim_begin(3, "S0");
        sim_run(5 * NS_PER_S);
        exchange.deaf = true;
        const char *rows = sim_ask("{\"command\":\"add\",\"symbols\":[\"S1\"]}", 2 * MINUTE_NS);
        assert_int_equal(reply.code, 1);
        assert_non_null(strstr(rows, "\"S1\",\"state\":\"asking\",\"error\":\"no news for 60 s"));
        exchange.deaf = false;
        sim_run(2 * MINUTE_NS);
        sim_check_book(1);
        sim_end();
}

static void a_lost_book_is_resyncing(void **state)
{
        (void)state;
        sim_begin(2, "S0");
        sim_run(5 * NS_PER_S);
        assert_string_equal(tracked_state(symbol_book(&sim_app.sites[0], "S0")), "live");
        exchange.deaf = true;
        exchange.ids[0] += 10; /* events are missing */
        sim_run(2 * NS_PER_S);
        assert_string_equal(tracked_state(symbol_book(&sim_app.sites[0], "S0")), "resyncing");
        exchange.deaf = false;
        sim_run(2 * MINUTE_NS);
        sim_check_book(0);
        sim_ask("{\"command\":\"gaps\"}", NS_PER_S);
        assert_non_null(strstr((char *)reply.rows.data, "\"cause\":\"sequence\""));
        sim_end();
}

static void a_snapshot_is_told_when_it_was_compared(void **state)
{
        (void)state;
        sim_begin(3, "S0,S1");
        sim_run(10 * NS_PER_S);
        uint64_t before = exchange.requests;
        const char *rows = sim_ask("{\"command\":\"snapshot\",\"symbol\":\"all\"}", MINUTE_NS);
        assert_int_equal(reply.code, 0);
        assert_int_equal(exchange.requests, before + 2);
        assert_non_null(strstr(rows, "\"S0\",\"state\":\"live\",\"corrections\":0"));
        assert_non_null(strstr(rows, "\"S1\",\"state\":\"live\",\"corrections\":0"));
        sim_end();
}

static void a_reconnect_loses_nothing(void **state)
{
        (void)state;
        sim_begin(3, "S0,S1,S2");
        sim_run(10 * NS_PER_S);
        sim_ask("{\"command\":\"reconnect\",\"exchange\":\"binance\"}", NS_PER_S);
        assert_non_null(strstr((char *)reply.rows.data, "\"connections\":1"));
        sim_run(90 * NS_PER_S);
        assert_int_equal(exchange.next_number, 2);
        assert_null(connection_of(1));
        for (size_t i = 0; i < 3; i++)
                sim_check_book(i);
        sim_ask("{\"command\":\"gaps\"}", NS_PER_S);
        assert_string_equal((char *)reply.rows.data, "{\"end\":0}\n");
        sim_end();
}

static void what_is_wrong_is_said(void **state)
{
        static const struct {
                const char *line, *answer;
        } cases[] = {
            {"", "{\"end\":2,\"error\":\"a request is one JSON object\"}\n"},
            {"[]", "{\"end\":2,\"error\":\"a request is one JSON object\"}\n"},
            {"{}", "{\"end\":2,\"error\":\"\\\"command\\\" is missing: a text\"}\n"},
            {"{\"command\":\"nope\"}",
                "{\"end\":2,\"error\":\"the command \\\"nope\\\" is not known\"}\n"},
            {"{\"command\":\"add\"}",
                "{\"end\":2,\"error\":\"\\\"symbols\\\" is missing: a list of texts\"}\n"},
            {"{\"command\":\"add\",\"symbols\":[]}",
                "{\"end\":2,\"error\":\"\\\"symbols\\\" is empty\"}\n"},
            {"{\"command\":\"add\",\"symbols\":[1]}",
                "{\"end\":2,\"error\":\"\\\"symbols\\\": a list of texts\"}\n"},
            {"{\"command\":\"remove\",\"symbols\":[\"S1\"]}",
                "{\"exchange\":\"binance\",\"symbol\":\"S1\",\"state\":\"unknown\","
                "\"error\":\"it is not recorded\"}\n"
                "{\"end\":1,\"error\":\"binance:S1: it is not recorded\"}\n"},
            {"{\"command\":\"book\",\"symbol\":\"S0\",\"depth\":0}",
                "{\"end\":2,\"error\":\"\\\"depth\\\": allowed is a number from 1\"}\n"},
            {"{\"command\":\"book\",\"symbol\":\"S*\"}",
                "{\"end\":2,\"error\":\"\\\"S*\\\": not one symbol, like binance:BTCUSDT\"}\n"},
            {"{\"command\":\"watch\",\"symbol\":\"S1\"}",
                "{\"end\":1,\"error\":\"binance:S1 is not recorded; obmanage list names what "
                "is\"}\n"},
            {"{\"command\":\"reconnect\",\"exchange\":\"kraken\"}",
                "{\"end\":1,\"error\":\"exchange \\\"kraken\\\": nothing of it is recorded\"}\n"},
        };
        (void)state;
        sim_begin(2, "S0");
        sim_run(5 * NS_PER_S);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                assert_string_equal(sim_ask(cases[i].line, NS_PER_S), cases[i].answer);
        sim_check_book(0);
        sim_end();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_is_wrong_is_said),
            cmocka_unit_test(a_pattern_follows_what_is_listed),
            cmocka_unit_test(the_others_are_still_found),
            cmocka_unit_test(it_may_go_at_any_moment),
            cmocka_unit_test(the_one_asking_may_go),
            cmocka_unit_test(what_is_refused_to_one_who_went_is_forgotten),
            cmocka_unit_test(who_waits_too_long_is_told_and_it_goes_on),
            cmocka_unit_test(a_lost_book_is_resyncing),
            cmocka_unit_test(a_snapshot_is_told_when_it_was_compared),
            cmocka_unit_test(a_reconnect_loses_nothing),
            cmocka_unit_test(two_hundred_at_once_use_the_budget_and_no_more),
            cmocka_unit_test(ten_thousand_cycles_leave_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
