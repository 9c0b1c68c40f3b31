/* The numbers for Prometheus, of a logger put together by hand: exact lines, and whether it is
 * well. */
#include <time.h>

#include "control/server.h"
#include "ship/ship.h"
#include "tests/unit/metrics_help.h"

/* ---- what stands in for threads and clocks ---- */

static int64_t mono_ns = 1000 * NS_PER_S;
static struct shipper_stats sink;

int64_t __wrap_clock_mono_ns(void);
int __wrap_clock_sync(struct clock_state *ret_state);
struct shipper_stats __wrap_shipper_stats(struct shipper *shipper);
struct control_stats __wrap_control_stats(struct control_server *server);

int64_t __wrap_clock_mono_ns(void)
{
        return mono_ns;
}

int __wrap_clock_sync(struct clock_state *ret_state)
{
        *ret_state = (struct clock_state){
            .synchronized = true, .offset_ns = -1500 * NS_PER_US, .error_ns = 250 * NS_PER_US};
        return 0;
}

struct shipper_stats __wrap_shipper_stats(struct shipper *shipper)
{
        (void)shipper;
        return sink;
}

struct control_stats __wrap_control_stats(struct control_server *server)
{
        (void)server;
        return (struct control_stats){
            .connections = 11, .refused = 2, .wrong_keys = 3, .requests = 44};
}

/* ---- the text as a whole ---- */

static bool is_name(const char *text, size_t size)
{
        for (size_t i = 0; i < size; i++) {
                if (!strchr("abcdefghijklmnopqrstuvwxyz_", text[i]) &&
                    !(i && text[i] >= '0' && text[i] <= '9'))
                        return false;
        }
        return size > 0;
}

/* The family in hand, and all that were seen. */
struct families {
        char names[128][64];
        size_t count;
        bool histogram;
        size_t samples;
};

static void check_comment(struct families *families, const char *line)
{
        char name[64], type[16] = "";
        if (sscanf(line, "# HELP %63s %*s", name) == 1) {
                for (size_t i = 0; i < families->count; i++)
                        assert_string_not_equal(families->names[i], name);
                assert_true(families->count < 128);
                snprintf(families->names[families->count++], 64, "%s", name);
                assert_true(is_name(name, strlen(name)));
                return;
        }
        assert_int_equal(sscanf(line, "# TYPE %63s %15s", name, type), 2);
        assert_string_equal(name, families->names[families->count - 1]);
        families->histogram = !strcmp(type, "histogram");
        bool total = strlen(name) > 6 && !strcmp(name + strlen(name) - 6, "_total");
        assert_true(!strcmp(type, "counter") ? total : !total);
        assert_true(families->histogram || !strcmp(type, "counter") || !strcmp(type, "gauge"));
}

static void check_sample(struct families *families, const char *line)
{
        const char *name = families->names[families->count - 1];
        size_t size = strcspn(line, "{ ");
        char *end;
        assert_true(is_name(line, size));
        if (families->histogram)
                assert_memory_equal(line, name, strlen(name));
        else
                assert_true(strlen(name) == size && !memcmp(line, name, size));
        const char *value = strrchr(line, ' ');
        assert_non_null(value);
        assert_true(line[size] == ' ' ? line + size == value : value[-1] == '}');
        strtold(value + 1, &end);
        assert_true(end > value + 1 && !*end);
        families->samples++;
}

static void take_families(const char *text, struct families *ret_families)
{
        char *copy = memory_text(text), *rest = copy, *line;
        *ret_families = (struct families){0};
        while ((line = strsep(&rest, "\n")) && *line) {
                if (*line == '#')
                        check_comment(ret_families, line);
                else
                        check_sample(ret_families, line);
        }
        assert_true(line && !rest); /* it ends with its last line */
        free(copy);
}

