/* What obmanage asks of the running logger: one request line in, rows and an end out.
 *
 * The protocol stands in schema/control.md. All of it runs on the loop's thread, between two
 * messages; what takes longer (a book that is to become live) is looked at again each turn. */
#ifndef LOGGER_COMMANDS_H
#define LOGGER_COMMANDS_H

#include "logger/app.h"

/* One line of the answer to @id. false: it was not taken, whoever asked reads too slowly. */
typedef bool (*command_answer_cb)(
    uint64_t id, const char *text, size_t size, bool last, void *user);

void commands_open(struct app *app, command_answer_cb answer_cb, void *user);
/* @line: JSON_PADDING bytes follow it. */
void commands_request(struct app *app, uint64_t id, const char *line, size_t size);
/* Nobody waits for the answer to @id any more. What it began goes on; what it added and is refused
 * later is forgotten all the same. */
void commands_gone(struct app *app, uint64_t id);
void commands_tick(struct app *app);
void commands_close(struct app *app);

/* ---- for the files of the commands ---- */

#define COMMAND_PATIENCE_NS INT64_C(60000000000) /* without news; then what is not done is told */

/* What a command waits for: a symbol, or all that a pattern matches. */
struct awaited {
        struct site *site;
        char symbol[LIMIT_SYMBOL_SIZE + 1];
        uint64_t images;   /* snapshot: of the book, when it was asked for */
        uint64_t listings; /* pattern: of the site, when it was asked for */
        bool new_rule;     /* add: there was none, it goes if the symbol is refused */
        bool done;
};

struct command {
        struct command *next;
        struct app *app;
        uint64_t id;                           /* 0: nobody waits for it any more */
        void (*tick)(struct command *command); /* NULL: it has ended */
        bool lasting;                          /* it goes on when nobody waits */
        int64_t since_ns, news_ns;             /* monotonic */
        struct awaited *awaited;
        size_t awaited_count;
        size_t waiting;           /* requests to the exchanges, when last looked at */
        struct level best[SIDES]; /* watch: what was told last */
        bool has_best[SIDES], told;
        int code;       /* the worst so far: 0, 1, 2 */
        char text[400]; /* of its first error */
};

/* A row: begun with its symbol, ended by command_row. Between them the buffer is the command's. */
struct buffer *command_row_begin(
    struct command *command, const struct venue *venue, const char *symbol);
struct buffer *command_row_plain(struct command *command);
/* false: not taken. */
bool command_row(struct command *command);
/* Remember what went wrong; the first of the worst is told at the end. */
void command_fail(struct command *command, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Keep the changes to SYMBOLS, where they are kept. */
int commands_save(struct app *app, struct error *error);
/* Tell the end now; a lasting one goes on without anybody who waits. */
void command_leave(struct command *command);
struct awaited *command_await(struct command *command, struct site *site, const char *symbol);

/* Members of the request. false: it is not there, or no text; the command has failed then. */
bool command_text(
    struct command *command, struct json_value request, const char *name, struct json_text *ret);
/* The book of that symbol, or NULL: the command has failed. */
struct tracked *command_book(struct command *command, struct json_text symbol);

/* commands_symbols.c */
void command_add(struct command *command, struct json_value request);
void command_remove(struct command *command, struct json_value request);
void command_snapshot(struct command *command, struct json_value request);
/* commands_view.c */
void command_list(struct command *command, struct json_value request);
void command_status(struct command *command, struct json_value request);
void command_show_book(struct command *command, struct json_value request);
void command_gaps(struct command *command, struct json_value request);
void command_watch(struct command *command, struct json_value request);

/* "resyncing" is a book that was lost, "asking" one that the exchange has not confirmed yet. */
const char *tracked_state(const struct tracked *tracked);

#endif
