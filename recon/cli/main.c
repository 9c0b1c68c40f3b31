/* obrebuild: the exact book at any time, and how complete the record is. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "recon/cli/cli.h"

static const struct option_spec option_specs[] = {
    {"--env-file", "FILE", "read settings from FILE (lines NAME=value)"},
    {"--store", "PATH", "store directory (setting STORE)"},
    {"--mongodb", "URI",
        "read from a MongoDB database in place of a store: host:port or mongodb://...; the records "
        "of several recorders are read as one"},
    {"--recorder", "NAME", "only what this recorder has"},
    {"--at", "TS",
        "the book at this time; - reads a time a line from stdin; default: the last recorded "
        "moment; symbols: what they were at this time"},
    {"--kind", "K",
        "only streams of this kind: l2 (levels), l3 (orders), trades; default for a book: the "
        "symbol's l3, else its l2"},
    {"--depth", "N", "only the best N prices a side; sample: how many are added up (default 1)"},
    {"--levels", NULL, "an l3 book as levels (an l2 book is levels already)"},
    {"--clock", "CLOCK", "exchange (default) or receive: the clock that times mean"},
    {"--output", "FORM", "table (default), json (one object a line) or csv"},
    {"--from", "TS", "begin of a range, included"},
    {"--to", "TS", "end of a range, not included"},
    {"--speed", "X", "replay: X times as fast as it was, or max (default)"},
    {"--digest", NULL, "replay: add a digest of the whole book after each event"},
    {"--every", "DUR", "sample: the time from one point to the next, like 100ms, 10s, 1h"},
    {"--before", "TS",
        "prune: drop the days that end before this time; archive: only what was received before"},
};

enum reach {
        REACH_ALL,   /* the local store, or a database */
        REACH_LOCAL, /* the local store alone */
        REACH_BOTH,  /* one beside the other: the command opens them */
};

struct command {
        struct command_spec spec;
        int (*run)(struct cli *cli);
        bool any_words; /* symbols */
        enum store_mode mode;
        enum reach reach;
};

