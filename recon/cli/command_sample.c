/* obrebuild sample: best bid and ask, and depth, on a grid of times. */
#include "recon/sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "recon/cli/cli.h"

#define PROGRESS_NS (200 * NS_PER_MS)

static struct sample_options options;

struct sample_output {
        struct cli *cli;
        const struct merge *stream;
        bool progress;
        int64_t progress_mono_ns;
        uint64_t points, not_ok;
};

/* The numbers of a point as texts; what it does not tell is empty. */
struct cells {
        char price[SIDES][DECIMAL_TEXT_SIZE];
        char quantity[SIDES][DECIMAL_TEXT_SIZE];
        char depth[SIDES][DECIMAL_TEXT_SIZE];
};

static struct cells cells_of(const struct sample_point *point)
{
        struct cells cells = {0};
        const struct scale *scale = &point->scale;
        for (enum side s = 0; s < SIDES && point->status == STATUS_OK; s++) {
                const struct sample_side *side = &point->sides[s];
                decimal_format(side->depth, scale->quantity_digits, scale->fixed, cells.depth[s]);
                if (!side->has_best)
                        continue;
                decimal_format(side->best.price, scale->price_digits, scale->fixed, cells.price[s]);
                decimal_format(
                    side->best.quantity, scale->quantity_digits, scale->fixed, cells.quantity[s]);
        }
        return cells;
}

/* ---- one point, in each form ---- */

static void print_text_or_null(const char *key, const char *text)
{
        if (*text)
                printf(",\"%s\":\"%s\"", key, text);
        else
                printf(",\"%s\":null", key);
}

static void print_json(
    const struct stream_name *name, const char *recorder, const struct sample_point *point)
{
        struct cells cells = cells_of(point);
        printf("{\"exchange\":");
        print_json_text(name->exchange);
        printf(",\"symbol\":");
        print_json_text(name->symbol);
        print_recorder(recorder);
        printf(",\"at\":%" PRId64 ",", point->at_ns);
        print_time_or_null("event_time_ns", point->status != STATUS_EMPTY, point->event_time_ns);
        printf(",\"status\":\"%s\"", book_status_name(point->status));
        print_text_or_null("bid", cells.price[SIDE_BID]);
        print_text_or_null("bid_quantity", cells.quantity[SIDE_BID]);
        print_text_or_null("ask", cells.price[SIDE_ASK]);
        print_text_or_null("ask_quantity", cells.quantity[SIDE_ASK]);
        print_text_or_null("bid_depth", cells.depth[SIDE_BID]);
        print_text_or_null("ask_depth", cells.depth[SIDE_ASK]);
        printf("}\n");
}

static void print_csv(
    const struct stream_name *name, const char *recorder, const struct sample_point *point)
{
        struct cells cells = cells_of(point);
        print_recorder_csv(recorder);
        printf("%s,%s,%" PRId64 ",", name->exchange, name->symbol, point->at_ns);
        if (point->status != STATUS_EMPTY)
                printf("%" PRId64, point->event_time_ns);
        printf(",%s,%s,%s,%s,%s,%s,%s\n", book_status_name(point->status), cells.price[SIDE_BID],
            cells.quantity[SIDE_BID], cells.price[SIDE_ASK], cells.quantity[SIDE_ASK],
            cells.depth[SIDE_BID], cells.depth[SIDE_ASK]);
}

static void print_row(
    const char *at, const char *status, const struct cells *cells, const char *recorder)
{
        if (recorder)
                printf("%-12s ", recorder);
        printf("%-30s %-6s %18s %18s %18s  | %-18s %-18s %s\n", at, status, cells->depth[SIDE_BID],
            cells->quantity[SIDE_BID], cells->price[SIDE_BID], cells->price[SIDE_ASK],
            cells->quantity[SIDE_ASK], cells->depth[SIDE_ASK]);
}