/* Everything there is: an exchange with books and trades, an exchange with orders, a sink. */
static struct tracked *world_fill(struct world *world)
{
        struct tracked *book = world_add(world, 0, "BTCUSDT", KIND_L2);
        struct tracked *orders = world_add(world, 1, "BTC-USD", KIND_L3);
        struct tracked *refused = world_add(world, 0, "NOSUCH", KIND_L2);
        world_add(world, 0, "ETHUSDT", KIND_L2);
        refused->refused = true;
        world_confirm(world, world_add(world, 0, "BTCUSDT", KIND_TRADES));
        world_confirm(world, book);
        world_confirm(world, orders);
        world_image(book, 100);
        world_image(orders, 7);
        return book;
}

static void every_line_follows_the_format(void **state)
{
        (void)state;
        struct world world;
        struct families families;
        world_begin(&world, "format", 0);
        take_families(world_write(&world), &families);
        size_t families_without_streams = families.count, samples = families.samples;
        world_fill(&world);
        sink.state = SHIPPER_WAITING;
        world.app.shipper = (struct shipper *)&world;
        take_families(world_write(&world), &families);
        assert_int_equal(families.count, families_without_streams);
        assert_true(families.samples > samples + 20);
        world_end(&world);
}

static void label_values_are_escaped(void **state)
{
        (void)state;
        struct world world;
        world_begin(&world, "escape", 0);
        world_add(&world, 0, "A\"B\\C\nD", KIND_L2);
        assert_line(world_write(&world),
            "oblogger_stream_live{exchange=\"binance\",symbol=\"A\\\"B\\\\C\\nD\",kind=\"l2\"} 0");
        world_end(&world);
}

/* ---- numbers ---- */

#define BOOK "{exchange=\"binance\",symbol=\"BTCUSDT\",kind=\"l2\"} "
#define SIDE(side) "{exchange=\"binance\",symbol=\"BTCUSDT\",kind=\"l2\",side=\"" side "\"} "

static void a_live_book_tells_its_state(void **state)
{
        (void)state;
        struct world world;
        world_begin(&world, "book", 0);
        struct tracked *book = world_fill(&world);
        for (int64_t id = 101; id <= 107; id++)
                world_event(book, id, T0 + id);
        book->session.last_event_ns = world.app.mono_ns - 1500 * NS_PER_MS;
        book->last_receive_ns = T0;
        book->last_event_ns = T0 - 123456 * NS_PER_US;
        const char *text = world_write(&world);
        assert_line(text, "oblogger_stream_live" BOOK "1");
        assert_line(text, "oblogger_events_total" BOOK "7");
        assert_line(text, "oblogger_stream_gaps_total" BOOK "0");
        assert_line(text, "oblogger_last_event_age_seconds" BOOK "1.5");
        assert_line(text, "oblogger_last_event_delay_seconds" BOOK "0.123456");
        assert_line(text, "oblogger_book_levels" SIDE("bid") "3");
        assert_line(text, "oblogger_book_levels" SIDE("ask") "1");
        assert_line(text, "oblogger_best_price" SIDE("bid") "61837.63");
        assert_line(text, "oblogger_best_price" SIDE("ask") "61838");
        assert_line(
            text, "oblogger_book_orders{exchange=\"coinbase\",symbol=\"BTC-USD\",kind=\"l3\"} 3");
        assert_line(text, "oblogger_streams{exchange=\"binance\",state=\"live\"} 1");
        assert_line(text, "oblogger_streams{exchange=\"binance\",state=\"syncing\"} 1");
        assert_line(text, "oblogger_streams{exchange=\"binance\",state=\"unconfirmed\"} 1");
        assert_line(text, "oblogger_streams{exchange=\"binance\",state=\"refused\"} 1");
        assert_null(strstr(text, "NOSUCH"));
        world_end(&world);
}

#define DELAY(le) "oblogger_delay_seconds_bucket{exchange=\"binance\",kind=\"l2\",le=\"" le "\"} "

