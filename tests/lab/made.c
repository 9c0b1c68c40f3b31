/* Makes Coinbase's messages of one connection. */
#include "made.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "advanced_tape.h"
#include "deliver.h"
#include "shift.h"

#define NAME_SIZE (2 * TAPE_NAME_SIZE + 16)
#define TRADES_KEPT 100 /* of a market_trades snapshot */
#define NO_TIME "1970-01-01T00:00:00Z"

static struct span span_of(const struct buffer *text)
{
        return (struct span){(char *)text->data, text->size};
}

void made_send(struct conn *conn, const char *name, struct span text)
{
        deliver_made(conn, name, text);
}

static void send_snapshot(struct conn *conn, const char *stream, const struct buffer *text)
{
        char name[NAME_SIZE];
        snprintf(name, sizeof(name), "snapshot:%s", stream);
        made_send(conn, name, span_of(text));
}

static struct replica *replica_now(struct lab *lab, const struct stream *stream)
{
        struct replica *replica = &lab->player.replicas[stream->symbol];
        replica_advance(replica);
        return replica;
}

static void print_level2(struct lab *lab, const struct stream *stream, struct buffer *text)
{
        const struct replica *replica = replica_now(lab, stream);
        struct span time;
        buffer_printf(
            text, "{\"type\":\"snapshot\",\"product_id\":\"%s\",\"asks\":", replica->symbol->name);
        replica_print_side(replica, true, SIZE_MAX, false, text);
        buffer_append_text(text, ",\"bids\":");
        replica_print_side(replica, false, SIZE_MAX, false, text);
        if (stream->last.size && scan_find(span_of(&stream->last), "time", &time))
                buffer_printf(text, ",\"time\":%.*s", (int)time.size, time.data);
        buffer_append_text(text, "}");
}

/* The last match under its other name; nothing before the first. */
static void send_last_match(struct conn *conn, const struct stream *stream)
{
        const struct symbol *symbol = &conn->lab->tape.symbols[stream->symbol];
        struct span rest = span_of(&symbol->said.match), head;
        char name[NAME_SIZE];
        struct buffer text;
        if (!rest.size)
                return;
        buffer_init(&text, MADE_LIMIT);
        head = span_cut(&rest, "\"match\"");
        buffer_append(&text, head.data, head.size);
        if (rest.size)
                buffer_append_text(&text, "\"last_match\"");
        buffer_append(&text, rest.data, rest.size);
        snprintf(name, sizeof(name), "last_match:%s", symbol->name);
        made_send(conn, name, span_of(&text));
        buffer_deinit(&text);
}

void made_begin_advanced(struct conn *conn, const char *channel, struct buffer *text)
{
        char time[TIME_TEXT_SIZE];
        buffer_printf(text,
            "{\"channel\":\"%s\",\"timestamp\":\"%s\",\"sequence_num\":%" PRIu64 ",\"events\":[",
            channel, time_format(clock_wall_ns(), time), conn->turns++);
}

/* A captured text with the connection's sequence_num in it. */
static void print_captured(struct conn *conn, struct span captured, struct buffer *text)
{
        struct span number = {captured.data, 0};
        scan_find(captured, "sequence_num", &number);
        size_t before = (size_t)(number.data - captured.data), after = before + number.size;
        buffer_append(text, captured.data, before);
        buffer_printf(text, "%" PRIu64, conn->turns++);
        buffer_append(text, captured.data + after, captured.size - after);
}

static void print_updates(
    const struct replica *replica, bool is_ask, struct span time, bool *first, struct buffer *text)
{
        const struct symbol *symbol = replica->symbol;
        const struct span *side = is_ask ? replica->asks : replica->bids;
        for (size_t i = 0; i < symbol->price_count; i++) {
                size_t slot = is_ask ? i : symbol->price_count - 1 - i;
                const struct span *price = &symbol->prices[slot], *size = &side[slot];
                if (!size->size)
                        continue;
                buffer_printf(text,
                    "%s{\"side\":\"%s\",\"event_time\":\"%.*s\",\"price_level\":\"%.*s\","
                    "\"new_quantity\":\"%.*s\"}",
                    *first ? "" : ",", is_ask ? "offer" : "bid", (int)time.size, time.data,
                    (int)price->size, price->data, (int)size->size, size->data);
                *first = false;
        }
}

static void print_l2_data(struct conn *conn, const struct stream *stream, struct buffer *text)
{
        const struct replica *replica = replica_now(conn->lab, stream);
        struct scan scan;
        struct span updates, update, time = {NO_TIME, sizeof(NO_TIME) - 1};
        bool first = true;
        if (advanced_event_member(span_of(&stream->last), "updates", &updates) &&
            scan_begin(&scan, updates, '[') && scan_element(&scan, &update) &&
            scan_find(update, "event_time", &time))
                time = span_unquote(time);
        made_begin_advanced(conn, "l2_data", text);
        buffer_printf(text, "{\"type\":\"snapshot\",\"product_id\":\"%s\",\"updates\":[",
            replica->symbol->name);
        print_updates(replica, false, time, &first, text);
        print_updates(replica, true, time, &first, text);
        buffer_append_text(text, "]}]}");
}

