/* obrebuild verify: read everything, check everything. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "recon/cli/cli.h"

static const char *whose; /* what is looked at now, where there are several recorders */

static void print_whose(void)
{
        if (whose)
                printf("%s: ", whose);
}

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
                print_name(&stream->name);
                print_recorder(whose);
                printf(",\"day\":\"%s\",\"position\":%" PRIu64 "}\n", day_text, position);
        } else {
                print_whose();
                printf("%s:%s %s position %" PRIu64 ": %s\n", stream->name.exchange,
                    stream->name.symbol, day_text, position, text);
        }
        cli->worst = EXIT_FAILED;
}

static void show_progress(uint64_t events, void *user)
{
        cli_progress(user, "verify: %" PRIu64 " events", events);
}

static int verify_record(struct cli *cli, struct reader *reader, const struct recon_stream *stream)
{
        struct verify_result result;
        struct error error = {0};
        if (recon_verify(reader, stream, show_problem, show_progress, cli, &result, &error))
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        cli_progress(cli, NULL);
        if (cli->form == OUTPUT_JSON) {
                putchar('{');
                print_name(&stream->name);
                print_recorder(whose);
                printf(",\"frames\":%" PRIu64 ",\"events\":%" PRIu64 ",\"images\":%" PRIu64
                       ",\"problems\":%" PRIu64 "}\n",
                    result.frames, result.events, result.images, result.problems);
        } else {
                print_whose();
                printf("%s:%s %s: %" PRIu64 " frames, %" PRIu64 " events, %" PRIu64 " images: %s\n",
                    stream->name.exchange, stream->name.symbol, stream_kind_name(stream->name.kind),
                    result.frames, result.events, result.images,
                    result.problems ? "DAMAGED" : "sound");
        }
        return 0;
}

static int verify_stream(struct cli *cli, struct merge *stream)
{
        for (size_t i = 0; i < stream->count; i++) {
                whose = cli_recorder(cli, stream, i);
                verify_record(cli, stream->sources[i].reader, stream->sources[i].stream);
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
                print_recorder(whose);
                printf(",\"table\":\"symbols\",\"number\":%" PRIu32 ",\"from_ns\":%" PRId64 "}\n",
                    number, from_ns);
        } else {
                print_whose();
                printf("symbols number %" PRIu32 " from %s: %s\n", number,
                    time_format(from_ns, from), text);
        }
        cli->worst = EXIT_FAILED;
}

static int verify_symbols(struct cli *cli, struct cli_source *source)
{
        struct error error = {0};
        uint64_t problems;
        whose = cli->source_count > 1 ? source->recorder : NULL;
        if (recon_verify_symbols(&source->reader, show_symbol_problem, cli, &problems, &error))
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        return 0;
}

int command_verify(struct cli *cli)
{
        for (size_t i = 0; i < cli->source_count && !cli->word_count && !cli->has_kind; i++)
                verify_symbols(cli, &cli->sources[i]);
        return cli_each_stream(cli, verify_stream);
}