static void delays_from_the_exchange_are_summed_up(void **state)
{
        (void)state;
        static const int64_t delays_us[] = {-5, 1000, 1001, 70000000};
        struct world world;
        world_begin(&world, "delays", 0);
        struct tracked *book = world_fill(&world);
        assert_null(strstr(world_write(&world), "oblogger_delay_seconds_"));
        for (size_t i = 0; i < 4; i++)
                delay_count(
                    &book->delays, &book->site->delays[KIND_L2], T0 - delays_us[i] * NS_PER_US, T0);
        const char *text = world_write(&world);
        assert_line(text, "oblogger_event_delay_seconds_total" BOOK "70.002001");
        assert_line(text, "oblogger_event_delays_total" BOOK "4");
        assert_line(text, "oblogger_early_events_total" BOOK "1");
        assert_line(text, DELAY("0") "1");
        assert_line(text, DELAY("0.001") "2");
        assert_line(text, DELAY("0.002") "3");
        assert_line(text, DELAY("60") "3");
        assert_line(text, DELAY("+Inf") "4");
        assert_line(text, "oblogger_delay_seconds_sum{exchange=\"binance\",kind=\"l2\"} 70.002001");
        assert_line(text, "oblogger_delay_seconds_count{exchange=\"binance\",kind=\"l2\"} 4");
        assert_null(strstr(text, "oblogger_delay_seconds_sum{exchange=\"coinbase\""));
        world_end(&world);
}

static void a_gap_is_counted_by_its_cause_and_stays_counted(void **state)
{
        (void)state;
        struct world world;
        struct error error;
        world_begin(&world, "gaps", 0);
        struct tracked *book = world_fill(&world);
        world_event(book, 101, T0);
        record_gap(book->stream, GAP_SEQUENCE, T0 + 1, "");
        const char *text = world_write(&world);
        assert_line(text, "oblogger_stream_live" BOOK "0");
        assert_line(text, "oblogger_stream_gaps_total" BOOK "1");
        assert_line(text, "oblogger_gaps_total{exchange=\"binance\",cause=\"sequence\"} 1");
        assert_line(text, "oblogger_gaps_total{exchange=\"coinbase\",cause=\"sequence\"} 0");
        assert_line(text, "oblogger_resyncs_total{exchange=\"binance\"} 0");
        assert_null(strstr(text, "oblogger_best_price" SIDE("bid")));
        world_image(book, 200);
        assert_line(world_write(&world), "oblogger_resyncs_total{exchange=\"binance\"} 1");
        world_event(book, 201, T0 + 1);
        record_stream_close(book->stream, T0 + 2, true);
        book->stream = NULL;
        text = world_write(&world);
        assert_line(text, "oblogger_gaps_total{exchange=\"binance\",cause=\"sequence\"} 1");
        assert_line(text, "oblogger_resyncs_total{exchange=\"binance\"} 1");
        world_confirm(&world, book);
        text = world_write(&world);
        assert_line(text, "oblogger_gaps_total{exchange=\"binance\",cause=\"removed\"} 1");
        assert_line(text, "oblogger_stream_gaps_total" BOOK "2");
        assert_line(text, "oblogger_events_total" BOOK "2");
        assert_int_equal(record_stream_open(world.app.recorder,
                             &(struct stream_name){"binance", "BTCUSDT", KIND_L2, true},
                             &(struct scale){2, 8, true, 1, 1}, T0, &book->stream, &error),
            ERR_BUSY);
        world_end(&world);
}

static void a_correction_is_counted_with_its_levels(void **state)
{
        (void)state;
        struct world world;
        uint32_t differences;
        struct level bid = {6183763, 999}, ask = {6183800, 300};
        struct image image = {.id = 101, .count = {1, 1}, .levels = {&bid, &ask}};
        world_begin(&world, "corrections", 0);
        struct tracked *book = world_fill(&world);
        record_tail_begin(book->stream);
        world_event(book, 101, T0);
        assert_int_equal(record_correct(book->stream, &image, &differences), 0);
        assert_int_equal(differences, 3);
        const char *text = world_write(&world);
        assert_line(text, "oblogger_corrections_total{exchange=\"binance\"} 1");
        assert_line(text, "oblogger_corrected_levels_total{exchange=\"binance\"} 3");
        record_tail_begin(book->stream);
        assert_int_equal(record_correct(book->stream, &image, &differences), 0);
        assert_line(world_write(&world), "oblogger_corrections_total{exchange=\"binance\"} 1");
        world_end(&world);
}

