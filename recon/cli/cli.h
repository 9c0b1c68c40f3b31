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

/* The streams that the words name, or all: those of --kind. Each is given to @run_cb. An unknown
 * one is a failure. */
int cli_each_stream(
    struct cli *cli, int (*run_cb)(struct cli *cli, const struct recon_stream *stream));

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
    const struct recon_book *book, size_t depth);

int command_book(struct cli *cli);
int command_list(struct cli *cli);
int command_coverage(struct cli *cli);
int command_verify(struct cli *cli);
int command_replay(struct cli *cli);
int command_sample(struct cli *cli);
int command_archive(struct cli *cli);
int command_prune(struct cli *cli);
int command_backup(struct cli *cli);

#endif