/* The trades of a message, newest first as they stand in it, until enough are printed. */
static void print_trades(struct span message, size_t *count, struct buffer *text)
{
        struct scan scan;
        struct span trades, trade;
        if (!advanced_event_member(message, "trades", &trades) || !scan_begin(&scan, trades, '['))
                return;
        while (*count < TRADES_KEPT && scan_element(&scan, &trade)) {
                buffer_append_text(text, (*count)++ ? "," : "");
                buffer_append(text, trade.data, trade.size);
        }
}

static void print_played(const struct lab *lab, const struct message *message, unsigned repetition,
    size_t *count, struct buffer *text)
{
        const struct symbol *symbol = &lab->tape.symbols[message->symbol];
        struct buffer shifted;
        buffer_init(&shifted, MADE_LIMIT);
        shift_message(symbol, &lab->tape.captures[symbol->capture], message, repetition, &shifted);
        print_trades(span_of(&shifted), count, text);
        buffer_deinit(&shifted);
}

/* What was played of the stream, latest first, and then the captured snapshot. */
static void print_market_trades(
    struct conn *conn, uint32_t index, const struct stream *stream, struct buffer *text)
{
        const struct tape *tape = &conn->lab->tape;
        const struct reel *reel = &conn->lab->player.reels[tape->symbols[stream->symbol].capture];
        const struct capture *capture = &tape->captures[tape->symbols[stream->symbol].capture];
        size_t count = 0, end = reel->next;
        made_begin_advanced(conn, "market_trades", text);
        buffer_append_text(text, "{\"type\":\"snapshot\",\"trades\":[");
        for (unsigned passes = reel->repetition + 1; passes > 0 && count < TRADES_KEPT; passes--) {
                for (size_t i = end; i > 0; i--)
                        if (capture->messages[i - 1].stream == index)
                                print_played(
                                    conn->lab, &capture->messages[i - 1], passes - 1, &count, text);
                end = capture->message_count;
        }
        print_trades(stream->snapshot, &count, text);
        buffer_append_text(text, "]}]}");
}

static void print_advanced(
    struct conn *conn, uint32_t index, const struct stream *stream, struct buffer *text)
{
        if (!stream->last.size || stream->channel == CHANNEL_CANDLES)
                print_captured(conn, stream->snapshot, text);
        else if (stream->channel == CHANNEL_LEVEL2)
                print_l2_data(conn, stream, text);
        else if (stream->channel == CHANNEL_TRADES)
                print_market_trades(conn, index, stream, text);
        else
                print_captured(conn, span_of(&stream->last), text);
}

void made_send_first(struct conn *conn, const char *name)
{
        const struct tape *tape = &conn->lab->tape;
        uint32_t index = tape_find_stream(tape, conn->venue, (struct span){name, strlen(name)});
        if (index == TAPE_NONE)
                return;
        const struct stream *stream = &tape->streams[index];
        if (stream->channel == CHANNEL_MATCHES)
                send_last_match(conn, stream);
        struct buffer text;
        buffer_init(&text, MADE_LIMIT);
        if (conn->venue == VENUE_ADVANCED && stream->snapshot.size)
                print_advanced(conn, index, stream, &text);
        else if (conn->venue == VENUE_EXCHANGE && stream->channel == CHANNEL_LEVEL2)
                print_level2(conn->lab, stream, &text);
        if (text.size)
                send_snapshot(conn, name, &text);
        buffer_deinit(&text);
}

static void heartbeat_advanced(struct conn *conn)
{
        struct buffer text;
        char time[TIME_TEXT_SIZE];
        buffer_init(&text, MADE_LIMIT);
        made_begin_advanced(conn, "heartbeats", &text);
        buffer_printf(&text, "{\"current_time\":\"%s\",\"heartbeat_counter\":%" PRIu64 "}]}",
            time_format(clock_wall_ns(), time), ++conn->heartbeats);
        made_send(conn, "heartbeats", span_of(&text));
        buffer_deinit(&text);
}

/* It repeats the sequence of the last real message of its product. */
static void heartbeat(struct conn *conn, const char *name)
{
        const struct tape *tape = &conn->lab->tape;
        const char *product = strchr(name, ':') + 1;
        char time[TIME_TEXT_SIZE], text[512];
        struct said said = {0};
        uint32_t index =
            tape_find_symbol(tape, VENUE_EXCHANGE, (struct span){product, strlen(product)});
        if (index != TAPE_NONE)
                said = tape->symbols[index].said;
        int size = snprintf(text, sizeof(text),
            "{\"type\":\"heartbeat\",\"last_trade_id\":%" PRId64
            ",\"product_id\":\"%s\",\"sequence\":%" PRId64 ",\"time\":\"%s\"}",
            said.trade_id, product, said.sequence,
            time_format(clock_wall_ns() / NS_PER_US * NS_PER_US, time));
        made_send(conn, name, (struct span){text, (size_t)size});
}

void made_tick(struct conn *conn, int64_t now_ns)
{
        if (!conn->heartbeat_at_ns || now_ns < conn->heartbeat_at_ns)
                return;
        conn->heartbeat_at_ns += NS_PER_S;
        if (conn_is_stalled(conn))
                return;
        for (size_t i = 0; i < conn->name_count; i++) {
                const char *name = conn->names[i];
                if (conn->venue == VENUE_ADVANCED && !strncmp(name, "heartbeats:", 11))
                        heartbeat_advanced(conn);
                else if (conn->venue == VENUE_EXCHANGE && !strncmp(name, "heartbeat:", 10))
                        heartbeat(conn, name);
        }
}
