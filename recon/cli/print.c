/* Books and names as table, json and csv. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "recon/cli/cli.h"
#include "recon/cli/out.h"

void print_json_text(const char *text)
{
        struct buffer buffer;
        buffer_init(&buffer, 1 << 16);
        buffer_append_json(&buffer, text);
        printf("\"%.*s\"", (int)buffer.size, (char *)buffer.data);
        buffer_deinit(&buffer);
}

void print_name(const struct stream_name *name)
{
        printf("\"exchange\":");
        print_json_text(name->exchange);
        printf(",\"symbol\":");
        print_json_text(name->symbol);
        printf(",\"kind\":\"%s\"", stream_kind_name(name->kind));
}

void print_recorder(const char *recorder)
{
        if (!recorder)
                return;
        printf(",\"recorder\":");
        print_json_text(recorder);
}

void print_recorder_csv(const char *recorder)
{
        char text[CSV_NAME_SIZE];
        if (recorder)
                printf("%s,", format_csv(recorder, text));
}

void print_time_or_null(const char *key, bool known, int64_t time_ns)
{
        if (known)
                printf("\"%s\":%" PRId64, key, time_ns);
        else
                printf("\"%s\":null", key);
}

static void format_level(struct level level, const struct scale *scale, char *price, char *quantity)
{
        decimal_format(level.price, scale->price_digits, scale->fixed, price);
        decimal_format(level.quantity, scale->quantity_digits, scale->fixed, quantity);
}

#define CSV_HEAD_SIZE 256 /* names, three numbers, two words */
#define PAIR_SIZE (2 * DECIMAL_TEXT_SIZE + 8)
#define PIECE_SIZE 4096 /* levels are handed to stdout so many bytes at once */

static size_t format_pair(struct level level, const struct scale *scale, bool first, char *ret_text)
{
        char *at = ret_text;
        if (!first)
                *at++ = ',';
        *at++ = '[';
        *at++ = '"';
        at += decimal_format(level.price, scale->price_digits, scale->fixed, at);
        *at++ = '"';
        *at++ = ',';
        *at++ = '"';
        at += decimal_format(level.quantity, scale->quantity_digits, scale->fixed, at);
        *at++ = '"';
        *at++ = ']';
        return (size_t)(at - ret_text);
}

static void print_pair(struct level level, const struct scale *scale, bool first)
{
        char text[PAIR_SIZE];
        fwrite(text, 1, format_pair(level, scale, first, text), stdout);
}

void print_levels(const struct level *levels, size_t count, const struct scale *scale)
{
        char text[PIECE_SIZE + PAIR_SIZE];
        size_t size = 0;
        text[size++] = '[';
        for (size_t i = 0; i < count; i++) {
                size += format_pair(levels[i], scale, i == 0, text + size);
                if (size < PIECE_SIZE)
                        continue;
                fwrite(text, 1, size, stdout);
                size = 0;
        }
        text[size++] = ']';
        fwrite(text, 1, size, stdout);
}

static void print_side(const struct recon_book *book, enum side side, size_t depth)
{
        struct book_cursor cursor = {0};
        struct level level;
        putchar('[');
        for (size_t i = 0; i < depth && book_next(&book->book, side, &cursor, &level); i++)
                print_pair(level, &book->scale, i == 0);
        putchar(']');
}

static void print_horizon(const struct recon_book *book, enum side side)
{
        char price[DECIMAL_TEXT_SIZE];
        decimal_format(
            book->book.horizon[side], book->scale.price_digits, book->scale.fixed, price);
        printf(book->book.bounded[side] ? "\"%s\"" : "null", price);
}

static void print_rows(const struct recon_book *book, enum side side, size_t depth, bool as_levels)
{
        if (book->book.by_order && !as_levels)
                print_orders(book, side, depth);
        else
                print_side(book, side, depth);
}

static void print_book_json(const struct stream_name *name, const char *recorder,
    const struct recon_book *book, size_t depth, bool as_levels)
{
        bool empty = book->status == STATUS_EMPTY;
        putchar('{');
        print_name(name);
        print_recorder(recorder);
        printf(",\"at\":%" PRId64 ",", book->at_ns);
        print_time_or_null("event_time_ns", !empty, book->event_time_ns);
        putchar(',');
        print_time_or_null("receive_time_ns", !empty, book->receive_time_ns);
        putchar(',');
        print_time_or_null("last_id", !empty, book->last_id);
        printf(",\"epoch\":%u,\"status\":\"%s\",\"proof\":\"%s\",\"horizon\":{\"bid\":",
            book->epoch, book_status_name(book->status), name->sequenced ? "sequence" : "none");
        print_horizon(book, SIDE_BID);
        printf(",\"ask\":");
        print_horizon(book, SIDE_ASK);
        printf("},\"bids\":");
        print_rows(book, SIDE_BID, depth, as_levels);
        printf(",\"asks\":");
        print_rows(book, SIDE_ASK, depth, as_levels);
        printf("}\n");
}