/* Events without a book count when they come, not again when an image takes them behind it. */
static void an_event_counts_once(void **state)
{
        (void)state;
        struct world world;
        world_begin(&world, "once", 0);
        struct tracked *book = world_add(&world, 0, "BTCUSDT", KIND_L2);
        world_confirm(&world, book);
        for (int64_t id = 99; id <= 104; id++) {
                struct level level = {6183000, id};
                struct event event = {.event_time_ns = T0,
                    .receive_time_ns = T0 + id,
                    .first_id = id,
                    .last_id = id,
                    .count = {1, 0},
                    .levels = {&level, &level + 1}};
                record_headless(book->stream, &event, id == 99);
        }
        world_image(book, 100);
        world_event(book, 105, T0 + 105);
        recorder_tick(world.app.recorder, T0 + NS_PER_MS);
        const char *text = world_write(&world);
        assert_line(text, "oblogger_events_total" BOOK "7");
        assert_line(text, "oblogger_stored_latency_seconds_count 7");
        world_end(&world);
}

static void an_exchange_tells_its_traffic_and_its_budget(void **state)
{
        (void)state;
        struct world world;
        struct budget_request next;
        world_begin(&world, "traffic", 0);
        struct site *site = &world.sites[0];
        site->messages = 1234567890123;
        site->message_bytes = UINT64_MAX;
        site->bad_messages = 4;
        site->connects = 3;
        site->connect_failures = 2;
        site->disconnects = 1;
        budget_add(&site->budget, BUDGET_RESYNC, 1, 250);
        assert_true(budget_next(&site->budget, T0, &next));
        budget_add(&site->budget, BUDGET_REFRESH, 2, 5);
        budget_block(&site->budget, T0, 90);
        const char *text = world_write(&world);
        assert_line(text, "oblogger_received_messages_total{exchange=\"binance\"} 1234567890123");
        assert_line(
            text, "oblogger_received_bytes_total{exchange=\"binance\"} 18446744073709551615");
        assert_line(text, "oblogger_bad_messages_total{exchange=\"binance\"} 4");
        assert_line(text, "oblogger_connects_total{exchange=\"binance\"} 3");
        assert_line(text, "oblogger_connect_failures_total{exchange=\"binance\"} 2");
        assert_line(text, "oblogger_disconnects_total{exchange=\"binance\"} 1");
        assert_line(text, "oblogger_connections{exchange=\"binance\"} 0");
        assert_line(text, "oblogger_rest_weight_used{exchange=\"binance\"} 250");
        assert_line(text, "oblogger_rest_weight_limit{exchange=\"binance\"} 3000");
        assert_line(text, "oblogger_rest_blocked_seconds{exchange=\"binance\"} 90");
        assert_line(text, "oblogger_rest_blocked_seconds{exchange=\"coinbase\"} 0");
        assert_line(
            text, "oblogger_rest_requests_waiting{exchange=\"binance\",priority=\"refresh\"} 1");
        assert_line(
            text, "oblogger_rest_requests_waiting{exchange=\"binance\",priority=\"resync\"} 0");
        world_end(&world);
}

static void open_connections_are_counted(void **state)
{
        (void)state;
        struct world world;
        struct link *link = memory_new(sizeof(*link));
        world_begin(&world, "connections", 0);
        link_init(link, 1, NS_PER_DAY, 0, 0);
        link_connecting(link, 7, 0);
        world.sites[1].links[0] = link;
        world.sites[1].link_count = 1;
        assert_line(world_write(&world), "oblogger_connections{exchange=\"coinbase\"} 0");
        link_opened(link, 7, 1);
        assert_line(world_write(&world), "oblogger_connections{exchange=\"coinbase\"} 1");
        free(link);
        world_end(&world);
}

