/* obwrite STORE: records what stdin tells, for tests/cli/test_orders.py and test_trades.py.
 *
 * A line is a word and fields NAME=value, parted by blanks; numbers that are left out are 0, prices
 * and sizes are decimals, ids of orders 32 hexadecimal digits, types and reasons the numbers of
 * book/event.h. "stream" names the stream of the lines behind it, "rest" an order or level of the
 * next image, "many" makes trades, the side of a trade is the maker's.
 *
 *   stream exchange symbol kind price_digits quantity_digits fixed now
 *   rest side price size id
 *   image kind id receive auction
 *   order id time receive type side reason has order other
 *         price size old_price old_size trade funds
 *   level id time receive side price size
 *   trade id time receive side price size first last
 *   gap cause receive
 *   tick now
 *   many count begin
 *   note at text (the rest of the line) */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "record/record.h"
#include "store/layout.h"

#define RESTS_MAX 8192

struct writer {
        struct store *store;
        struct recorder *recorder;
        struct record_stream *stream;
        struct scale scale;
        struct level rests[SIDES][RESTS_MAX];
        struct order_id ids[SIDES][RESTS_MAX];
        uint32_t count[SIDES];
        int64_t now_ns;
};

static void fail(const char *why, const char *what)
{
        fprintf(stderr, "obwrite: %s: %s\n", why, what);
        exit(1);
}

/* ---- fields of a line ---- */

static const char *field(const char *line, const char *name, char ret_text[128])
{
        size_t size = strlen(name);
        *ret_text = '\0';
        for (const char *at = strchr(line, ' '); at; at = strchr(at + 1, ' ')) {
                if (!strncmp(at + 1, name, size) && at[1 + size] == '=')
                        snprintf(
                            ret_text, 128, "%.*s", (int)strcspn(at + size + 2, " "), at + size + 2);
        }
        return ret_text;
}

static int64_t number(const char *line, const char *name)
{
        char text[128];
        return strtoll(field(line, name, text), NULL, 10);
}

static int64_t decimal(const char *line, const char *name, unsigned digits)
{
        char text[128];
        int64_t value = 0;
        field(line, name, text);
        if (*text && decimal_parse(text, strlen(text), digits, &value))
                fail("no decimal of the scale", line);
        return value;
}

static struct order_id id_of(const char *line, const char *name)
{
        char text[128];
        struct order_id id = {0};
        field(line, name, text);
        for (size_t i = 0; i < sizeof(id.bytes) && strlen(text) == 2 * sizeof(id.bytes); i++) {
                const char pair[] = {text[2 * i], text[2 * i + 1], '\0'};
                id.bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
        }
        return id;
}

static struct level level_of(const struct writer *writer, const char *line)
{
        return (struct level){decimal(line, "price", writer->scale.price_digits),
            decimal(line, "size", writer->scale.quantity_digits)};
}

static struct event event_of(const char *line)
{
        int64_t id = number(line, "id");
        return (struct event){.event_time_ns = number(line, "time"),
            .receive_time_ns = number(line, "receive"),
            .first_id = id,
            .last_id = id};
}

/* ---- what a line does ---- */

static void begin_stream(struct writer *writer, const char *line)
{
        char exchange[128], symbol[128], kind[128];
        struct stream_name name = {.sequenced = true};
        struct error error = {0};
        snprintf(name.exchange, sizeof(name.exchange), "%.16s", field(line, "exchange", exchange));
        snprintf(name.symbol, sizeof(name.symbol), "%.64s", field(line, "symbol", symbol));
        if (stream_kind_parse(field(line, "kind", kind), &name.kind))
                fail("no such kind", line);
        writer->scale = (struct scale){.price_digits = (uint8_t)number(line, "price_digits"),
            .quantity_digits = (uint8_t)number(line, "quantity_digits"),
            .fixed = number(line, "fixed"),
            .tick = 1,
            .lot = 1};
        if (record_stream_open(writer->recorder, &name, &writer->scale, number(line, "now"),
                &writer->stream, &error))
                fail("stream", error.text);
}

static void add_rest(struct writer *writer, const char *line)
{
        enum side side = number(line, "side") ? SIDE_ASK : SIDE_BID;
        uint32_t at = writer->count[side]++;
        if (at >= RESTS_MAX)
                fail("too many", line);
        writer->rests[side][at] = level_of(writer, line);
        writer->ids[side][at] = id_of(line, "id");
}

static void write_image(struct writer *writer, const char *line)
{
        struct image image = {.id = number(line, "id"),
            .receive_time_ns = number(line, "receive"),
            .auction = number(line, "auction")};
        char kind[128];
        if (stream_kind_parse(field(line, "kind", kind), &image.kind))
                fail("no such kind", line);
        for (enum side s = 0; s < SIDES; s++) {
                image.count[s] = writer->count[s];
                image.levels[s] = writer->rests[s];
                image.orders[s] = writer->ids[s];
                writer->count[s] = 0;
        }
        if (record_image(writer->stream, &image))
                fail("refused", line);
}

