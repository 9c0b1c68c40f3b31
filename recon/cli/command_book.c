/* obrebuild [--at TS|-] [SYM...]: the book at a time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "recon/cli/cli.h"

static struct recon_book book; /* kept from one time to the next: its memory is used again */
static size_t depth = SIZE_MAX;
static bool at_given;
static int64_t at_ns;

static int show_book(struct cli *cli, struct merge *stream)
{
        struct error error = {0};
        size_t source;
        int64_t at = at_given ? at_ns : merge_end(stream, cli->clock);
        if (merge_book_at(stream, at, cli->clock, &book, &source, &error))
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        print_book(cli, stream, source, &book, depth, options_value(cli->options, "--levels"));
        if (book.status != STATUS_OK)
                cli_incomplete(cli);
        return 0;
}

/* What is asked for lies beyond what was known of the record: a logger may have gone on since. */
static bool record_may_have_grown(const struct cli *cli)
{
        for (size_t i = 0; i < cli->stream_count; i++) {
                if (merge_end(cli->streams[i], cli->clock) < at_ns)
                        return true;
        }
        return !cli->stream_count; /* none was asked for since it was read */
}

static int show_line(struct cli *cli, const char *line)
{
        if (time_parse(line, &at_ns))
                return cli_fail(cli, EXIT_USAGE, "\"%s\" on stdin: not a time", line);
        at_given = true;
        if (record_may_have_grown(cli) && cli_refresh(cli))
                return cli->worst;
        cli_each_book(cli, show_book);
        fflush(stdout);
        return 0;
}

static void skip_line(void)
{
        int character;
        do
                character = getchar();
        while (character != '\n' && character != EOF);
}

static void show_each_line(struct cli *cli)
{
        char line[128];
        while (fgets(line, sizeof(line), stdin)) {
                size_t size = strcspn(line, "\r\n");
                if (!line[size])
                        skip_line(); /* longer than any time is */
                line[size] = '\0';
                if (*line)
                        show_line(cli, line);
        }
}

static int read_depth(struct cli *cli)
{
        const char *text = options_value(cli->options, "--depth");
        char *end;
        if (!text)
                return 0;
        errno = 0;
        depth = strtoul(text, &end, 10);
        if (errno || *end || *text < '0' || *text > '9')
                return cli_fail(cli, EXIT_USAGE, "--depth %s: allowed is a number", text);
        return 0;
}

int command_book(struct cli *cli)
{
        const char *at = options_value(cli->options, "--at");
        if (read_depth(cli))
                return cli->worst;
        if (at && strcmp(at, "-") && time_parse(at, &at_ns))
                return cli_fail(
                    cli, EXIT_USAGE, "--at %s: allowed is RFC 3339, Unix time, or - for stdin", at);
        at_given = at && strcmp(at, "-");
        recon_book_init(&book);
        if (cli->form == OUTPUT_CSV)
                printf(
                    "%sexchange,symbol,at,event_time_ns,last_id,status,side,level,price,quantity,"
                    "order_id\n",
                    cli->source_count > 1 ? "recorder," : "");
        if (at && !at_given)
                show_each_line(cli);
        else
                cli_each_book(cli, show_book);
        recon_book_deinit(&book);
        return cli->worst;
}
