/* Which streams the words of a command mean, and where they have gaps. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recon/cli/cli.h"

const char *cli_split_symbol(const char *word, char *ret_exchange, size_t size)
{
        const char *colon = strchr(word, ':');
        if (colon)
                snprintf(ret_exchange, size, "%.*s", (int)(colon - word), word);
        else
                snprintf(ret_exchange, size, "binance");
        return colon ? colon + 1 : word;
}

const char *cli_recorder(const struct cli *cli, const struct merge *stream, size_t source)
{
        return cli->source_count > 1 ? stream->sources[source].recorder : NULL;
}

static struct merge *find_known(
    const struct cli *cli, const char *exchange, const char *symbol, uint8_t kind)
{
        for (size_t i = 0; i < cli->stream_count; i++) {
                const struct stream_name *name = &cli->streams[i]->name;
                if (name->kind == kind && !strcmp(name->symbol, symbol) &&
                    !strcmp(name->exchange, exchange))
                        return cli->streams[i];
        }
        return NULL;
}

struct merge *cli_find_stream(
    struct cli *cli, const char *exchange, const char *symbol, uint8_t kind)
{
        struct merge *known = find_known(cli, exchange, symbol, kind), found;
        if (known)
                return known;
        merge_init(&found);
        for (size_t i = 0; i < cli->source_count; i++) {
                struct cli_source *source = &cli->sources[i];
                const struct recon_stream *stream =
                    reader_find(&source->reader, exchange, symbol, kind);
                if (stream && stream->recorded)
                        merge_add(&found, &source->reader, source->recorder, stream);
        }
        if (!found.count)
                return NULL;
        known = memory_new(sizeof(*known));
        *known = found;
        cli->streams = memory_resize(cli->streams, (cli->stream_count + 1) * sizeof(*cli->streams));
        return cli->streams[cli->stream_count++] = known;
}

void cli_forget_streams(struct cli *cli)
{
        for (size_t i = 0; i < cli->stream_count; i++) {
                merge_deinit(cli->streams[i]);
                free(cli->streams[i]);
        }
        free(cli->streams);
        cli->streams = NULL;
        cli->stream_count = 0;
}

static bool kind_is_wanted(const struct cli *cli, uint8_t kind)
{
        return !cli->has_kind || kind == cli->kind;
}

/* Run it for that stream, if it is recorded and of a kind that is wanted. */
static bool run_stream(
    struct cli *cli, const char *exchange, const char *symbol, uint8_t kind, cli_stream_cb run_cb)
{
        struct merge *stream =
            kind_is_wanted(cli, kind) ? cli_find_stream(cli, exchange, symbol, kind) : NULL;
        if (stream)
                run_cb(cli, stream);
        return stream;
}

static int not_recorded(struct cli *cli, const char *exchange, const char *symbol)
{
        return cli_fail(cli, EXIT_FAILED,
            "%s:%s is not recorded in this store (obrebuild list shows what is)", exchange, symbol);
}

static int compare_names(const struct stream_name *left, const struct stream_name *right)
{
        int order = strcmp(left->exchange, right->exchange);
        order = order ? order : strcmp(left->symbol, right->symbol);
        return order ? order : left->kind - right->kind;
}

/* The next stream behind @last (NULL: the first) that anybody has, in order. */
static const struct stream_name *next_name(const struct cli *cli, const struct stream_name *last)
{
        const struct stream_name *next = NULL;
        for (size_t i = 0; i < cli->source_count; i++) {
                const struct reader *reader = &cli->sources[i].reader;
                size_t low = 0, count = reader->stream_count; /* they are sorted */
                while (count) {
                        size_t half = count / 2;
                        bool behind =
                            !last || compare_names(&reader->streams[low + half].name, last) > 0;
                        low = behind ? low : low + half + 1;
                        count = behind ? half : count - half - 1;
                }
                if (low < reader->stream_count &&
                    (!next || compare_names(&reader->streams[low].name, next) < 0))
                        next = &reader->streams[low].name;
        }
        return next;
}

static void run_all(struct cli *cli, bool books, cli_stream_cb run_cb)
{
        const struct stream_name *name = NULL;
        while ((name = next_name(cli, name))) {
                if (!books || name->kind != KIND_TRADES)
                        run_stream(cli, name->exchange, name->symbol, name->kind, run_cb);
        }
}

static void run_word(struct cli *cli, const char *word, cli_stream_cb run_cb)
{
        char exchange[32];
        const char *symbol = cli_split_symbol(word, exchange, sizeof(exchange));
        bool found = false;
        for (uint8_t kind = 0; kind < KINDS; kind++)
                found |= run_stream(cli, exchange, symbol, kind, run_cb);
        if (!found)
                not_recorded(cli, exchange, symbol);
}

int cli_each_stream(struct cli *cli, cli_stream_cb run_cb)
{
        for (size_t i = 0; i < cli->word_count; i++)
                run_word(cli, cli->words[i], run_cb);
        if (!cli->word_count)
                run_all(cli, false, run_cb);
        return cli->worst;
}

static int run_book_word(struct cli *cli, const char *word, cli_stream_cb run_cb)
{
        char exchange[32];
        const char *symbol = cli_split_symbol(word, exchange, sizeof(exchange));
        if (run_stream(cli, exchange, symbol, KIND_L3, run_cb) ||
            run_stream(cli, exchange, symbol, KIND_L2, run_cb))
                return 0;
        if (cli->has_kind || !cli_find_stream(cli, exchange, symbol, KIND_TRADES))
                return not_recorded(cli, exchange, symbol);
        return cli_fail(cli, EXIT_FAILED,
            "%s:%s: its trades are recorded, its book is not: obrebuild trades %s:%s", exchange,
            symbol, exchange, symbol);
}

int cli_each_book(struct cli *cli, cli_stream_cb run_cb)
{
        if (cli->has_kind && cli->kind == KIND_TRADES)
                return cli_fail(cli, EXIT_USAGE,
                    "--kind trades: trades have no book; they are what obrebuild trades SYM gives");
        for (size_t i = 0; i < cli->word_count; i++)
                run_book_word(cli, cli->words[i], run_cb);
        if (!cli->word_count)
                run_all(cli, true, run_cb);
        return cli->worst;
}

void cli_tell_gaps(struct cli *cli, struct merge *stream)
{
        const struct stream_name *name = &stream->name;
        bool receive = cli->clock == CLOCK_RECEIVE;
        struct gap_list gaps;
        if (merge_list_gaps(stream, &gaps, NULL))
                cli_fail(cli, EXIT_FAILED, "%s:%s: its gap records cannot be read", name->exchange,
                    name->symbol);
        for (size_t i = 0; i < gaps.count; i++) {
                const struct gap_record *gap = &gaps.gaps[i];
                int64_t from_ns = receive ? gap->from_receive_ns : gap->from_time_ns,
                        to_ns = receive ? gap->to_receive_ns : gap->to_time_ns;
                if (from_ns < cli->to_ns && (gap->open || to_ns > cli->from_ns))
                        cli_fail(cli, EXIT_INCOMPLETE,
                            "%s:%s: the range has a gap (%s) after id %" PRId64, name->exchange,
                            name->symbol, gap_cause_name(gap->cause), gap->from_id);
        }
        gap_list_deinit(&gaps);
}
