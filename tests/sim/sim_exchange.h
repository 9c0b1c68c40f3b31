/* The logger's loop on a simulated Binance: sockets, REST and time are the test's own, everything
 * behind them is the real one. Symbols are S0, S1, ... UNKNOWN ones are refused. Their books have
 * one level a side, which every event replaces, so that what a book must be follows from its id. */
#ifndef TESTS_SIM_SIM_EXCHANGE_H
#define TESTS_SIM_SIM_EXCHANGE_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "logger/commands.h"

#define EXCHANGE_SYMBOLS 600
#define EXCHANGE_CONNECTIONS 8
#define EXCHANGE_ANSWERS 64
#define STEP_NS (50 * NS_PER_MS)
#define EVENT_NS (500 * NS_PER_MS)
#define EXCHANGE_MINUTES 64

struct exchange_connection {
        uint32_t number; /* 0: free */
        bool open;
        struct buffer frames; /* that it will get, NUL after each */
        uint8_t books[EXCHANGE_SYMBOLS], trades[EXCHANGE_SYMBOLS];
};

static struct {
        struct network base;
        const struct feed_callbacks *callbacks;
        void *user;
        int64_t mono_ns, wall_ns, event_ns;
        size_t symbols; /* that it lists */
        int64_t ids[EXCHANGE_SYMBOLS], trade_ids[EXCHANGE_SYMBOLS];
        bool quiet; /* no events */
        bool deaf;  /* REST answers with an error */
        struct exchange_connection connections[EXCHANGE_CONNECTIONS];
        uint32_t next_number;
        struct rest_answer answers[EXCHANGE_ANSWERS];
        size_t answer_count;
        uint64_t weight[EXCHANGE_MINUTES]; /* of each minute since the start */
        int64_t start_wall_ns;
        uint64_t requests;
} exchange;

static struct app sim_app;

/* What the test asked, and what it was answered. */
static struct {
        struct buffer rows;
        bool ended;
        int code;
} reply;

/* ---- what it tells ---- */

static inline size_t symbol_index(const char *name, size_t size)
{
        size_t index = 0;
        if (size < 2 || (name[0] != 'S' && name[0] != 's'))
                return SIZE_MAX;
        for (size_t i = 1; i < size; i++) {
                if (name[i] < '0' || name[i] > '9')
                        return SIZE_MAX;
                index = index * 10 + (size_t)(name[i] - '0');
        }
        return index < exchange.symbols ? index : SIZE_MAX;
}

/* The one bid of a symbol's book at an id; its ask is one cent above. */
static inline int64_t bid_cents(size_t symbol, int64_t id)
{
        return 100000 + (int64_t)symbol * 100 + id % 50;
}

static inline void print_levels(struct buffer *text, size_t symbol, int64_t id, bool change)
{
        int64_t bid = bid_cents(symbol, id), old = bid_cents(symbol, id - 1);
        for (int side = 0; side < 2; side++) {
                const char *end = side ? "]" : "],";
                buffer_printf(
                    text, "\"%s\":[", change ? (side ? "a" : "b") : (side ? "asks" : "bids"));
                if (change && old != bid)
                        buffer_printf(text, "[\"%" PRId64 ".%02d\",\"0.0\"],", (old + side) / 100,
                            (int)((old + side) % 100));
                buffer_printf(text, "[\"%" PRId64 ".%02d\",\"%" PRId64 ".5\"]%s",
                    (bid + side) / 100, (int)((bid + side) % 100), id % 7 + 1, end);
        }
}

static inline void queue_frame(struct exchange_connection *connection, const struct buffer *text)
{
        buffer_append(&connection->frames, text->data, text->size);
        buffer_append_byte(&connection->frames, 0);
}

static inline void tell_event(size_t symbol)
{
        struct buffer depth, trade;
        int64_t id = ++exchange.ids[symbol], ms = exchange.wall_ns / NS_PER_MS;
        int64_t trade_id = ++exchange.trade_ids[symbol];
        buffer_init(&depth, 4096);
        buffer_init(&trade, 4096);
        buffer_printf(&depth,
            "{\"stream\":\"s%zu@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":%" PRId64
            ",\"s\":\"S%zu\",\"U\":%" PRId64 ",\"u\":%" PRId64 ",",
            symbol, ms, symbol, id, id);
        print_levels(&depth, symbol, id, true);
        buffer_append_text(&depth, "}}");
        buffer_printf(&trade,
            "{\"stream\":\"s%zu@trade\",\"data\":{\"e\":\"trade\",\"E\":%" PRId64
            ",\"s\":\"S%zu\",\"t\":%" PRId64 ",\"p\":\"1.00\",\"q\":\"2.5\",\"T\":%" PRId64
            ",\"m\":true,\"M\":true}}",
            symbol, ms, symbol, trade_id, ms);
        for (size_t c = 0; c < EXCHANGE_CONNECTIONS; c++) {
                if (exchange.connections[c].books[symbol])
                        queue_frame(&exchange.connections[c], &depth);
                if (exchange.connections[c].trades[symbol])
                        queue_frame(&exchange.connections[c], &trade);
        }
        buffer_deinit(&depth);
        buffer_deinit(&trade);
}

