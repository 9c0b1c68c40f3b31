/* obrebuild trades: every trade of a range. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "recon/ahead.h"
#include "recon/cli/cli.h"
#include "recon/cli/out.h"

#define OUTPUT_SIZE 65536 /* of a write to what is no terminal */

struct trades_output {
        struct cli *cli;
        const struct merge *stream;
        const char *recorder; /* whose record they come from now, where there are several */
        struct buffer head;   /* how each line begins: what was traded */
        struct out out;
        uint64_t trades;
};

/* A resting bid was sold to. */
static const char *taker_side(enum side maker)
{
        return maker == SIDE_BID ? "sell" : "buy";
}

/* One trade, ready to be printed. */
struct trade {
        const struct event *event;
        const struct scale *scale;
        struct level level;
        const char *taker_side;
};

static void out_fills(struct out *out, const struct event *event, const char *first,
    const char *last, const char *end)
{
        out_text(out, first);
        if (event->type == TYPE_AGGREGATE)
                out_int(out, event->first_trade);
        out_text(out, last);
        if (event->type == TYPE_AGGREGATE)
                out_int(out, event->last_trade);
        out_text(out, end);
}

static void out_trade_json(struct out *out, const struct trade *trade)
{
        const struct event *event = trade->event;
        out_text(out, ",\"id\":");
        out_int(out, event->last_id);
        out_text(out, ",\"event_time_ns\":");
        out_int(out, event->event_time_ns);
        out_text(out, ",\"receive_time_ns\":");
        out_int(out, event->receive_time_ns);
        out_text(out, ",\"price\":\"");
        out_level(out, trade->level, trade->scale, "\",\"quantity\":\"");
        out_text(out, "\",\"taker_side\":\"");
        out_text(out, trade->taker_side);
        out_text(out, "\"");
        if (event->type == TYPE_AGGREGATE)
                out_fills(out, event, ",\"first_trade\":", ",\"last_trade\":", "");
        out_text(out, "}\n");
}

static void out_trade_csv(struct out *out, const struct trade *trade)
{
        const struct event *event = trade->event;
        const int64_t numbers[] = {event->last_id, event->event_time_ns, event->receive_time_ns};
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
                out_text(out, ",");
                out_int(out, numbers[i]);
        }
        out_text(out, ",");
        out_level(out, trade->level, trade->scale, ",");
        out_text(out, ",");
        out_text(out, trade->taker_side);
        out_fills(out, event, ",", ",", "\n");
}

static void print_row(struct out *out, const char *const cells[6], const char *recorder)
{
        char line[256];
        int size = snprintf(line, sizeof(line), "%-30s %16s  %-5s %18s %18s  %s\n", cells[0],
            cells[1], cells[2], cells[3], cells[4], cells[5]);
        if (recorder) {
                out_text(out, recorder);
                out_text(out, "  ");
        }
        out_add(out, line, (size_t)size < sizeof(line) ? (size_t)size : sizeof(line) - 1);
}

static void out_trade_table(struct out *out, const struct trade *trade, const char *recorder)
{
        const struct event *event = trade->event;
        const struct scale *scale = trade->scale;
        char time[TIME_TEXT_SIZE], id[32], fills[64] = "";
        char price[DECIMAL_TEXT_SIZE], quantity[DECIMAL_TEXT_SIZE];
        time_format(event->event_time_ns, time);
        snprintf(id, sizeof(id), "%" PRId64, event->last_id);
        decimal_format(trade->level.price, scale->price_digits, scale->fixed, price);
        decimal_format(trade->level.quantity, scale->quantity_digits, scale->fixed, quantity);
        if (event->type == TYPE_AGGREGATE)
                snprintf(fills, sizeof(fills), "%" PRId64 "..%" PRId64, event->first_trade,
                    event->last_trade);
        print_row(out, (const char *const[]){time, id, trade->taker_side, price, quantity, fills},
            recorder);
}