static void print_levels_csv(
    const struct recon_book *book, enum side side, size_t depth, const char *head)
{
        char price[DECIMAL_TEXT_SIZE], quantity[DECIMAL_TEXT_SIZE];
        struct book_cursor cursor = {0};
        struct level level;
        for (size_t i = 0; i < depth && book_next(&book->book, side, &cursor, &level); i++) {
                format_level(level, &book->scale, price, quantity);
                printf("%s%zu,%s,%s,\n", head, i + 1, price, quantity);
        }
}

static void print_book_csv(const struct stream_name *name, const char *recorder,
    const struct recon_book *book, size_t depth, bool as_levels)
{
        static const char *const names[SIDES] = {"bid", "ask"};
        char head[CSV_HEAD_SIZE + CSV_NAME_SIZE], whose[CSV_NAME_SIZE] = "";
        if (recorder)
                format_csv(recorder, whose);
        for (enum side s = 0; s < SIDES; s++) {
                snprintf(head, sizeof(head), "%s%s%s,%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",%s,%s,",
                    whose, recorder ? "," : "", name->exchange, name->symbol, book->at_ns,
                    book->event_time_ns, book->last_id, book_status_name(book->status), names[s]);
                if (book->book.by_order && !as_levels)
                        print_orders_csv(book, s, depth, head);
                else
                        print_levels_csv(book, s, depth, head);
        }
}

static void print_row(
    const struct recon_book *book, bool has_bid, struct level bid, bool has_ask, struct level ask)
{
        char bid_price[DECIMAL_TEXT_SIZE] = "", bid_quantity[DECIMAL_TEXT_SIZE] = "";
        char ask_price[DECIMAL_TEXT_SIZE] = "", ask_quantity[DECIMAL_TEXT_SIZE] = "";
        if (has_bid)
                format_level(bid, &book->scale, bid_price, bid_quantity);
        if (has_ask)
                format_level(ask, &book->scale, ask_price, ask_quantity);
        printf("%22s %22s  | %-22s %-22s\n", bid_quantity, bid_price, ask_price, ask_quantity);
}

static void print_levels_table(const struct recon_book *book, size_t depth)
{
        struct book_cursor bid_cursor = {0}, ask_cursor = {0};
        printf(
            "%22s %22s  | %-22s %-22s\n", "bid quantity", "bid price", "ask price", "ask quantity");
        for (size_t i = 0; i < depth; i++) {
                struct level bid = {0}, ask = {0};
                bool has_bid = book_next(&book->book, SIDE_BID, &bid_cursor, &bid);
                bool has_ask = book_next(&book->book, SIDE_ASK, &ask_cursor, &ask);
                if (!has_bid && !has_ask)
                        break;
                print_row(book, has_bid, bid, has_ask, ask);
        }
}

static void print_book_table(const struct stream_name *name, const char *recorder,
    const struct recon_book *book, size_t depth, bool as_levels)
{
        char at[TIME_TEXT_SIZE], event[TIME_TEXT_SIZE];
        printf("%s:%s at %s  status %s", name->exchange, name->symbol, time_format(book->at_ns, at),
            book_status_name(book->status));
        if (recorder)
                printf("  recorder %s", recorder);
        if (book->status != STATUS_EMPTY)
                printf("  last event %s  id %" PRId64 "  epoch %u  %zu bids, %zu asks",
                    time_format(book->event_time_ns, event), book->last_id, book->epoch,
                    book_count(&book->book, SIDE_BID), book_count(&book->book, SIDE_ASK));
        if (book->book.by_order)
                printf(", %zu orders", book_size(&book->book));
        putchar('\n');
        if (book->book.by_order && !as_levels)
                print_orders_table(book, depth);
        else
                print_levels_table(book, depth);
        putchar('\n');
}

void print_book(const struct cli *cli, const struct merge *stream, size_t source,
    const struct recon_book *book, size_t depth, bool as_levels)
{
        const char *recorder = cli_recorder(cli, stream, source);
        if (cli->form == OUTPUT_JSON)
                print_book_json(&stream->name, recorder, book, depth, as_levels);
        else if (cli->form == OUTPUT_CSV)
                print_book_csv(&stream->name, recorder, book, depth, as_levels);
        else
                print_book_table(&stream->name, recorder, book, depth, as_levels);
}