static const struct command commands[] = {
    {{"", "[--at TS|-] [SYM...] [--kind K] [--depth N] [--levels] [--clock C] [--output F]",
         "the book at a time, of each symbol"},
        command_book, true, STORE_READ, REACH_ALL},
    {{"list", "list", "what is recorded, a stream a line, with its times, counts and bytes"},
        command_list, false, STORE_READ, REACH_ALL},
    {{"coverage", "coverage [SYM...] [--from TS] [--to TS]",
         "what a range holds and what it lacks"},
        command_coverage, true, STORE_READ, REACH_ALL},
    {{"verify", "verify [SYM...]", "read everything, check everything; exit 1 for damage"},
        command_verify, true, STORE_READ, REACH_ALL},
    {{"replay", "replay SYM [--from TS] [--to TS] [--kind K] [--speed X|max] [--digest]",
         "every event of a range as it was sent; of orders with the levels that it changed"},
        command_replay, true, STORE_READ, REACH_ALL},
    {{"trades", "trades SYM [--from TS] [--to TS] [--clock C] [--output F]",
         "every trade of a range, with the side of its taker"},
        command_trades, true, STORE_READ, REACH_ALL},
    {{"sample", "sample SYM --every DUR [--from TS] [--to TS] [--depth N]",
         "best bid and ask, and depth, on a grid of times"},
        command_sample, true, STORE_READ, REACH_ALL},
    {{"symbols", "symbols [SYM...] [--at TS]",
         "what each symbol was, and when: currencies, tick, lot, status"},
        command_symbols, true, STORE_READ, REACH_ALL},
    {{"notes", "notes [SYM...] [--from TS] [--to TS]",
         "remarks beside the record: the clock's steps and state, delays of a stream's events"},
        command_notes, true, STORE_READ, REACH_ALL},
    {{"archive", "archive [SYM...] [--before TS]",
         "code levels that lie back anew, smaller; beside a running logger, stopped at any time"},
        command_archive, true, STORE_MANAGE, REACH_LOCAL},
    {{"prune", "prune --before TS", "drop whole days, leaving a mark that coverage shows"},
        command_prune, false, STORE_MANAGE, REACH_LOCAL},
    {{"import", "import FILE.bson... [SYM] | import --mongodb URI [SYM...]",
         "documents of the older system's layout into the local store, which it makes"},
        command_import, true, STORE_WRITE, REACH_BOTH},
    {{"pull", "pull --mongodb URI [SYM...] [--recorder NAME] [--from TS] [--to TS]",
         "copy days of a record from a database into the local store, which it makes"},
        command_pull, true, STORE_READ, REACH_BOTH},
    {{"push", "push --mongodb URI [SYM...] [--from TS] [--to TS]",
         "copy days of the local store into a database"},
        command_push, true, STORE_READ, REACH_BOTH},
    {{"rederive", "rederive DIR", "make the store, a new one, from what RAW_CAPTURE kept in DIR"},
        command_rederive, true, STORE_READ, REACH_BOTH},
    {{"backup", "backup DIR", "copy the store, compactly, beside a running logger"}, command_backup,
        true, STORE_READ, REACH_LOCAL},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const char *const setting_names[] = {
    "USE_ENV_FILE", "STORE", "MONGODB_DATABASE", "MONGODB_PASSWORD"};

static const char *const secret_names[] = {"MONGODB_PASSWORD"}; /* for --mongodb alone */

static struct command_spec command_specs[COMMAND_COUNT];

static struct program_spec program = {
    .name = "obrebuild",
    .summary = "rebuild recorded order books",
    .description =
        "obrebuild gives back the exact order book at any time from the store that oblogger "
        "writes, lists and "
        "replays what is recorded, and proves how complete it is. It works beside a running "
        "oblogger.\n\n"
        "SYM is binance:BTCUSDT; BTCUSDT alone means binance. Without SYM every recorded book is "
        "meant. TS is RFC "
        "3339 (2024-08-09T00:00:00.5Z) or Unix time in s, ms, us or ns, told apart by its size. "
        "The book at TS is "
        "the one after the last event, in the order of the stream, whose time is not later.\n\n"
        "A symbol can have streams of three kinds: its book as levels (l2) or as orders (l3), and "
        "its trades. Where a book is asked for, SYM means its orders, or its levels if no orders "
        "are recorded; --kind says otherwise. coverage and verify take all kinds. An order is "
        "named by its id, or #n where ids were not kept (L3_IDS=off).\n\n"
        "taker_side of a trade is the side of the order that came second and took what rested in "
        "the book: buy means that it was bought from a resting ask. Exchanges write it in opposite "
        "ways: Binance's m is true where the buyer was the maker, hence the taker sold; side of "
        "Coinbase's match is that of the maker, the taker's is the other one.\n\n"
        "A database can hold the records of several recorders (--mongodb), who recorded the same "
        "side by side. They are read as one: each range comes from a recorder that has it, and the "
        "answer says from which (recorder). A gap is what none of them has. list and verify tell "
        "of each one by itself, --recorder makes one of them all that there is.\n\n"
        "Data goes to stdout, talk to stderr. Decimals are exact texts, never floating point.",
    .options = option_specs,
    .option_count = sizeof(option_specs) / sizeof(option_specs[0]),
    .commands = command_specs,
    .command_count = COMMAND_COUNT,
    .settings = setting_names,
    .setting_count = sizeof(setting_names) / sizeof(setting_names[0]),
    .exits = "  0  done\n"
             "  1  failed: unknown symbol, no store, damaged data\n"
             "  2  wrong usage or a wrong setting\n"
             "  3  incomplete: the time lies in a gap, beyond the end or before the first image\n"
             "     (rederive: lines of the capture are missing)\n",
};

/* Failed is worse than wrong words, and those than an incomplete answer. */
static int worse_of(int a, int b)
{
        static const int rank[] = {
            [EXIT_DONE] = 0, [EXIT_INCOMPLETE] = 1, [EXIT_USAGE] = 2, [EXIT_FAILED] = 3};
        return rank[a] > rank[b] ? a : b;
}

int cli_fail(struct cli *cli, int code, const char *format, ...)
{
        va_list args;
        cli_progress(cli, NULL);
        va_start(args, format);
        fputs("obrebuild: ", stderr);
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
        va_end(args);
        cli->worst = worse_of(cli->worst, code);
        return code;
}

void cli_incomplete(struct cli *cli)
{
        cli->worst = worse_of(cli->worst, EXIT_INCOMPLETE);
}

void cli_progress(const struct cli *cli, const char *format, ...)
{
        va_list args;
        if (!cli->progress)
                return;
        fputs("\r\033[K", stderr);
        if (format) {
                va_start(args, format);
                vfprintf(stderr, format, args);
                va_end(args);
        }
        fflush(stderr);
}

static int usage(struct cli *cli, const char *name, const char *value, const char *allowed)
{
        return cli_fail(cli, EXIT_USAGE, "%s %s: allowed is %s", name, value, allowed);
}

static int read_time(struct cli *cli, const char *name, int64_t *ret_time)
{
        const char *text = options_value(cli->options, name);
        if (text && time_parse(text, ret_time))
                return usage(cli, name, text, "RFC 3339 like 2024-08-09T00:00:00Z, or Unix time");
        return 0;
}

static int read_options(struct cli *cli)
{
        const char *form = options_value(cli->options, "--output"),
                   *clock = options_value(cli->options, "--clock");
        const char *kind = options_value(cli->options, "--kind");
        cli->from_ns = INT64_MIN;
        cli->to_ns = INT64_MAX;
        if (form && !strcmp(form, "json"))
                cli->form = OUTPUT_JSON;
        else if (form && !strcmp(form, "csv"))
                cli->form = OUTPUT_CSV;
        else if (form && strcmp(form, "table"))
                return usage(cli, "--output", form, "table, json or csv");
        if (clock && !strcmp(clock, "receive"))
                cli->clock = CLOCK_RECEIVE;
        else if (clock && strcmp(clock, "exchange"))
                return usage(cli, "--clock", clock, "exchange or receive");
        cli->has_kind = kind;
        if (kind && stream_kind_parse(kind, &cli->kind))
                return usage(cli, "--kind", kind, "l2, l3 or trades");
        const char *at = options_value(cli->options, "--at");
        int64_t ignored;
        int code = at && !strcmp(at, "-") ? 0 : read_time(cli, "--at", &ignored);
        code = code ? code : read_time(cli, "--from", &cli->from_ns);
        code = code ? code : read_time(cli, "--to", &cli->to_ns);
        if (!code && cli->from_ns > cli->to_ns)
                return cli_fail(cli, EXIT_USAGE, "--from is later than --to");
        return code;
}

static const struct command *find_command(const struct options *options)
{
        for (size_t i = 1; options->word_count && i < COMMAND_COUNT; i++) {
                if (!strcmp(options->words[0], commands[i].spec.name))
                        return &commands[i];
        }
        return &commands[0];
}

static int run_command(struct cli *cli, const struct command *command)
{
        int code = 0;
        if (command->reach == REACH_ALL && cli->mongodb)
                code = cli_open_mongodb(cli);
        else if (command->reach != REACH_BOTH)
                code = cli_open_local(cli, command->mode);
        if (!code)
                command->run(cli);
        cli_progress(cli, NULL);
        cli_close(cli);
        return cli->worst;
}

/* A database is read in place of the local store, by those that read. */
static int check_place(struct cli *cli, const struct command *command)
{
        if (!cli->mongodb)
                return 0;
        if (command->reach == REACH_BOTH)
                return 0;
        if (command->reach == REACH_LOCAL)
                return cli_fail(cli, EXIT_USAGE,
                    "%s works on a store of this machine: --mongodb is not for it",
                    command->spec.name);
        if (options_value(cli->options, "--store"))
                return cli_fail(
                    cli, EXIT_USAGE, "--store and --mongodb are both given: allowed is one");
        return 0;
}

static int run(struct cli *cli)
{
        const struct command *command = find_command(cli->options);
        size_t named = command != &commands[0];
        cli->words = cli->options->words + named;
        cli->word_count = cli->options->word_count - named;
        cli->progress = isatty(STDERR_FILENO);
        int code = read_options(cli);
        if (code)
                return code;
        if (cli->word_count && !command->any_words)
                return cli_fail(cli, EXIT_USAGE, "%s takes no words", command->spec.name);
        return check_place(cli, command) ? cli->worst : run_command(cli, command);
}

/* Settings, with the secret of a database only where one is asked for; and what stands above them.
 */
static int load_settings(struct cli *cli, struct settings **ret_settings)
{
        struct error error = {0};
        const char *path = options_value(cli->options, "--store");
        size_t secrets = cli->mongodb ? sizeof(secret_names) / sizeof(secret_names[0]) : 0;
        if (settings_load_some(ret_settings, options_value(cli->options, "--env-file"),
                secret_names, secrets, &error))
                return cli_fail(cli, EXIT_USAGE, "%s", error.text);
        if (!path || !settings_override(*ret_settings, "STORE", path, &error))
                return 0;
        settings_free(*ret_settings);
        return cli_fail(cli, EXIT_USAGE, "%s", error.text);
}

int main(int argc, char **argv)
{
        static struct options options;
        static struct cli cli = {.options = &options};
        struct settings *settings;
        struct error error = {0};
        for (size_t i = 0; i < COMMAND_COUNT; i++)
                command_specs[i] = commands[i].spec;
        int code = options_parse(&program, argc, argv, &options, &error);
        cli.mongodb = cli_take_uri(&options, argc, argv);
        if (code)
                return cli_fail(&cli, EXIT_USAGE, "%s", error.text);
        if (options_answer(&options))
                return EXIT_DONE;
        if (load_settings(&cli, &settings))
                return cli.worst;
        cli.settings = settings;
        run(&cli);
        settings_free(settings);
        cli_free_uri(cli.mongodb);
        if (fflush(stdout) || ferror(stdout))
                cli_fail(&cli, EXIT_FAILED, "stdout cannot be written");
        return cli.worst;
}