static void write_event(struct writer *writer, const struct event *event, const char *line)
{
        if (record_event(writer->stream, event))
                fail("refused", line);
        writer->now_ns = event->receive_time_ns;
}

static void write_order(struct writer *writer, const char *line)
{
        unsigned price = writer->scale.price_digits, size = writer->scale.quantity_digits;
        struct event event = event_of(line);
        struct order_message order = {.type = (uint8_t)number(line, "type"),
            .side = (uint8_t)number(line, "side"),
            .reason = (uint8_t)number(line, "reason"),
            .has = (uint8_t)number(line, "has"),
            .id = id_of(line, "order"),
            .other = id_of(line, "other"),
            .price = decimal(line, "price", price),
            .size = decimal(line, "size", size),
            .old_price = decimal(line, "old_price", price),
            .old_size = decimal(line, "old_size", size),
            .trade_id = number(line, "trade")};
        char funds[128];
        snprintf(order.funds, sizeof(order.funds), "%.30s", field(line, "funds", funds));
        event.type = TYPE_ORDER;
        event.order = &order;
        write_event(writer, &event, line);
}

static void write_level(struct writer *writer, const char *line, bool trade)
{
        struct event event = event_of(line);
        enum side side = number(line, "side") ? SIDE_ASK : SIDE_BID;
        struct level level = level_of(writer, line);
        event.first_trade = number(line, "first");
        event.last_trade = number(line, "last");
        event.type = !trade ? TYPE_LEVELS : event.last_trade ? TYPE_AGGREGATE : TYPE_TRADE;
        event.count[side] = 1;
        event.levels[side] = &level;
        write_event(writer, &event, line);
}

/* So many trades, as alike as those of a market: for a measurement. */
static void write_many(struct writer *writer, const char *line)
{
        int64_t count = number(line, "count"), begin_ns = number(line, "begin");
        for (int64_t i = 1; i <= count; i++) {
                struct level level = {6000000000 + i * 7919 % 100000, 1 + i * 104729 % 1000000};
                struct event event = {.event_time_ns = begin_ns + i * NS_PER_MS,
                    .receive_time_ns = begin_ns + i * NS_PER_MS + 20000,
                    .first_id = i,
                    .last_id = i,
                    .type = TYPE_TRADE};
                event.count[i % 3 == 0] = 1;
                event.levels[i % 3 == 0] = &level;
                if (record_event(writer->stream, &event))
                        fail("refused", line);
                if (i % 10000 == 0)
                        recorder_tick(writer->recorder, event.receive_time_ns);
        }
}

/* As bytes, beside the recorder: what it would not write too. */
static void write_note(struct writer *writer, const char *line)
{
        struct store_txn txn;
        struct error error = {0};
        int64_t at_ns = number(line, "at");
        const char *text = strstr(line, " text=");
        if (!text || store_lmdb.begin(writer->store, day_of_time(at_ns), true, &txn, &error))
                fail(line, error.text);
        text += strlen(" text=");
        store_lmdb.put(&txn, STORE_NOTES, key_note(at_ns),
            (struct bytes){(const uint8_t *)text, strlen(text)});
        if (store_lmdb.commit(&txn, &error))
                fail(line, error.text);
}

static void take_line(struct writer *writer, const char *line)
{
        size_t size = strcspn(line, " ");
        if (!strncmp(line, "stream", size))
                begin_stream(writer, line);
        else if (!strncmp(line, "rest", size))
                add_rest(writer, line);
        else if (!strncmp(line, "image", size))
                write_image(writer, line);
        else if (!strncmp(line, "order", size))
                write_order(writer, line);
        else if (!strncmp(line, "level", size) || !strncmp(line, "trade", size))
                write_level(writer, line, *line == 't');
        else if (!strncmp(line, "gap", size))
                record_gap(writer->stream, (enum gap_cause)number(line, "cause"),
                    number(line, "receive"), "");
        else if (!strncmp(line, "tick", size))
                recorder_tick(writer->recorder, number(line, "now"));
        else if (!strncmp(line, "many", size))
                write_many(writer, line);
        else if (!strncmp(line, "note", size))
                write_note(writer, line);
        else
                fail("no such word", line);
}

int main(int argc, char **argv)
{
        static struct writer writer;
        struct store_options options = {.mode = STORE_WRITE};
        struct record_options record = record_defaults;
        struct error error = {0};
        char line[1024];
        if (argc != 2)
                fail("usage", "obwrite STORE");
        options.path = argv[1];
        record.without_thread = true;
        if (store_lmdb.open(&writer.store, &options, &error) ||
            recorder_open(&writer.recorder, writer.store, &record, &error))
                fail(argv[1], error.text);
        while (fgets(line, sizeof(line), stdin)) {
                line[strcspn(line, "\n")] = '\0';
                take_line(&writer, line);
        }
        if (recorder_close(writer.recorder, writer.now_ns, NS_PER_S, &error))
                fail(argv[1], error.text);
        store_lmdb.close(writer.store);
        return 0;
}
