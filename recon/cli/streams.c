/* Which streams the words of a command mean, and where they have gaps. */
#include <inttypes.h>
#include <stdio.h>
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

static const struct recon_stream *find_recorded(
    const struct cli *cli, const char *exchange, const char *symbol, uint8_t kind)
{
        const struct recon_stream *stream = reader_find(&cli->reader, exchange, symbol, kind);
        return stream && stream->recorded ? stream : NULL;
}

static bool kind_is_wanted(const struct cli *cli, uint8_t kind)
{
        return !cli->has_kind || kind == cli->kind;
}

static bool is_wanted(const struct cli *cli, const struct recon_stream *stream)
{
        return stream->recorded && kind_is_wanted(cli, stream->name.kind);
}

static int not_recorded(struct cli *cli, const char *exchange, const char *symbol)
{
        return cli_fail(cli, EXIT_FAILED,
            "%s:%s is not recorded in this store (obrebuild list shows what is)", exchange, symbol);
}

static int run_word(struct cli *cli, const char *word, cli_stream_cb run_cb)
{
        char exchange[32];
        const char *symbol = cli_split_symbol(word, exchange, sizeof(exchange));
        bool found = false;
        for (uint8_t kind = 0; kind < KINDS; kind++) {
                const struct recon_stream *stream =
                    kind_is_wanted(cli, kind) ? find_recorded(cli, exchange, symbol, kind) : NULL;
                if (stream)
                        run_cb(cli, stream);
                found |= stream != NULL;
        }
        return found ? 0 : not_recorded(cli, exchange, symbol);
}

int cli_each_stream(struct cli *cli, cli_stream_cb run_cb)
{
        for (size_t i = 0; i < cli->word_count; i++)
                run_word(cli, cli->words[i], run_cb);
        for (size_t i = 0; i < cli->reader.stream_count && !cli->word_count; i++) {
                if (is_wanted(cli, &cli->reader.streams[i]))
                        run_cb(cli, &cli->reader.streams[i]);
        }
        return cli->worst;
}

static int run_book_word(struct cli *cli, const char *word, cli_stream_cb run_cb)
{
        char exchange[32];
        const char *symbol = cli_split_symbol(word, exchange, sizeof(exchange));
        const struct recon_stream *stream = NULL;
        if (kind_is_wanted(cli, KIND_L3))
                stream = find_recorded(cli, exchange, symbol, KIND_L3);
        if (!stream && kind_is_wanted(cli, KIND_L2))
                stream = find_recorded(cli, exchange, symbol, KIND_L2);
        if (stream)
                return run_cb(cli, stream);
        if (!cli->has_kind && find_recorded(cli, exchange, symbol, KIND_TRADES))
                return cli_fail(cli, EXIT_FAILED,
                    "%s:%s: its trades are recorded, its book is not: obrebuild trades %s:%s",
                    exchange, symbol, exchange, symbol);
        return not_recorded(cli, exchange, symbol);
}

int cli_each_book(struct cli *cli, cli_stream_cb run_cb)
{
        if (cli->has_kind && cli->kind == KIND_TRADES)
                return cli_fail(cli, EXIT_USAGE,
                    "--kind trades: trades have no book; they are what obrebuild trades SYM gives");
        for (size_t i = 0; i < cli->word_count; i++)
                run_book_word(cli, cli->words[i], run_cb);
        for (size_t i = 0; i < cli->reader.stream_count && !cli->word_count; i++) {
                const struct recon_stream *stream = &cli->reader.streams[i];
                if (stream->name.kind != KIND_TRADES && is_wanted(cli, stream))
                        run_cb(cli, stream);
        }
        return cli->worst;
}

void cli_tell_gaps(struct cli *cli, const struct recon_stream *stream)
{
        const struct stream_name *name = &stream->name;
        bool receive = cli->clock == CLOCK_RECEIVE;
        struct gap_list gaps;
        if (recon_gaps(&cli->reader, stream, &gaps))
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
