/* obrebuild verify: read everything, check everything. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "recon/cli/cli.h"

static void show_problem(const struct recon_stream *stream, uint32_t day, uint64_t position,
    const char *text, void *user)
{
        struct cli *cli = user;
        char day_text[DAY_TEXT_SIZE];
        day_format(day, day_text);
        cli_progress(cli, NULL);
        if (cli->form == OUTPUT_JSON) {
                printf("{\"problem\":");
                print_json_text(text);
                putchar(',');
                print_name(stream);
                printf(",\"day\":\"%s\",\"position\":%" PRIu64 "}\n", day_text, position);
        } else {
                printf("%s:%s %s position %" PRIu64 ": %s\n", stream->name.exchange,
                    stream->name.symbol, day_text, position, text);
        }
        cli->worst = EXIT_FAILED;
}

static void show_progress(uint64_t events, void *user)
{
        cli_progress(user, "verify: %" PRIu64 " events", events);
}

static int verify_stream(struct cli *cli, const struct recon_stream *stream)
{
        struct verify_result result;
        struct error error = {0};
        if (recon_verify(&cli->reader, stream, show_problem, show_progress, cli, &result, &error))
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        cli_progress(cli, NULL);
        if (cli->form == OUTPUT_JSON) {
                putchar('{');
                print_name(stream);
                printf(",\"frames\":%" PRIu64 ",\"events\":%" PRIu64 ",\"images\":%" PRIu64
                       ",\"problems\":%" PRIu64 "}\n",
                    result.frames, result.events, result.images, result.problems);
        } else {
                printf("%s:%s %s: %" PRIu64 " frames, %" PRIu64 " events, %" PRIu64 " images: %s\n",
                    stream->name.exchange, stream->name.symbol, stream_kind_name(stream->name.kind),
                    result.frames, result.events, result.images,
                    result.problems ? "DAMAGED" : "sound");
        }
        return 0;
}

static void show_symbol_problem(uint32_t number, int64_t from_ns, const char *text, void *user)
{
        struct cli *cli = user;
        char from[TIME_TEXT_SIZE];
        if (cli->form == OUTPUT_JSON) {
                printf("{\"problem\":");
                print_json_text(text);
                printf(",\"table\":\"symbols\",\"number\":%" PRIu32 ",\"from_ns\":%" PRId64 "}\n",
                    number, from_ns);
        } else {
                printf("symbols number %" PRIu32 " from %s: %s\n", number,
                    time_format(from_ns, from), text);
        }
        cli->worst = EXIT_FAILED;
}

static int verify_symbols(struct cli *cli)
{
        struct error error = {0};
        uint64_t problems;
        if (recon_verify_symbols(&cli->reader, show_symbol_problem, cli, &problems, &error))
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        return 0;
}

int command_verify(struct cli *cli)
{
        if (!cli->word_count && !cli->has_kind)
                verify_symbols(cli);
        return cli_each_stream(cli, verify_stream);
}