/* ---- REST ---- */

static inline struct rest_answer *answer_new(uint64_t id)
{
        assert_true(exchange.answer_count < EXCHANGE_ANSWERS);
        struct rest_answer *answer = &exchange.answers[exchange.answer_count++];
        *answer = (struct rest_answer){.id = id,
            .status = 200,
            .retry_after_s = -1,
            .used_weight = -1,
            .received_ns = exchange.wall_ns};
        buffer_init(&answer->body, 1 << 20);
        return answer;
}

static inline void pay(uint64_t weight)
{
        size_t minute =
            (size_t)(exchange.wall_ns / NS_PER_S / 60 - exchange.start_wall_ns / NS_PER_S / 60);
        exchange.weight[minute % EXCHANGE_MINUTES] += weight;
        exchange.requests++;
}

static inline void print_symbol(struct buffer *body, size_t symbol, bool first)
{
        buffer_printf(body,
            "%s{\"symbol\":\"S%zu\",\"status\":\"TRADING\",\"baseAsset\":\"S%zu\","
            "\"quoteAsset\":\"USD\",\"filters\":[{\"filterType\":\"PRICE_FILTER\","
            "\"tickSize\":\"0.01\"},{\"filterType\":\"LOT_SIZE\",\"stepSize\":\"0.1\"}]}",
            first ? "" : ",", symbol, symbol);
}

/* symbols=[%22S1%22,...], or none: all of them. */
static inline void answer_info(struct rest_answer *answer, const char *url)
{
        const char *at = strstr(url, "symbols=");
        size_t count = 0;
        pay(20);
        buffer_append_text(&answer->body, "{\"symbols\":[");
        if (!at) {
                for (size_t i = 0; i < exchange.symbols; i++)
                        print_symbol(&answer->body, i, i == 0);
        }
        while (at && (at = strstr(at, "%22"))) {
                const char *end = strstr(at + 3, "%22");
                size_t symbol = symbol_index(at + 3, (size_t)(end - at - 3));
                if (symbol == SIZE_MAX) {
                        buffer_clear(&answer->body);
                        buffer_append_text(&answer->body, "{\"code\":-1121,\"msg\":\"Invalid\"}");
                        answer->status = 400;
                        return;
                }
                print_symbol(&answer->body, symbol, count++ == 0);
                at = end + 3;
        }
        buffer_append_text(&answer->body, "]}");
}

static inline void answer_depth(struct rest_answer *answer, const char *url)
{
        const char *name = strstr(url, "symbol=") + 7, *limit = strstr(url, "limit=") + 6;
        size_t symbol = symbol_index(name, strcspn(name, "&"));
        long levels = strtol(limit, NULL, 10);
        pay(levels <= 100 ? 5 : levels <= 500 ? 25 : levels <= 1000 ? 50 : 250);
        assert_true(symbol != SIZE_MAX);
        buffer_printf(&answer->body, "{\"lastUpdateId\":%" PRId64 ",", exchange.ids[symbol]);
        print_levels(&answer->body, symbol, exchange.ids[symbol], false);
        buffer_append_text(&answer->body, "}");
}

static int exchange_get(
    struct network *network, const char *name, uint64_t id, const char *url, const char *headers)
{
        struct rest_answer *answer = answer_new(id);
        (void)network;
        (void)name;
        (void)headers;
        if (exchange.deaf)
                answer->status = 503;
        else if (strstr(url, "/exchangeInfo"))
                answer_info(answer, url);
        else
                answer_depth(answer, url);
        memset(buffer_reserve(&answer->body, JSON_PADDING), 0, JSON_PADDING);
        return 0;
}

static int exchange_resolve(struct network *network, uint64_t id, const char *host)
{
        struct rest_answer *answer = answer_new(id);
        (void)network;
        (void)host;
        answer->address_count = 1;
        snprintf(answer->addresses[0], sizeof(answer->addresses[0]), "192.0.2.1");
        return 0;
}

static bool exchange_take(struct network *network, struct rest_answer *ret_answer)
{
        (void)network;
        if (!exchange.answer_count)
                return false;
        *ret_answer = exchange.answers[0];
        exchange.answer_count--;
        memmove(exchange.answers, exchange.answers + 1,
            exchange.answer_count * sizeof(exchange.answers[0]));
        return true;
}

/* ---- connections ---- */

