/* obrebuild list: what is recorded. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "recon/cli/cli.h"

static void list_json(const struct cli *cli, const struct merge_source *source)
{
        (void)cli;
        const struct recon_stream *stream = source->stream;
        const struct mark_record *mark = &stream->mark;
        printf("{\"recorder\":");
        print_json_text(source->recorder);
        putchar(',');
        print_name(&stream->name);
        putchar(',');
        print_time_or_null("first_time_ns", mark->events, mark->first_event_time_ns);
        putchar(',');
        print_time_or_null("last_time_ns", mark->last_position, mark->last_event_time_ns);
        putchar(',');
        print_time_or_null("recorded_until_ns", mark->last_position, mark->recorded_until_ns);
        printf(",\"events\":%" PRIu64 ",\"level_updates\":%" PRIu64 ",\"images\":%" PRIu64
               ",\"image_bytes\":%" PRIu64 ",\"change_bytes\":%" PRIu64 ",\"gaps\":%" PRIu64 "}\n",
            mark->events, mark->level_updates, mark->images, mark->image_bytes, mark->change_bytes,
            mark->gaps);
}

static void list_csv(const struct cli *cli, const struct merge_source *source)
{
        (void)cli;
        const struct recon_stream *stream = source->stream;
        const struct mark_record *mark = &stream->mark;
        printf("%s,%s,%s,%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
               ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
            source->recorder, stream->name.exchange, stream->name.symbol,
            stream_kind_name(stream->name.kind), mark->first_event_time_ns,
            mark->last_event_time_ns, mark->recorded_until_ns, mark->events, mark->level_updates,
            mark->images, mark->image_bytes, mark->change_bytes, mark->gaps);
}

static void list_table(const struct cli *cli, const struct merge_source *source)
{
        const struct recon_stream *stream = source->stream;
        const struct mark_record *mark = &stream->mark;
        char name[128], first[TIME_TEXT_SIZE] = "-", last[TIME_TEXT_SIZE] = "-";
        snprintf(name, sizeof(name), "%s:%s", stream->name.exchange, stream->name.symbol);
        if (mark->events)
                time_format(mark->first_event_time_ns, first);
        if (mark->last_position)
                time_format(mark->recorded_until_ns, last);
        if (cli->source_count > 1)
                printf("%-12s ", source->recorder);
        printf("%-24s %-6s %-28s %-28s %10" PRIu64 " %12" PRIu64 " %7" PRIu64 " %12" PRIu64
               " %12" PRIu64 " %5" PRIu64 "\n",
            name, stream_kind_name(stream->name.kind), first, last, mark->events,
            mark->level_updates, mark->images, mark->image_bytes, mark->change_bytes, mark->gaps);
}

/* A line for each record of a stream. */
static int list_stream(struct cli *cli, struct merge *stream)
{
        for (size_t i = 0; i < stream->count; i++) {
                if (cli->form == OUTPUT_JSON)
                        list_json(cli, &stream->sources[i]);
                else if (cli->form == OUTPUT_CSV)
                        list_csv(cli, &stream->sources[i]);
                else
                        list_table(cli, &stream->sources[i]);
        }
        return 0;
}

int command_list(struct cli *cli)
{
        if (cli->form == OUTPUT_CSV)
                printf("recorder,exchange,symbol,kind,first_time_ns,last_time_ns,recorded_until_ns,"
                       "events,level_updates,"
                       "images,image_bytes,change_bytes,gaps\n");
        if (cli->form == OUTPUT_TABLE && cli->source_count > 1)
                printf("%-12s ", "recorder");
        if (cli->form == OUTPUT_TABLE)
                printf("%-24s %-6s %-28s %-28s %10s %12s %7s %12s %12s %5s\n", "stream", "kind",
                    "first event", "recorded until", "events", "levels", "images", "image bytes",
                    "change bytes", "gaps");
        return cli_each_stream(cli, list_stream);
}