static int event_cb(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        struct trades_output *output = user;
        struct out *out = &output->out;
        enum side maker = event->count[SIDE_BID] ? SIDE_BID : SIDE_ASK;
        (void)befores;
        (void)book;
        (void)epoch;
        if (!event_is_trade(event) || !event->count[maker])
                return 0;
        struct trade trade = {event, scale, event->levels[maker][0], taker_side(maker)};
        if (output->cli->form == OUTPUT_TABLE) {
                out_trade_table(out, &trade, output->recorder);
        } else {
                out_add(out, (const char *)output->head.data, output->head.size);
                (output->cli->form == OUTPUT_JSON ? out_trade_json : out_trade_csv)(out, &trade);
        }
        if (++output->trades % 100000 == 0)
                cli_progress(output->cli, "trades: %" PRIu64, output->trades);
        return ferror(stdout) ? ERR_STOPPED : 0;
}

static void make_head(struct trades_output *output)
{
        const struct stream_name *name = &output->stream->name;
        struct buffer *head = &output->head;
        char whose[CSV_NAME_SIZE];
        buffer_clear(head);
        if (output->cli->form == OUTPUT_CSV) {
                if (output->recorder)
                        buffer_printf(head, "%s,", format_csv(output->recorder, whose));
                buffer_printf(head, "%s,%s", name->exchange, name->symbol);
                return;
        }
        buffer_append_text(head, "{\"exchange\":\"");
        buffer_append_json(head, name->exchange);
        buffer_append_text(head, "\",\"symbol\":\"");
        buffer_append_json(head, name->symbol);
        buffer_append_text(head, "\"");
        if (!output->recorder)
                return;
        buffer_append_text(head, ",\"recorder\":\"");
        buffer_append_json(head, output->recorder);
        buffer_append_text(head, "\"");
}

static void source_cb(size_t source, void *user)
{
        struct trades_output *output = user;
        output->recorder = cli_recorder(output->cli, output->stream, source);
        make_head(output);
}

static void print_header(struct trades_output *output)
{
        static const char *const names[] = {"time", "id", "taker", "price", "quantity", "fills"};
        bool several = output->cli->source_count > 1;
        if (output->cli->form == OUTPUT_CSV && several)
                out_text(&output->out, "recorder,");
        if (output->cli->form == OUTPUT_CSV)
                out_text(&output->out,
                    "exchange,symbol,id,event_time_ns,receive_time_ns,price,quantity,taker_side,"
                    "first_trade,last_trade\n");
        else if (output->cli->form == OUTPUT_TABLE)
                print_row(&output->out, names, several ? "recorder" : NULL);
}

static int show_trades(struct cli *cli, struct merge *stream)
{
        static struct trades_output output;
        struct replay_options options = {cli->from_ns, cli->to_ns, cli->clock};
        struct ahead_callbacks callbacks = {.event_cb = event_cb, .user = &output};
        struct error error = {0};
        output.cli = cli;
        output.stream = stream;
        buffer_init(&output.head, 4096);
        make_head(&output);
        print_header(&output);
        int code = cli_replay(stream, &options, &callbacks, source_cb, &error);
        out_flush(&output.out);
        buffer_deinit(&output.head);
        cli_progress(cli, NULL);
        if (code && code != ERR_STOPPED)
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        cli_tell_gaps(cli, stream);
        return 0;
}

int command_trades(struct cli *cli)
{
        static char buffer[OUTPUT_SIZE];
        char exchange[32];
        if (cli->word_count != 1)
                return cli_fail(
                    cli, EXIT_USAGE, "trades takes one symbol: obrebuild trades binance:BTCUSDT");
        if (cli->has_kind && cli->kind != KIND_TRADES)
                return cli_fail(cli, EXIT_USAGE, "--kind %s: trades are of the kind trades",
                    stream_kind_name(cli->kind));
        const char *symbol = cli_split_symbol(cli->words[0], exchange, sizeof(exchange));
        struct merge *stream = cli_find_stream(cli, exchange, symbol, KIND_TRADES);
        if (!stream)
                return cli_fail(cli, EXIT_FAILED,
                    "%s:%s: no trades are recorded in this store; oblogger records them with "
                    "TRADES=on (obrebuild list shows what is recorded)",
                    exchange, symbol);
        if (!isatty(STDOUT_FILENO))
                setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
        return show_trades(cli, stream);
}
