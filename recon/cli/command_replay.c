/* obrebuild replay: every event of a range as it was sent. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "recon/ahead.h"
#include "recon/cli/cli.h"
#include "recon/cli/out.h"

#define OUTPUT_SIZE 65536                             /* of a write to what is no terminal */
#define HEAD_SIZE (128 + CSV_NAME_SIZE)               /* four numbers, a name and their commas */
#define LINE_SIZE (HEAD_SIZE + 2 * DECIMAL_TEXT_SIZE) /* of a level in CSV */
#define PIECE_SIZE 4096 /* lines are handed to stdout so many at once */

struct replay_output {
        struct cli *cli;
        const struct merge *stream;
        const char *recorder; /* whose the events are now, where there are several */
        bool digest;
        uint64_t sum;
        int64_t speed_milli; /* 0: as fast as possible */
        int64_t first_event_ns, first_mono_ns;
        uint64_t events;
};

static void source_cb(size_t source, void *user)
{
        struct replay_output *output = user;
        output->recorder = cli_recorder(output->cli, output->stream, source);
}

static void image_cb(uint64_t sum, const struct scale *scale, void *user)
{
        struct replay_output *output = user;
        (void)scale;
        output->sum = sum;
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

static size_t format_line(const struct event *event, enum side side, uint32_t index,
    const struct scale *scale, char *ret_text)
{
        struct level level = event->levels[side][index];
        char *at = ret_text;
        memcpy(at, side == SIDE_BID ? "bid," : "ask,", 4);
        at += 4;
        at += decimal_format(level.price, scale->price_digits, scale->fixed, at);
        *at++ = ',';
        at += decimal_format(level.quantity, scale->quantity_digits, scale->fixed, at);
        *at++ = '\n';
        return (size_t)(at - ret_text);
}

static size_t format_head(
    const struct replay_output *output, const struct event *event, char ret_text[HEAD_SIZE])
{
        char whose[CSV_NAME_SIZE] = "";
        if (output->recorder)
                format_csv(output->recorder, whose);
        return (size_t)snprintf(ret_text, HEAD_SIZE,
            "%s%s%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",", whose,
            output->recorder ? "," : "", event->event_time_ns, event->receive_time_ns,
            event->first_id, event->last_id);
}

static void print_event_csv(
    const struct replay_output *output, const struct event *event, const struct scale *scale)
{
        char head[HEAD_SIZE], text[PIECE_SIZE + LINE_SIZE];
        size_t size = 0;
        size_t head_size = format_head(output, event, head);
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < event->count[s]; i++) {
                        memcpy(text + size, head, head_size);
                        size += head_size;
                        size += format_line(event, s, i, scale, text + size);
                        if (size < PIECE_SIZE)
                                continue;
                        fwrite(text, 1, size, stdout);
                        size = 0;
                }
        }
        fwrite(text, 1, size, stdout);
}

static void print_event_json(const struct replay_output *output, const struct event *event,
    const struct scale *scale, uint32_t epoch)
{
        printf("{\"event_time_ns\":%" PRId64 ",\"receive_time_ns\":%" PRId64
               ",\"first_id\":%" PRId64 ",\"last_id\":%" PRId64 ",\"epoch\":%u,\"bids\":",
            event->event_time_ns, event->receive_time_ns, event->first_id, event->last_id, epoch);
        print_levels(event->levels[SIDE_BID], event->count[SIDE_BID], scale);
        printf(",\"asks\":");
        print_levels(event->levels[SIDE_ASK], event->count[SIDE_ASK], scale);
        print_recorder(output->recorder);
        if (output->digest)
                printf(",\"digest\":\"%016" PRIx64 "\"", output->sum);
        printf("}\n");
}

static void print_message(const struct replay_output *output, const struct event *event,
    const struct scale *scale, uint32_t epoch)
{
        char digest[64] = "", whose[CSV_NAME_SIZE];
        struct out out;
        bool json = output->cli->form != OUTPUT_CSV;
        out.size = 0;
        if (output->digest)
                snprintf(digest, sizeof(digest),
                    json ? ",\"digest\":\"%016" PRIx64 "\"" : ",%016" PRIx64, output->sum);
        if (!json && output->recorder) {
                out_text(&out, format_csv(output->recorder, whose));
                out_text(&out, ",");
        }
        (json ? out_message_json : out_message_csv)(&out, event, scale, epoch);
        if (json && output->recorder) {
                out_text(&out, ",\"recorder\":\"");
                out_json(&out, output->recorder);
                out_text(&out, "\"");
        }
        out_text(&out, digest);
        out_text(&out, json ? "}\n" : "\n");
        out_flush(&out);
}

static int pass_cb(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        (void)book;
        (void)epoch;
        update_digest(user, event, befores, scale);
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
        if (event->order)
                print_message(output, event, scale, epoch);
        else if (output->cli->form == OUTPUT_CSV)
                print_event_csv(output, event, scale);
        else
                print_event_json(output, event, scale, epoch);
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

static void print_header(const struct cli *cli, const struct merge *stream)
{
        struct out out;
        out.size = 0;
        if (cli->form != OUTPUT_CSV)
                return;
        if (cli->source_count > 1)
                out_text(&out, "recorder,");
        if (stream->name.kind == KIND_L3) {
                out_message_csv_header(&out);
                out_text(&out, options_value(cli->options, "--digest") ? ",digest\n" : "\n");
        } else {
                out_text(
                    &out, "event_time_ns,receive_time_ns,first_id,last_id,side,price,quantity\n");
        }
        out_flush(&out);
}

static int replay_stream(struct cli *cli, struct merge *stream)
{
        struct replay_output output = {
            .cli = cli, .stream = stream, .digest = options_value(cli->options, "--digest")};
        struct replay_options options = {cli->from_ns, cli->to_ns, cli->clock};
        struct ahead_callbacks callbacks = {.event_cb = event_cb, .user = &output};
        struct error error = {0};
        if (read_speed(cli, &output.speed_milli))
                return cli->worst;
        print_header(cli, stream);
        if (output.digest) {
                callbacks.pass_cb = pass_cb;
                callbacks.sum_cb = digest_book;
                callbacks.image_cb = image_cb;
        }
        int code = cli_replay(stream, &options, &callbacks, source_cb, &error);
        cli_progress(cli, NULL);
        if (code && code != ERR_STOPPED)
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        cli_tell_gaps(cli, stream);
        return 0;
}

int command_replay(struct cli *cli)
{
        static char output[OUTPUT_SIZE];
        if (cli->word_count != 1)
                return cli_fail(
                    cli, EXIT_USAGE, "replay takes one symbol: obrebuild replay binance:BTCUSDT");
        if (!isatty(STDOUT_FILENO))
                setvbuf(stdout, output, _IOFBF, sizeof(output));
        return cli_each_book(cli, replay_stream);
}
