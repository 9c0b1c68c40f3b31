/* obrebuild archive: code levels that lie back anew, smaller; orders and trades stay as they are.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "recon/archive.h"
#include "recon/cli/cli.h"

static struct archive_result result;
static int64_t before_ns;
static size_t of_levels, of_others; /* streams that were asked for */

static void progress_cb(uint64_t frames, void *user)
{
        cli_progress(user, "archive: %" PRIu64 " frames", frames);
}

static void problem_cb(
    const struct recon_stream *stream, uint32_t day, uint64_t position, void *user)
{
        char text[DAY_TEXT_SIZE];
        cli_fail(user, EXIT_FAILED,
            "%s:%s: %s, from position %" PRIu64
            " on: damaged, left as it is; obrebuild verify tells more",
            stream->name.exchange, stream->name.symbol, day_format(day, text), position);
}

static int archive_stream(struct cli *cli, struct merge *stream)
{
        struct error error = {0};
        struct archive_options options = {before_ns, progress_cb, problem_cb, cli};
        if (stream->name.kind != KIND_L2) {
                of_others++;
                return 0;
        }
        of_levels++;
        if (recon_archive(
                stream->sources[0].reader, stream->sources[0].stream, &options, &result, &error))
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        return 0;
}

int command_archive(struct cli *cli)
{
        const char *text = options_value(cli->options, "--before");
        before_ns = INT64_MAX;
        if (text && time_parse(text, &before_ns))
                return cli_fail(cli, EXIT_USAGE,
                    "--before %s: allowed is RFC 3339 like 2024-08-09T00:00:00Z, or Unix time",
                    text);
        cli_each_stream(cli, archive_stream);
        cli_progress(cli, NULL);
        if (of_others && !of_levels)
                cli_fail(cli, EXIT_DONE, "orders and trades stay as they were written");
        if (cli->form == OUTPUT_JSON)
                printf("{\"frames\":%" PRIu64 ",\"images_dropped\":%" PRIu64
                       ",\"bytes_before\":%" PRIu64 ",\"bytes_after\":%" PRIu64 "}\n",
                    result.frames, result.images_dropped, result.bytes_before, result.bytes_after);
        else
                printf("%" PRIu64 " frames coded anew, %" PRIu64 " images dropped: %" PRIu64
                       " bytes became %" PRIu64 "\n",
                    result.frames, result.images_dropped, result.bytes_before, result.bytes_after);
        return cli->worst;
}