static void the_program_tells_itself_its_sink_and_its_doors(void **state)
{
        (void)state;
        struct world world;
        world_begin(&world, "program", 0);
        world.app.clock_steps = 6;
        const char *text = world_write(&world);
        assert_line(text, "oblogger_build_info{version=\"" OBLOGGER_VERSION "\"} 1");
        assert_line(text, "oblogger_uptime_seconds 400");
        assert_line(text, "process_start_time_seconds 1723161200");
        assert_line(text, "oblogger_clock_steps_total 6");
        assert_line(text, "oblogger_clock_synchronized 1");
        assert_line(text, "oblogger_clock_offset_seconds -0.0015");
        assert_line(text, "oblogger_clock_error_seconds 0.00025");
        assert_line(text, "oblogger_control_requests_total 0");
        assert_line(text, "# TYPE oblogger_sink_behind_seconds gauge");
        assert_null(strstr(text, "oblogger_sink_behind_seconds{"));
        sink = (struct shipper_stats){.state = SHIPPER_SHIPPING,
            .events_behind = 5,
            .bytes_behind = 6,
            .behind_ns = 2500 * NS_PER_MS,
            .frames = 8,
            .bytes = 9,
            .failures = 10};
        world.app.shipper = (struct shipper *)&world;
        world.app.control = (struct control_server *)&world;
        text = world_write(&world);
        assert_line(text, "oblogger_sink_state{sink=\"mongodb\",state=\"shipping\"} 1");
        assert_line(text, "oblogger_sink_state{sink=\"mongodb\",state=\"waiting\"} 0");
        assert_line(text, "oblogger_sink_behind_seconds{sink=\"mongodb\"} 2.5");
        assert_line(text, "oblogger_sink_behind_events{sink=\"mongodb\"} 5");
        assert_line(text, "oblogger_sink_behind_bytes{sink=\"mongodb\"} 6");
        assert_line(text, "oblogger_sink_shipped_frames_total{sink=\"mongodb\"} 8");
        assert_line(text, "oblogger_sink_shipped_bytes_total{sink=\"mongodb\"} 9");
        assert_line(text, "oblogger_sink_failures_total{sink=\"mongodb\"} 10");
        assert_line(text, "oblogger_control_connections_total 11");
        assert_line(text, "oblogger_control_refused_total 2");
        assert_line(text, "oblogger_control_wrong_keys_total 3");
        assert_line(text, "oblogger_control_requests_total 44");
        world_end(&world);
}

static uint64_t number_of(const char *text, const char *name)
{
        char line[128];
        unsigned long long value = 0;
        snprintf(line, sizeof(line), "\n%s ", name);
        const char *at = strstr(text, line);
        assert_non_null(at);
        assert_int_equal(sscanf(at + strlen(line), "%llu", &value), 1);
        return value;
}

static void the_process_is_measured(void **state)
{
        (void)state;
        struct world world;
        int fds[3];
        world_begin(&world, "process", 0);
        uint64_t before = number_of(world_write(&world), "process_open_fds");
        for (int i = 0; i < 3; i++)
                fds[i] = open("/dev/null", O_RDONLY);
        const char *text = world_write(&world);
        assert_int_equal(number_of(text, "process_open_fds"), before + 3);
        assert_true(number_of(text, "process_resident_memory_bytes") > 1000000);
        assert_true(number_of(text, "process_max_fds") > before);
        assert_true(strstr(text, "\nprocess_cpu_seconds_total 0.") ||
            number_of(text, "process_cpu_seconds_total") > 0);
        for (int i = 0; i < 3; i++)
                close(fds[i]);
        world_end(&world);
}

/* ---- from receipt to disk ---- */

#define BUCKET(le) "oblogger_stored_latency_seconds_bucket{le=\"" le "\"} "

