/* obrebuild coverage: what a range holds and what it lacks. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "recon/cli/cli.h"

static void print_gap_json(const struct gap_record *gap)
{
        printf("{\"cause\":\"%s\",\"from_id\":%" PRId64 ",\"from_time_ns\":%" PRId64 ",",
            gap_cause_name(gap->cause), gap->from_id, gap->from_time_ns);
        print_time_or_null("to_id", !gap->open, gap->to_id);
        putchar(',');
        print_time_or_null("to_time_ns", !gap->open, gap->to_time_ns);
        if (*gap->detail) {
                printf(",\"detail\":");
                print_json_text(gap->detail);
        }
        putchar('}');
}

static void print_source_json(const struct recon_source *source)
{
        printf("{\"feed\":");
        print_json_text(source->feed);
        printf(",\"from_receive_ns\":%" PRId64 ",\"note\":", source->from_receive_ns);
        if (*source->note)
                print_json_text(source->note);
        else
                printf("null");
        putchar('}');
}

static void print_json(const struct recon_stream *stream, const struct coverage *coverage,
    const struct source_list *sources)
{
        putchar('{');
        print_name(stream);
        printf(",\"proof\":\"%s\",\"from_ns\":%" PRId64 ",\"to_ns\":%" PRId64
               ",\"covered_ns\":%" PRId64 ",\"corrections\":%" PRIu64 ",\"gaps\":[",
            stream->name.sequenced ? "sequence" : "none", coverage->from_ns, coverage->to_ns,
            coverage->covered_ns, coverage->corrections);
        for (size_t i = 0; i < coverage->gaps.count; i++) {
                if (i)
                        putchar(',');
                print_gap_json(&coverage->gaps.gaps[i]);
        }
        printf("],\"sources\":[");
        for (size_t i = 0; i < sources->count; i++) {
                if (i)
                        putchar(',');
                print_source_json(&sources->sources[i]);
        }
        printf("]}\n");
}

static void print_table(const struct recon_stream *stream, const struct coverage *coverage,
    const struct source_list *sources)
{
        char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
        int64_t length = coverage->to_ns - coverage->from_ns;
        /* in thousandths of a percent; no floating point where it is not needed */
        int64_t share =
            length > 0 ? (int64_t)((__int128)coverage->covered_ns * 100000 / length) : 0;
        printf("%s:%s %s  %s to %s  %" PRId64 ".%03" PRId64 " %% covered  %" PRIu64
               " corrections  %zu gaps  proof: %s\n",
            stream->name.exchange, stream->name.symbol, stream_kind_name(stream->name.kind),
            time_format(coverage->from_ns, from), time_format(coverage->to_ns, to), share / 1000,
            share % 1000, coverage->corrections, coverage->gaps.count,
            stream->name.sequenced ? "sequence" : "none, the exchange does not number its events");
        for (size_t i = 0; i < sources->count; i++) {
                const struct recon_source *source = &sources->sources[i];
                if (*source->feed || *source->note)
                        printf("    feed %s from %s%s%s\n", source->feed,
                            time_format(source->from_receive_ns, from), *source->note ? ": " : "",
                            source->note);
        }
        for (size_t i = 0; i < coverage->gaps.count; i++) {
                const struct gap_record *gap = &coverage->gaps.gaps[i];
                printf("    %-10s %s (id %" PRId64 ") to %s", gap_cause_name(gap->cause),
                    time_format(gap->from_time_ns, from), gap->from_id,
                    gap->open ? "now" : time_format(gap->to_time_ns, to));
                if (!gap->open)
                        printf(" (id %" PRId64 ")", gap->to_id);
                printf("%s%s\n", *gap->detail ? "  " : "", gap->detail);
        }
}

static void print_csv(const struct recon_stream *stream, const struct coverage *coverage)
{
        for (size_t i = 0; i < coverage->gaps.count; i++) {
                const struct gap_record *gap = &coverage->gaps.gaps[i];
                printf("%s,%s,%s,%s,%" PRId64 ",%" PRId64 ",", stream->name.exchange,
                    stream->name.symbol, stream_kind_name(stream->name.kind),
                    gap_cause_name(gap->cause), gap->from_id, gap->from_time_ns);
                if (gap->open)
                        printf(",\n");
                else
                        printf("%" PRId64 ",%" PRId64 "\n", gap->to_id, gap->to_time_ns);
        }
}

static int show_coverage(struct cli *cli, const struct recon_stream *stream)
{
        struct coverage coverage;
        struct source_list sources;
        struct error error = {0};
        if (recon_coverage(&cli->reader, stream, cli->from_ns, cli->to_ns, &coverage, &error)) {
                gap_list_deinit(&coverage.gaps);
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        }
        if (recon_sources(&cli->reader, stream, &sources))
                cli_fail(cli, EXIT_FAILED, "%s:%s: its epoch records cannot be read",
                    stream->name.exchange, stream->name.symbol);
        if (cli->form == OUTPUT_JSON)
                print_json(stream, &coverage, &sources);
        else if (cli->form == OUTPUT_CSV)
                print_csv(stream, &coverage);
        else
                print_table(stream, &coverage, &sources);
        source_list_deinit(&sources);
        if (coverage.gaps.count)
                cli_incomplete(cli);
        gap_list_deinit(&coverage.gaps);
        return 0;
}

int command_coverage(struct cli *cli)
{
        if (cli->form == OUTPUT_CSV)
                printf("exchange,symbol,kind,cause,from_id,from_time_ns,to_id,to_time_ns\n");
        return cli_each_stream(cli, show_coverage);
}