static uint32_t exchange_connect(struct network *network, const char *name,
    const struct feed_target *target, struct error *error)
{
        (void)network;
        (void)name;
        (void)target;
        (void)error;
        for (size_t c = 0; c < EXCHANGE_CONNECTIONS; c++) {
                struct exchange_connection *connection = &exchange.connections[c];
                if (connection->number)
                        continue;
                connection->number = ++exchange.next_number;
                buffer_init(&connection->frames, 64u << 20);
                return connection->number;
        }
        fail();
        return 0;
}

static inline struct exchange_connection *connection_of(uint32_t number)
{
        for (size_t c = 0; c < EXCHANGE_CONNECTIONS; c++) {
                if (exchange.connections[c].number == number)
                        return &exchange.connections[c];
        }
        return NULL;
}

/* {"method":"SUBSCRIBE","params":["s1@depth@100ms","s1@trade"],"id":7} */
static int exchange_send(struct network *network, uint32_t number, const char *text, size_t size)
{
        struct exchange_connection *connection = connection_of(number);
        char command[65536];
        struct buffer answer;
        (void)network;
        snprintf(command, sizeof(command), "%.*s", (int)size, text);
        uint8_t on = strstr(command, "UNSUBSCRIBE") ? 0 : 1;
        for (char *at = strchr(command, '['); (at = strstr(at, "\"s"));) {
                char *end = strchr(++at, '"'), *sign = strchr(at, '@');
                size_t symbol = symbol_index(at, (size_t)(sign - at));
                assert_true(symbol != SIZE_MAX);
                if (strncmp(sign, "@trade", 6) == 0)
                        connection->trades[symbol] = on;
                else
                        connection->books[symbol] = on;
                at = end + 1;
        }
        buffer_init(&answer, 256);
        buffer_printf(&answer, "{\"result\":null,\"id\":%ld}",
            strtol(strstr(command, "\"id\":") + 5, NULL, 10));
        queue_frame(connection, &answer);
        buffer_deinit(&answer);
        return 0;
}

static inline void connection_free(struct exchange_connection *connection)
{
        buffer_deinit(&connection->frames);
        memset(connection, 0, sizeof(*connection));
}

static void exchange_disconnect(struct network *network, uint32_t number, const char *reason)
{
        struct exchange_connection *connection = connection_of(number);
        (void)network;
        if (!connection)
                return;
        connection_free(connection);
        exchange.callbacks->closed_cb(number, reason, exchange.user);
}

static inline void deliver(struct exchange_connection *connection)
{
        struct buffer frames = connection->frames;
        uint32_t number = connection->number;
        buffer_init(&connection->frames, 64u << 20);
        for (size_t at = 0; at < frames.size && connection->number == number;) {
                char text[8192];
                size_t size = strlen((char *)frames.data + at);
                assert_true(size + JSON_PADDING < sizeof(text));
                memset(text, 0, sizeof(text));
                memcpy(text, frames.data + at, size);
                exchange.callbacks->alive_cb(number, exchange.user);
                exchange.callbacks->message_cb(number, text, size, exchange.wall_ns, exchange.user);
                at += size + 1;
        }
        buffer_deinit(&frames);
}

static int exchange_run(struct network *network)
{
        (void)network;
        exchange.mono_ns += STEP_NS;
        exchange.wall_ns += STEP_NS;
        if (!exchange.quiet && exchange.mono_ns >= exchange.event_ns) {
                exchange.event_ns = exchange.mono_ns + EVENT_NS;
                for (size_t i = 0; i < exchange.symbols; i++)
                        tell_event(i);
        }
        for (size_t c = 0; c < EXCHANGE_CONNECTIONS; c++) {
                struct exchange_connection *connection = &exchange.connections[c];
                if (connection->number && !connection->open) {
                        connection->open = true;
                        exchange.callbacks->open_cb(connection->number, exchange.user);
                }
                if (connection->number)
                        deliver(connection);
        }
        return 0;
}

static void exchange_now(struct network *network, int64_t *ret_mono_ns, int64_t *ret_wall_ns)
{
        (void)network;
        *ret_mono_ns = exchange.mono_ns;
        *ret_wall_ns = exchange.wall_ns;
}

static void exchange_wake(struct network *network)
{
        (void)network;
}

static bool exchange_woken(struct network *network)
{
        (void)network;
        return true;
}

static void exchange_close(struct network *network)
{
        struct rest_answer answer;
        while (exchange_take(network, &answer))
                buffer_deinit(&answer.body);
        for (size_t c = 0; c < EXCHANGE_CONNECTIONS; c++)
                connection_free(&exchange.connections[c]);
}

static int exchange_open(
    struct network **ret_network, const struct network_options *options, struct error *error);