static void latency_is_measured_when_the_commit_is_done(void **state)
{
        (void)state;
        struct world world;
        world_begin(&world, "latency", 0);
        struct tracked *book = world_fill(&world);
        recorder_tick(world.app.recorder, T0);
        world_event(book, 101, T0 + 100 * NS_PER_MS); /* 300 ms before the tick */
        world_event(book, 102, T0 + 380 * NS_PER_MS); /* 20 ms */
        recorder_tick(world.app.recorder, T0 + 400 * NS_PER_MS);
        const char *text = world_write(&world);
        assert_line(text, BUCKET("0.01") "0");
        assert_line(text, BUCKET("0.025") "1");
        assert_line(text, BUCKET("0.25") "1");
        assert_line(text, BUCKET("0.5") "2");
        assert_line(text, BUCKET("+Inf") "2");
        assert_line(text, "oblogger_stored_latency_seconds_sum 0.32");
        commits_fail = true; /* the next one is refused for 2 s */
        world_event(book, 103, T0 + 500 * NS_PER_MS);
        recorder_tick(world.app.recorder, T0 + 600 * NS_PER_MS);
        assert_line(world_write(&world), "oblogger_stored_latency_seconds_count 2");
        mono_ns += 2 * NS_PER_S;
        commits_fail = false;
        recorder_tick(world.app.recorder, T0 + 600 * NS_PER_MS); /* our clock was set back */
        text = world_write(&world);
        assert_line(text, BUCKET("1.5") "2");
        assert_line(text, BUCKET("2.5") "3");
        assert_line(text, "oblogger_stored_latency_seconds_sum 2.42");
        world_end(&world);
}

/* ---- is it well? ---- */

static bool ask(struct world *world, bool (*question)(const struct app *, struct buffer *))
{
        buffer_clear(&world->text);
        bool answer = question(&world->app, &world->text);
        buffer_append_byte(&world->text, 0);
        return answer;
}

static void a_store_that_refuses_is_told(void **state)
{
        (void)state;
        struct world world;
        world_begin(&world, "refuses", 65536);
        struct tracked *book = world_fill(&world);
        recorder_tick(world.app.recorder, T0);
        recorder_tick(world.app.recorder, T0); /* the first images have gone */
        assert_true(ask(&world, metrics_healthy));
        assert_string_equal(world.text.data, "healthy\n");
        assert_line(world_write(&world), "oblogger_commit_pending_seconds 0");
        assert_line(world_write(&world), "oblogger_queue_limit_bytes 65536");
        commits_fail = true;
        world_event(book, 101, T0);
        recorder_tick(world.app.recorder, T0);
        mono_ns += 30 * NS_PER_S;
        assert_true(ask(&world, metrics_healthy));
        mono_ns += NS_PER_S;
        recorder_tick(world.app.recorder, T0);
        assert_false(ask(&world, metrics_healthy));
        assert_string_equal(world.text.data,
            "unhealthy: the store has taken nothing for 31 s: it refuses, see the log\n");
        const char *text = world_write(&world);
        assert_line(text, "oblogger_commit_pending_seconds 31");
        assert_line(text, "oblogger_failed_commits_total 2");
        assert_line(text, "oblogger_recording_suspended 0");
        for (int64_t id = 102; !recorder_stats(world.app.recorder).suspended; id++) {
                world_event(book, id, T0);
                recorder_tick(world.app.recorder, T0);
        }
        assert_false(ask(&world, metrics_healthy));
        assert_non_null(strstr((char *)world.text.data, "unhealthy: nothing is recorded: "));
        assert_line(world_write(&world), "oblogger_recording_suspended 1");
        commits_fail = false;
        recorder_tick(world.app.recorder, T0);
        assert_true(ask(&world, metrics_healthy));
        assert_line(world_write(&world), "oblogger_queue_bytes 0");
        world_end(&world);
}

