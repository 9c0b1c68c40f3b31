/* obrebuild replay: every event of a range as it was sent. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "recon/cli/cli.h"

struct replay_output {
        struct cli *cli;
        const struct recon_stream *stream;
        bool digest;
        uint64_t sum;
        int64_t speed_milli; /* 0: as fast as possible */
        int64_t first_event_ns, first_mono_ns;
        uint64_t events;
};

static void image_cb(const struct book *book, const struct scale *scale, void *user)
{
        struct replay_output *output = user;
        if (output->digest)
                output->sum = digest_book(book, scale);
}

/* Take out of the sum what the event replaces, put in what it brings. */
static void update_digest(struct replay_output *output, const struct event *event,
    const int64_t *befores, const struct scale *scale)
{
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < event->count[s]; i++) {
                        struct level now = event->levels[s][i], before = {now.price, *befores++};
                        if (before.quantity)
                                output->sum -= digest_level(s, before, scale);
                        if (now.quantity)
                                output->sum += digest_level(s, now, scale);
                }
        }
}

static void pace(struct replay_output *output, int64_t event_time_ns)
{
        if (!output->speed_milli)
                return;
        if (!output->events) {
                output->first_event_ns = event_time_ns;
                output->first_mono_ns = clock_mono_ns();
        }
        int64_t due = output->first_mono_ns +
            (int64_t)((__int128)(event_time_ns - output->first_event_ns) * 1000 /
                output->speed_milli);
        int64_t wait = due - clock_mono_ns();
        if (wait <= 0)
                return;
        fflush(stdout);
        nanosleep(&(struct timespec){wait / NS_PER_S, wait % NS_PER_S}, NULL);
}

static void print_event_csv(const struct event *event, const struct scale *scale)
{
        static const char *const names[SIDES] = {"bid", "ask"};
        char price[DECIMAL_TEXT_SIZE], quantity[DECIMAL_TEXT_SIZE];
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < event->count[s]; i++) {
                        decimal_format(
                            event->levels[s][i].price, scale->price_digits, scale->fixed, price);
                        decimal_format(event->levels[s][i].quantity, scale->quantity_digits,
                            scale->fixed, quantity);
                        printf("%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%s,%s,%s\n",
                            event->event_time_ns, event->receive_time_ns, event->first_id,
                            event->last_id, names[s], price, quantity);
                }
        }
}

static int pass_cb(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        struct replay_output *output = user;
        (void)book;
        (void)epoch;
        if (output->digest)
                update_digest(output, event, befores, scale);
        return 0;
}

static int event_cb(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        struct replay_output *output = user;
        (void)book;
        if (output->digest)
                update_digest(output, event, befores, scale);
        pace(output, event->event_time_ns);
        if (++output->events % 10000 == 0)
                cli_progress(output->cli, "replay: %" PRIu64 " events", output->events);
        if (output->cli->form == OUTPUT_CSV) {
                print_event_csv(event, scale);
                return ferror(stdout) ? ERR_STOPPED : 0;
        }
        printf("{\"event_time_ns\":%" PRId64 ",\"receive_time_ns\":%" PRId64
               ",\"first_id\":%" PRId64 ",\"last_id\":%" PRId64 ",\"epoch\":%u,\"bids\":",
            event->event_time_ns, event->receive_time_ns, event->first_id, event->last_id, epoch);
        print_levels(event->levels[SIDE_BID], event->count[SIDE_BID], scale);
        printf(",\"asks\":");
        print_levels(event->levels[SIDE_ASK], event->count[SIDE_ASK], scale);
        if (output->digest)
                printf(",\"digest\":\"%016" PRIx64 "\"", output->sum);
        printf("}\n");
        return ferror(stdout) ? ERR_STOPPED : 0;
}

static int read_speed(struct cli *cli, int64_t *ret_milli)
{
        const char *text = options_value(cli->options, "--speed");
        *ret_milli = 0;
        if (!text || !strcmp(text, "max"))
                return 0;
        if (decimal_parse(text, strlen(text), 3, ret_milli) || *ret_milli <= 0)
                return cli_fail(cli, EXIT_USAGE,
                    "--speed %s: allowed is a number above 0, at most 3 decimals, or max", text);
        return 0;
}

static int replay_stream(struct cli *cli, const struct recon_stream *stream)
{
        struct replay_output output = {
            .cli = cli, .stream = stream, .digest = options_value(cli->options, "--digest")};
        struct replay_options options = {cli->from_ns, cli->to_ns, cli->clock};
        struct replay_callbacks callbacks = {event_cb, pass_cb, image_cb, &output};
        struct error error = {0};
        if (read_speed(cli, &output.speed_milli))
                return cli->worst;
        int code = recon_replay(&cli->reader, stream, &options, &callbacks, &error);
        cli_progress(cli, NULL);
        if (code && code != ERR_STOPPED)
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        struct gap_list gaps;
        if (recon_gaps(&cli->reader, stream, &gaps))
                cli_fail(cli, EXIT_FAILED, "%s:%s: its gap records cannot be read",
                    stream->name.exchange, stream->name.symbol);
        for (size_t i = 0; i < gaps.count; i++) {
                const struct gap_record *gap = &gaps.gaps[i];
                if (gap->from_time_ns < cli->to_ns && (gap->open || gap->to_time_ns > cli->from_ns))
                        cli_fail(cli, EXIT_INCOMPLETE,
                            "%s:%s: the range has a gap (%s) after id %" PRId64,
                            stream->name.exchange, stream->name.symbol, gap_cause_name(gap->cause),
                            gap->from_id);
        }
        gap_list_deinit(&gaps);
        return 0;
}

int command_replay(struct cli *cli)
{
        if (cli->word_count != 1)
                return cli_fail(
                    cli, EXIT_USAGE, "replay takes one symbol: obrebuild replay binance:BTCUSDT");
        if (cli->form == OUTPUT_CSV)
                printf("event_time_ns,receive_time_ns,first_id,last_id,side,price,quantity\n");
        return cli_each_stream(cli, replay_stream);
}
