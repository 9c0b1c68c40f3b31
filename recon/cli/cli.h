/* What the commands of obrebuild share. A command is one file and one line in the table of main.c.
 */
#ifndef RECON_CLI_H
#define RECON_CLI_H

#include "base/options.h"
#include "base/settings.h"
#include "recon/recon.h"

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

struct cli {
        const struct options *options;
        const struct settings *settings;
        struct store *store;
        struct reader reader;
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

typedef int (*cli_stream_cb)(struct cli *cli, const struct recon_stream *stream);

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
void cli_tell_gaps(struct cli *cli, const struct recon_stream *stream);

/* One line on stderr; the exit code becomes at least @code (3 gives way to 1 and 2). */
int cli_fail(struct cli *cli, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The answer is incomplete: exit code 3, if nothing is worse. */
void cli_incomplete(struct cli *cli);

/* A progress line on a terminal, replaced by the next. NULL takes it away. */
void cli_progress(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Printing. */
void print_name(const struct recon_stream *stream); /* "exchange":...,"symbol":...,"kind":... */
void print_json_text(const char *text);
void print_time_or_null(const char *key, bool known, int64_t time_ns);
void print_levels(const struct level *levels, size_t count, const struct scale *scale);
void print_book(const struct cli *cli, const struct recon_stream *stream,
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
int command_archive(struct cli *cli);
int command_prune(struct cli *cli);
int command_backup(struct cli *cli);

#endif