static void print_header(const struct cli *cli)
{
        static const struct cells names = {
            {"bid", "ask"}, {"bid quantity", "ask quantity"}, {"bid depth", "ask depth"}};
        bool several = cli->source_count > 1;
        if (cli->form == OUTPUT_CSV)
                printf("%sexchange,symbol,at,event_time_ns,status,bid,bid_quantity,ask,"
                       "ask_quantity,bid_depth,ask_depth\n",
                    several ? "recorder," : "");
        else if (cli->form == OUTPUT_TABLE)
                print_row("at", "status", &names, several ? "recorder" : NULL);
}

static void print_point(
    const struct sample_output *output, const struct sample_point *point, const char *recorder)
{
        char at[TIME_TEXT_SIZE];
        if (output->cli->form == OUTPUT_JSON) {
                print_json(&output->stream->name, recorder, point);
        } else if (output->cli->form == OUTPUT_CSV) {
                print_csv(&output->stream->name, recorder, point);
        } else {
                struct cells cells = cells_of(point);
                print_row(time_format(point->at_ns, at), book_status_name(point->status), &cells,
                    recorder);
        }
}

static void show_progress(struct sample_output *output, int64_t at_ns)
{
        char at[TIME_TEXT_SIZE];
        int64_t now = output->progress ? clock_mono_ns() : 0;
        if (!output->progress || now - output->progress_mono_ns < PROGRESS_NS)
                return;
        output->progress_mono_ns = now;
        cli_progress(output->cli, "sample: %s", time_format(at_ns, at));
}

static int point_cb(const struct sample_point *point, size_t source, void *user)
{
        struct sample_output *output = user;
        output->points++;
        output->not_ok += point->status != STATUS_OK;
        print_point(output, point, cli_recorder(output->cli, output->stream, source));
        show_progress(output, point->at_ns);
        return ferror(stdout) ? ERR_STOPPED : 0;
}

/* ---- the command ---- */

static int read_options(struct cli *cli)
{
        const char *every = options_value(cli->options, "--every"),
                   *depth = options_value(cli->options, "--depth");
        int64_t levels = 1;
        if (!every)
                return cli_fail(
                    cli, EXIT_USAGE, "sample needs --every, a length of time like 100ms, 10s, 1h");
        if (duration_parse(every, &options.every_ns) || options.every_ns <= 0)
                return cli_fail(cli, EXIT_USAGE,
                    "--every %s: allowed is a length of time above 0, like 100ms, 10s, 1h", every);
        if (depth && (decimal_parse(depth, strlen(depth), 0, &levels) || levels < 1))
                return cli_fail(
                    cli, EXIT_USAGE, "--depth %s: allowed is a number of levels above 0", depth);
        options.depth = (size_t)levels;
        options.from_ns = cli->from_ns;
        options.to_ns = cli->to_ns;
        options.clock = cli->clock;
        return 0;
}

static void tell_what_lacks(const struct sample_output *output)
{
        const struct stream_name *name = &output->stream->name;
        struct cli *cli = output->cli;
        if (output->not_ok)
                cli_fail(cli, EXIT_INCOMPLETE,
                    "%s:%s: %" PRIu64 " of %" PRIu64
                    " points lie in a gap, beyond the end or before the first image",
                    name->exchange, name->symbol, output->not_ok, output->points);
        else if (!output->points && cli->from_ns != cli->to_ns)
                cli_fail(cli, EXIT_INCOMPLETE, "%s:%s: no point of the grid lies in its record",
                    name->exchange, name->symbol);
}

static int sample_stream(struct cli *cli, struct merge *stream)
{
        struct sample_output output = {
            .cli = cli, .stream = stream, .progress = cli->progress && !isatty(STDOUT_FILENO)};
        struct error error = {0};
        print_header(cli);
        int code = merge_sample(stream, &options, point_cb, &output, &error);
        cli_progress(cli, NULL);
        if (code && code != ERR_STOPPED)
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        if (!code)
                tell_what_lacks(&output);
        return 0;
}

int command_sample(struct cli *cli)
{
        if (cli->word_count != 1)
                return cli_fail(cli, EXIT_USAGE,
                    "sample takes one symbol: obrebuild sample binance:BTCUSDT --every 10s");
        return read_options(cli) ? cli->worst : cli_each_book(cli, sample_stream);
}
