/* A link in simulated time, on a network that does what the test says; what it wants is traced. */
#ifndef TESTS_SIM_SIM_LINK_H
#define TESTS_SIM_SIM_LINK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "venue/link.h"
#include "venue/venue.h"

#define HOUR_MS INT64_C(3600000)
#define FRAME_MAX 4000
#define SILENCE_NS (60 * NS_PER_S)
#define LIFE_NS (23 * 3600 * NS_PER_S)

static struct {
        struct link link;
        int64_t now_ms;
        struct buffer trace;
        char names[LINK_MEMBERS_MAX + 1][64];
        uint32_t connection; /* the newest */
        uint32_t command;    /* the newest, on command_connection */
        uint32_t command_connection;
        int64_t command_ms[8]; /* of each connection's last command */
        unsigned subscribed[LINK_MEMBERS_MAX + 1], unsubscribed[LINK_MEMBERS_MAX + 1];
        unsigned connects, told[3];
        uint32_t told_connection[3];
        bool answering;  /* commands are acknowledged at once */
        bool opening;    /* connections open at once */
        bool failing;    /* connections end at once */
        bool mute;       /* nothing is heard on any connection */
        bool quiet;      /* no trace */
        bool naming;     /* the trace says the names as well */
        unsigned frames; /* that a command takes; 0: what the exchange's own code says */
} net;

static inline int64_t mono(void)
{
        return (1000 * 1000 + net.now_ms) * NS_PER_MS;
}

static inline void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline void trace(const char *format, ...)
{
        char text[256];
        va_list args;
        if (net.quiet)
                return;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        buffer_printf(&net.trace, "[%lld] %s\n", (long long)net.now_ms, text);
}

static inline void expect(const char *expected, const char *file, int line)
{
        buffer_append_byte(&net.trace, 0);
        if (strcmp((char *)net.trace.data, expected) != 0) {
                print_error("expected:\n%s\nactual:\n%s\n", expected, (char *)net.trace.data);
                _fail(file, line);
        }
        buffer_clear(&net.trace);
}

#define SIM_EXPECT(...) expect("" __VA_ARGS__, __FILE__, __LINE__)

static inline int setup(void **state)
{
        (void)state;
        memset(&net, 0, sizeof(net));
        buffer_init(&net.trace, 1u << 20);
        link_init(&net.link, 1, SILENCE_NS, LIFE_NS, mono());
        net.opening = net.answering = true;
        return 0;
}

static inline int teardown(void **state)
{
        (void)state;
        buffer_deinit(&net.trace);
        return 0;
}

static inline void add_members(size_t count)
{
        for (size_t i = 0; i < count; i++) {
                size_t place = net.link.live_count;
                snprintf(net.names[place], sizeof(net.names[place]),
                    "averylongsymbolname%04zuusdt@depth@100ms", place);
                assert_int_equal(link_add(&net.link, net.names[place], &net.names[place]), place);
        }
}

/* Members are told one by one; the trace counts them. */
static inline void flush_told(void)
{
        static const char *const words[] = {"opened", "subscribed", "closed"};
        for (int i = 0; i < 3; i++) {
                if (net.told[i])
                        trace("tell %u: %s %u", net.told[i], words[i], net.told_connection[i]);
                net.told[i] = 0;
        }
}

static inline void count_name(const char *name, unsigned *counts)
{
        size_t member = 0;
        while (member <= LINK_MEMBERS_MAX && strcmp(net.names[member], name) != 0)
                member++;
        assert_true(member <= LINK_MEMBERS_MAX);
        counts[member]++;
}

static inline void trace_command(const struct link_action *action, bool subscribe)
{
        char names[128] = "";
        for (size_t i = 0; i < action->name_count && net.naming; i++) {
                size_t size = strlen(names);
                snprintf(names + size, sizeof(names) - size, " %s", action->names[i]);
        }
        trace("%s %zu on %u%s", subscribe ? "subscribe" : "unsubscribe", action->name_count,
            action->connection, names);
}

static inline void send_command(const struct link_action *action)
{
        static const struct venue_choice choice = {.period_ms = 100};
        struct buffer text;
        bool subscribe = action->kind == LINK_SUBSCRIBE;
        int64_t *last = &net.command_ms[action->connection % 8];
        buffer_init(&text, 1u << 16);
        unsigned frames = venue_binance.command(
            subscribe, action->names, action->name_count, action->command_id, &choice, 0, &text);
        assert_in_range(action->name_count, 1, LINK_BATCH_MAX);
        assert_true(text.size < FRAME_MAX);
        assert_true(!*last || net.now_ms - *last >= 350);
        *last = net.now_ms;
        buffer_deinit(&text);
        for (size_t i = 0; i < action->name_count; i++)
                count_name(action->names[i], subscribe ? net.subscribed : net.unsubscribed);
        trace_command(action, subscribe);
        link_sent(&net.link, action->connection, net.frames ? net.frames : frames);
        net.command = action->command_id;
        net.command_connection = action->connection;
        if (net.answering)
                link_answered(&net.link, action->connection, action->command_id, false, mono());
}

static inline void tell(enum link_action_kind kind, const struct link_action *action)
{
        net.told[kind - LINK_OPENED]++;
        net.told_connection[kind - LINK_OPENED] = action->connection;
}

static inline void connect_one(void)
{
        trace("connect %u", ++net.connection);
        net.connects++;
        net.command_ms[net.connection % 8] = 0;
        link_connecting(&net.link, net.connection, mono());
        if (net.failing)
                link_closed(&net.link, net.connection, mono());
        else if (net.opening)
                link_opened(&net.link, net.connection, mono());
}

static inline void pump(void)
{
        struct link_action action;
        while (link_next(&net.link, mono(), &action)) {
                if (action.kind < LINK_OPENED)
                        flush_told();
                switch (action.kind) {
                case LINK_CONNECT:
                        connect_one();
                        break;
                case LINK_DISCONNECT:
                        trace("disconnect %u (%s)", action.connection, action.why);
                        link_closed(&net.link, action.connection, mono());
                        break;
                case LINK_SUBSCRIBE:
                case LINK_UNSUBSCRIBE:
                        send_command(&action);
                        break;
                case LINK_OPENED:
                case LINK_SUBSCRIBED:
                case LINK_CLOSED:
                        tell(action.kind, &action);
                        break;
                }
        }
        flush_told();
}

static inline void at(int64_t ms)
{
        int64_t tick = ms - net.now_ms > 600000 ? 5000 : 50;
        pump();
        while (net.now_ms < ms) {
                net.now_ms += ms - net.now_ms < tick ? ms - net.now_ms : tick;
                for (int i = 0; i < 2 && !net.mute; i++)
                        link_alive(&net.link, link_open_number(&net.link, i), mono());
                pump();
        }
}

static inline void closed(uint32_t connection)
{
        link_closed(&net.link, connection, mono());
        pump();
}

/* Three symbols on connection 1, all subscribed, no trace. */
static inline void three_subscribed(void)
{
        add_members(3);
        at(1000);
        assert_true(link_is_complete(&net.link));
        buffer_clear(&net.trace);
}

static inline void bridged(size_t from, size_t to, uint32_t connection)
{
        for (size_t i = from; i < to; i++)
                link_bridged(&net.link, (int)i, connection);
        pump();
}

#endif