static const struct network_ops exchange_ops = {.open = exchange_open,
    .close = exchange_close,
    .now = exchange_now,
    .connect = exchange_connect,
    .send = exchange_send,
    .disconnect = exchange_disconnect,
    .get = exchange_get,
    .resolve = exchange_resolve,
    .take = exchange_take,
    .run = exchange_run,
    .wake = exchange_wake,
    .woken = exchange_woken};

static int exchange_open(
    struct network **ret_network, const struct network_options *options, struct error *error)
{
        (void)error;
        exchange.base.ops = &exchange_ops;
        exchange.callbacks = options->callbacks;
        exchange.user = options->user;
        *ret_network = &exchange.base;
        return 0;
}

/* ---- the test's side ---- */

static bool reply_cb(uint64_t id, const char *text, size_t size, bool last, void *user)
{
        (void)id;
        (void)user;
        buffer_append(&reply.rows, text, size);
        buffer_append_byte(&reply.rows, '\n');
        if (last) {
                reply.ended = true;
                reply.code = (int)strtol(text + strlen("{\"end\":"), NULL, 10);
        }
        return true;
}

static inline void sim_turn(void)
{
        app_turn(&sim_app);
        assert_int_equal(sim_app.network->ops->run(sim_app.network), 0);
}

static inline void sim_run(int64_t for_ns)
{
        for (int64_t until = exchange.mono_ns + for_ns; exchange.mono_ns < until;)
                sim_turn();
}

/* Ask, and go on until it is answered, at most so long. Returns all rows. */
static inline const char *sim_ask(const char *line, int64_t for_ns)
{
        char padded[8192] = {0};
        size_t size = strlen(line);
        assert_true(size + JSON_PADDING < sizeof(padded));
        memcpy(padded, line, size);
        buffer_clear(&reply.rows);
        reply.ended = false;
        commands_request(&sim_app, 1, padded, size);
        for (int64_t until = exchange.mono_ns + for_ns; !reply.ended;) {
                if (exchange.mono_ns >= until)
                        fail_msg("%s: not answered in %d s", line, (int)(for_ns / NS_PER_S));
                sim_turn();
        }
        buffer_append_byte(&reply.rows, 0);
        return (const char *)reply.rows.data;
}

static struct settings *sim_settings;
static char sim_store[64];

static inline void sim_open(void)
{
        struct error error;
        if (app_open(&sim_app, sim_settings, &exchange_ops, &error))
                fail_msg("%s", error.text);
        commands_close(&sim_app);
        commands_open(&sim_app, reply_cb, NULL);
}

static inline void sim_close(void)
{
        struct error error;
        assert_int_equal(app_close(&sim_app, &error), 0);
}

static inline void sim_begin(size_t symbols, const char *wanted)
{
        struct error error;
        memset(&exchange, 0, sizeof(exchange));
        exchange.symbols = symbols;
        exchange.mono_ns = 1000 * NS_PER_S;
        exchange.start_wall_ns = exchange.wall_ns = INT64_C(1790000000000000000);
        for (size_t i = 0; i < symbols; i++)
                exchange.ids[i] = exchange.trade_ids[i] = 1000;
        buffer_init(&reply.rows, 16u << 20);
        snprintf(sim_store, sizeof(sim_store), "/tmp/sim_exchange.XXXXXX");
        assert_non_null(mkdtemp(sim_store));
        setenv("STORE", sim_store, 1);
        setenv("SYMBOLS", wanted, 1);
        setenv("AS_SERVICE", "True", 1);
        log_set_level(LOG_CRITICAL_LEVEL);
        assert_int_equal(settings_load(&sim_settings, NULL, &error), 0);
        sim_open();
}

static inline void sim_end(void)
{
        sim_close();
        settings_free(sim_settings);
        buffer_deinit(&reply.rows);
        pid_t pid = fork();
        if (!pid)
                execl("/bin/rm", "rm", "-rf", sim_store, (char *)NULL);
        waitpid(pid, NULL, 0);
}

/* The book that the logger holds is the exchange's own at the book's id. */
static inline void sim_check_book(size_t symbol)
{
        char name[16];
        struct level bid, ask;
        snprintf(name, sizeof(name), "S%zu", symbol);
        const struct tracked *tracked = symbol_book(&sim_app.sites[0], name);
        assert_non_null(tracked);
        const struct book *book = record_book(tracked->stream);
        const struct scale *scale = record_scale(tracked->stream);
        int64_t unit = 1;
        for (unsigned i = 2; i < scale->price_digits; i++)
                unit *= 10;
        assert_true(book_best(book, SIDE_BID, &bid) && book_best(book, SIDE_ASK, &ask));
        assert_int_equal(book_count(book, SIDE_BID), 1);
        assert_int_equal(book_count(book, SIDE_ASK), 1);
        assert_int_equal(bid.price, bid_cents(symbol, book->id) * unit);
        assert_int_equal(ask.price, (bid_cents(symbol, book->id) + 1) * unit);
}

#endif