static void ready_is_who_has_had_every_book(void **state)
{
        (void)state;
        struct world world;
        world_begin(&world, "ready", 0);
        struct tracked *book = world_add(&world, 0, "BTCUSDT", KIND_L2);
        struct tracked *refused = world_add(&world, 0, "NOSUCH", KIND_L2);
        refused->refused = true;
        world_add(&world, 0, "BTCUSDT", KIND_TRADES);
        assert_false(ask(&world, metrics_ready));
        assert_string_equal(
            world.text.data, "not ready: 0 of 1 books are live; not live: binance:BTCUSDT\n");
        world_confirm(&world, book);
        assert_false(ask(&world, metrics_ready));
        world_image(book, 100);
        assert_true(ask(&world, metrics_ready));
        assert_string_equal(world.text.data, "ready: 1 of 1 books are live\n");
        world_event(book, 101, T0);
        record_gap(book->stream, GAP_DISCONNECT, T0, ""); /* it was there */
        assert_true(ask(&world, metrics_ready));
        assert_string_equal(
            world.text.data, "ready: 0 of 1 books are live; not live: binance:BTCUSDT\n");
        commits_fail = true;
        recorder_tick(world.app.recorder, T0);
        assert_false(ask(&world, metrics_ready));
        assert_string_equal(world.text.data,
            "not ready: 0 of 1 books are live; not live: binance:BTCUSDT; the store cannot be "
            "written\n");
        world_end(&world);
}

/* Which symbols a pattern means is known once the exchange has listed its own. */
static void a_pattern_waits_for_the_list(void **state)
{
        (void)state;
        struct world world;
        struct rule rule = {.venue = &venue_coinbase, .symbol = "*-USD", .wanted = true};
        struct error error;
        world_begin(&world, "pattern", 0);
        assert_int_equal(rules_add(&world.app.rules, &rule, &error), 0);
        assert_false(ask(&world, metrics_ready));
        assert_string_equal(world.text.data,
            "not ready: 0 of 0 books are live; an exchange has not told its symbols yet\n");
        world.sites[1].listings = 1;
        assert_true(ask(&world, metrics_ready));
        rules_deinit(&world.app.rules);
        world_end(&world);
}

static void ten_books_are_named_and_the_others_counted(void **state)
{
        (void)state;
        struct world world;
        char symbol[16];
        world_begin(&world, "ten", 0);
        for (int i = 13; i > 0; i--) {
                snprintf(symbol, sizeof(symbol), "S%d", i);
                world_add(&world, 1, symbol, KIND_L2);
        }
        assert_false(ask(&world, metrics_ready));
        assert_string_equal(world.text.data,
            "not ready: 0 of 13 books are live; not live: coinbase:S1, coinbase:S2, coinbase:S3, "
            "coinbase:S4, coinbase:S5, coinbase:S6, coinbase:S7, coinbase:S8, coinbase:S9, "
            "coinbase:S10 and 3 more\n");
        world_end(&world);
}

/* ---- what it costs ---- */

