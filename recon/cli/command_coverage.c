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

/* The feeds that the records come from, each with its recorder. */
struct feeds {
        struct source_list lists[MERGE_SOURCES_MAX];
        size_t count;
};

static void print_source_json(const struct recon_source *source, const char *recorder)
{
        printf("{\"feed\":");
        print_json_text(source->feed);
        printf(",\"from_receive_ns\":%" PRId64 ",\"note\":", source->from_receive_ns);
        if (*source->note)
                print_json_text(source->note);
        else
                printf("null");
        print_recorder(recorder);
        putchar('}');
}

static void print_feeds_json(
    const struct cli *cli, const struct merge *stream, const struct feeds *feeds)
{
        const char *before = "";
        for (size_t i = 0; i < feeds->count; i++) {
                for (size_t j = 0; j < feeds->lists[i].count; j++) {
                        printf("%s", before);
                        print_source_json(
                            &feeds->lists[i].sources[j], cli_recorder(cli, stream, i));
                        before = ",";
                }
        }
}

static void print_ranges_json(const struct merge *stream, const struct merge_coverage *merged)
{
        printf(",\"recorders\":[");
        for (size_t i = 0; i < merged->range_count; i++) {
                const struct merge_range *range = &merged->ranges[i];
                printf(i ? ",{\"recorder\":" : "{\"recorder\":");
                print_json_text(stream->sources[range->source].recorder);
                printf(",\"from_ns\":%" PRId64 ",\"to_ns\":%" PRId64 "}", range->from_ns,
                    range->to_ns);
        }
        putchar(']');
}

static void print_json(const struct cli *cli, const struct merge *stream,
    const struct merge_coverage *merged, const struct feeds *feeds)
{
        const struct coverage *coverage = &merged->coverage;
        putchar('{');
        print_name(&stream->name);
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
        print_feeds_json(cli, stream, feeds);
        putchar(']');
        if (cli->source_count > 1)
                print_ranges_json(stream, merged);
        printf("}\n");
}

static void print_feed(const struct recon_source *source, const char *recorder)
{
        char from[TIME_TEXT_SIZE];
        if (!*source->feed && !*source->note)
                return;
        printf("    feed %s from %s", source->feed, time_format(source->from_receive_ns, from));
        if (recorder)
                printf(" of recorder %s", recorder);
        printf("%s%s\n", *source->note ? ": " : "", source->note);
}

static void print_gap(const struct gap_record *gap)
{
        char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
        printf("    %-10s %s (id %" PRId64 ") to %s", gap_cause_name(gap->cause),
            time_format(gap->from_time_ns, from), gap->from_id,
            gap->open ? "now" : time_format(gap->to_time_ns, to));
        if (!gap->open)
                printf(" (id %" PRId64 ")", gap->to_id);
        printf("%s%s\n", *gap->detail ? "  " : "", gap->detail);
}

static void print_table(const struct cli *cli, const struct merge *stream,
    const struct merge_coverage *merged, const struct feeds *feeds)
{
        const struct coverage *coverage = &merged->coverage;
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
        for (size_t i = 0; i < feeds->count; i++) {
                for (size_t j = 0; j < feeds->lists[i].count; j++)
                        print_feed(&feeds->lists[i].sources[j], cli_recorder(cli, stream, i));
        }
        for (size_t i = 0; i < merged->range_count && cli->source_count > 1; i++)
                printf("    recorder %s from %s to %s\n",
                    stream->sources[merged->ranges[i].source].recorder,
                    time_format(merged->ranges[i].from_ns, from),
                    time_format(merged->ranges[i].to_ns, to));
        for (size_t i = 0; i < coverage->gaps.count; i++)
                print_gap(&coverage->gaps.gaps[i]);
}

static void print_csv(const struct merge *stream, const struct coverage *coverage)
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

static void read_feeds(struct cli *cli, const struct merge *stream, struct feeds *feeds)
{
        feeds->count = stream->count;
        for (size_t i = 0; i < stream->count; i++) {
                const struct merge_source *source = &stream->sources[i];
                if (recon_sources(source->reader, source->stream, &feeds->lists[i]))
                        cli_fail(cli, EXIT_FAILED, "%s:%s: its epoch records cannot be read",
                            stream->name.exchange, stream->name.symbol);
        }
}

static int show_coverage(struct cli *cli, struct merge *stream)
{
        struct merge_coverage merged;
        struct feeds feeds;
        struct error error = {0};
        if (merge_coverage(stream, cli->from_ns, cli->to_ns, &merged, &error)) {
                merge_coverage_deinit(&merged);
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        }
        read_feeds(cli, stream, &feeds);
        if (cli->form == OUTPUT_JSON)
                print_json(cli, stream, &merged, &feeds);
        else if (cli->form == OUTPUT_CSV)
                print_csv(stream, &merged.coverage);
        else
                print_table(cli, stream, &merged, &feeds);
        for (size_t i = 0; i < feeds.count; i++)
                source_list_deinit(&feeds.lists[i]);
        if (merged.coverage.gaps.count)
                cli_incomplete(cli);
        merge_coverage_deinit(&merged);
        return 0;
}

int command_coverage(struct cli *cli)
{
        if (cli->form == OUTPUT_CSV)
                printf("exchange,symbol,kind,cause,from_id,from_time_ns,to_id,to_time_ns\n");
        return cli_each_stream(cli, show_coverage);
}
