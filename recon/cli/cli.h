/* What the commands of obrebuild share. A command is one file and one line in the table of main.c.
 */
#ifndef RECON_CLI_H
#define RECON_CLI_H

#include "base/options.h"
#include "base/settings.h"
#include "recon/ahead.h"
#include "recon/merge.h"

enum output_form {
        OUTPUT_TABLE,
        OUTPUT_JSON,
        OUTPUT_CSV,
};

enum exit_code {
        EXIT_DONE = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
        EXIT_INCOMPLETE = 3,
};

/* One recorder's record. */
struct cli_source {
        struct store *store;
        struct reader reader;
        const char *recorder; /* the store's */
        bool is_read;         /* the reader is open */
};

struct cli {
        const struct options *options;
        const struct settings *settings;
        char *mongodb; /* URI of --mongodb, or NULL; a secret */
        struct cli_source sources[MERGE_SOURCES_MAX];
        size_t source_count;
        struct merge **streams; /* that were asked for, kept with what is known of them */
        size_t stream_count;
        enum output_form form;
        enum recon_clock clock;
        bool has_kind;
        uint8_t kind;
        int64_t from_ns, to_ns;   /* INT64_MIN, INT64_MAX where not given */
        const char *const *words; /* behind the command */
        size_t word_count;
        bool progress; /* stderr is a terminal */
        int worst;     /* exit code so far */
};

/* The records that are asked for: of a folder the only one, of a database those of all recorders or
 * of one. What is wrong is said, with the exit code. */
int cli_open_local(struct cli *cli, enum store_mode mode);
int cli_open_mongodb(struct cli *cli);
void cli_close(struct cli *cli);
/* The database of --mongodb, by any name of a recorder. */
struct store_options cli_mongodb_options(const struct cli *cli, enum store_mode mode);

/* Read anew what is recorded: a logger may have gone on since. */
int cli_refresh(struct cli *cli);

/* The URI of --mongodb, to be freed by cli_free_uri, or NULL. Where it stands in @argv, which
 * others can see, its secrets are overwritten. */
char *cli_take_uri(const struct options *options, int argc, char **argv);
void cli_free_uri(char *uri);

/* @stream: the records that have it, one at least. */
typedef int (*cli_stream_cb)(struct cli *cli, struct merge *stream);

/* The recorded stream of that name, or NULL. It is @cli's, until the next cli_refresh. */
struct merge *cli_find_stream(
    struct cli *cli, const char *exchange, const char *symbol, uint8_t kind);

void cli_forget_streams(struct cli *cli);

/* Whose it is, where there are several recorders; else NULL. */
const char *cli_recorder(const struct cli *cli, const struct merge *stream, size_t source);

/* The streams that the words name, or all: of every kind, or that of --kind. Each is given to
 * @run_cb. An unknown one is a failure. */
int cli_each_stream(struct cli *cli, cli_stream_cb run_cb);

/* The same of the streams that have a book; a word means the symbol's orders, else its levels,
 * where --kind does not say. --kind trades is wrong usage. */
int cli_each_book(struct cli *cli, cli_stream_cb run_cb);

/* The exchange (ret_exchange[size], binance where none is named) and the symbol (within @word) of a
 * word like binance:BTCUSDT. */
const char *cli_split_symbol(const char *word, char *ret_exchange, size_t size);

/* One line, and exit code 3, for each gap that touches the range. */
void cli_tell_gaps(struct cli *cli, struct merge *stream);

/* As recon_replay_ahead; @source_cb (may be NULL) is told whose the events from now on are. */
int cli_replay(struct merge *stream, const struct replay_options *options,
    const struct ahead_callbacks *callbacks, void (*source_cb)(size_t source, void *user),
    struct error *error);

/* One line on stderr; the exit code becomes at least @code (3 gives way to 1 and 2). */
int cli_fail(struct cli *cli, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The answer is incomplete: exit code 3, if nothing is worse. */
void cli_incomplete(struct cli *cli);

/* A progress line on a terminal, replaced by the next. NULL takes it away. */
void cli_progress(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Printing. */
void print_name(const struct stream_name *name); /* "exchange":...,"symbol":...,"kind":... */
/* ,"recorder":... or recorder, in front of a csv row; nothing where @recorder is NULL. */
void print_recorder(const char *recorder);
void print_recorder_csv(const char *recorder);
void print_json_text(const char *text);
void print_time_or_null(const char *key, bool known, int64_t time_ns);
void print_levels(const struct level *levels, size_t count, const struct scale *scale);
void print_book(const struct cli *cli, const struct merge *stream, size_t source,
    const struct recon_book *book, size_t depth, bool as_levels);

/* Of a book of orders: the rows of one side within @depth prices, each csv one behind @head; or of
 * both sides, with their heading. */
void print_orders(const struct recon_book *book, enum side side, size_t depth);
void print_orders_csv(
    const struct recon_book *book, enum side side, size_t depth, const char *head);
void print_orders_table(const struct recon_book *book, size_t depth);

/* An order message and the levels that it changed; the end of its line, and of the object, is the
 * caller's. */
struct out;
void out_message_json(
    struct out *out, const struct event *event, const struct scale *scale, uint32_t epoch);
void out_message_csv_header(struct out *out);
void out_message_csv(
    struct out *out, const struct event *event, const struct scale *scale, uint32_t epoch);

int command_book(struct cli *cli);
int command_list(struct cli *cli);
int command_coverage(struct cli *cli);
int command_verify(struct cli *cli);
int command_replay(struct cli *cli);
int command_trades(struct cli *cli);
int command_sample(struct cli *cli);
int command_symbols(struct cli *cli);
int command_notes(struct cli *cli);
int command_archive(struct cli *cli);
int command_prune(struct cli *cli);
int command_backup(struct cli *cli);
int command_import(struct cli *cli);
int command_rederive(struct cli *cli);
int command_pull(struct cli *cli);
int command_push(struct cli *cli);

#endif