static int64_t cpu_ns(void)
{
        struct timespec now;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* The loop does nothing else meanwhile. */
static void a_scrape_of_500_symbols_takes_less_than_5_ms(void **state)
{
        (void)state;
        struct world world;
        char symbol[16];
        int64_t best_ns = INT64_MAX;
        world_begin(&world, "cost", 0);
        for (int i = 0; i < 500; i++) {
                snprintf(symbol, sizeof(symbol), "SYM%dUSDT", i);
                struct tracked *book = world_add(&world, 0, symbol, KIND_L2);
                world_confirm(&world, book);
                world_confirm(&world, world_add(&world, 0, symbol, KIND_TRADES));
                world_image(book, 100);
                book->last_event_ns = book->last_receive_ns = T0;
        }
        for (int round = 0; round < 10; round++) {
                int64_t began_ns = cpu_ns();
                world_write(&world);
                int64_t took_ns = cpu_ns() - began_ns;
                best_ns = took_ns < best_ns ? took_ns : best_ns;
        }
        print_message("%lld us for %zu bytes\n", (long long)(best_ns / NS_PER_US), world.text.size);
        assert_in_range(world.text.size, 100 << 10, METRICS_SIZE / 16);
#ifndef OBLOGGER_SANITIZED
        assert_true(best_ns < 5 * NS_PER_MS);
#endif
        world_end(&world);
}

/* ---- what is written about them ---- */

static char *file_text(const char *name)
{
        char path[1024];
        const char *root = getenv("OBLOGGER_SOURCE");
        snprintf(path, sizeof(path), "%s/%s", root ? root : ".", name);
        FILE *file = fopen(path, "re");
        if (!file)
                fail_msg("%s cannot be read", path);
        char *text = memory_new(1 << 20);
        size_t size = fread(text, 1, (1 << 20) - 1, file);
        assert_true(size > 0 && feof(file));
        fclose(file);
        return text;
}

/* Without what a histogram's parts add. */
static bool is_family(const struct families *families, const char *name)
{
        static const char *const suffixes[] = {"", "_bucket", "_sum", "_count"};
        char full[128];
        for (size_t i = 0; i < families->count; i++) {
                for (size_t s = 0; s < 4; s++) {
                        snprintf(full, sizeof(full), "%s%s", families->names[i], suffixes[s]);
                        if (!strcmp(full, name))
                                return true;
                }
        }
        return false;
}

/* The next name of a number in @text, or NULL. */
static const char *next_name(const char *text, char ret_name[64])
{
        static const char *const prefixes[] = {"oblogger_", "process_"};
        const char *best = NULL;
        for (size_t p = 0; p < 2; p++) {
                const char *at = strstr(text, prefixes[p]);
                if (at && (!best || at < best))
                        best = at;
        }
        if (!best)
                return NULL;
        size_t size = strspn(best, "abcdefghijklmnopqrstuvwxyz_0123456789");
        snprintf(ret_name, 64, "%.*s", (int)size, best);
        return best + size;
}

static void dashboard_rules_and_document_name_what_there_is(void **state)
{
        (void)state;
        static const char *const names[] = {"docs/monitoring/prometheus-rules.yml",
            "docs/monitoring/rules-test.yml", "docs/monitoring/grafana-dashboard.json",
            "docs/monitoring.md"};
        struct world world;
        struct families families;
        char name[64];
        world_begin(&world, "documents", 0);
        world.app.disk = NULL;
        take_families(world_write(&world), &families);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                char *text = file_text(names[i]);
                size_t count = 0;
                for (const char *at = text; (at = next_name(at, name)); count++) {
                        if (!is_family(&families, name))
                                fail_msg("%s: %s is no number of ours", names[i], name);
                }
                assert_true(count > 10);
                free(text);
        }
        char *document = file_text("docs/monitoring.md");
        for (size_t i = 0; i < families.count; i++) {
                char quoted[80];
                snprintf(quoted, sizeof(quoted), "`%s", families.names[i]);
                if (!strstr(document, quoted))
                        fail_msg("docs/monitoring.md: nothing about %s", families.names[i]);
        }
        free(document);
        world_end(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_line_follows_the_format),
            cmocka_unit_test(label_values_are_escaped),
            cmocka_unit_test(a_live_book_tells_its_state),
            cmocka_unit_test(delays_from_the_exchange_are_summed_up),
            cmocka_unit_test(a_gap_is_counted_by_its_cause_and_stays_counted),
            cmocka_unit_test(a_correction_is_counted_with_its_levels),
            cmocka_unit_test(an_event_counts_once),
            cmocka_unit_test(an_exchange_tells_its_traffic_and_its_budget),
            cmocka_unit_test(open_connections_are_counted),
            cmocka_unit_test(the_program_tells_itself_its_sink_and_its_doors),
            cmocka_unit_test(the_process_is_measured),
            cmocka_unit_test(latency_is_measured_when_the_commit_is_done),
            cmocka_unit_test(a_store_that_refuses_is_told),
            cmocka_unit_test(ready_is_who_has_had_every_book),
            cmocka_unit_test(a_pattern_waits_for_the_list),
            cmocka_unit_test(ten_books_are_named_and_the_others_counted),
            cmocka_unit_test(a_scrape_of_500_symbols_takes_less_than_5_ms),
            cmocka_unit_test(dashboard_rules_and_document_name_what_there_is),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
