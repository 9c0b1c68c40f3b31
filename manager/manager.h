/* What the commands of obmanage share. A family of commands is one file, each command one line in
 * the table of main.c.
 *
 * A command makes its request, and gives each row of the answer to the terminal; the connection is
 * made by the first request. What comes from the other side is text of a stranger: it is shown
 * without control bytes. */
#ifndef MANAGER_MANAGER_H
#define MANAGER_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/options.h"
#include "base/settings.h"

enum exit_code {
        EXIT_DONE = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
};

#define WAIT_SOON_MS 10000 /* for what a logger answers from what it has in hand */
#define WAIT_LONG_MS (-1)  /* for what the exchange has to do with */

struct control_client;
struct manager;

/* One line of an answer, a checked JSON object; valid until the callback returns. */
struct row {
        struct json_value value;
        const char *text;
        size_t size;
};

typedef void (*row_fn)(struct manager *manager, const struct row *row, void *user);

struct manager {
        const struct options *options;
        struct control_client *client; /* NULL until the first request */
        struct json_parser *parser;
        struct buffer request, line;
        const char *const *words; /* behind the command */
        size_t word_count;
        int64_t depth; /* of --depth; 0: not given */
        bool json;
        bool (*idle_cb)(void *user); /* asked before each row and now and then: true ends it */
        void (*seen_cb)(const struct row *row, void *user); /* told of a row before it is shown */
        void *wait_user;                                    /* of both */
        bool stopped;                                       /* idle_cb ended the wait */
        int worst;                                          /* exit code so far */
};

/* connect.c: what --socket, --host and --port say, else the settings. Loading them says what is
 * wrong with them. */
int manager_load(struct manager *manager, bool with_key, struct settings **ret_settings);
int manager_connect(struct manager *manager);

/* main.c: one line on stderr; the exit code becomes at least @code. Returns @code. */
int manager_fail(struct manager *manager, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ask.c: the request in hand. Its texts are the user's words, of any bytes. */
void request_begin(struct manager *manager, const char *command);
void request_text(struct manager *manager, const char *key, const char *text);
void request_number(struct manager *manager, const char *key, int64_t number);

/* Send it, and give every row of the answer to @row_cb, which may be NULL. With --json rows are
 * printed as they came, and not given. @wait_ms from one line to the next.
 * The exit code, after what was wrong was said; manager->stopped if idle_cb ended it. */
int manager_ask(struct manager *manager, int wait_ms, row_fn row_cb, void *user);

/* Nobody reads stdout any more. */
bool stdout_is_closed(void);

/* Sets *stop on the signals that end a program, which then ends in order. */
void catch_signals(volatile bool *ret_stop);

int command_add(struct manager *manager);
int command_remove(struct manager *manager);
int command_list(struct manager *manager);
int command_status(struct manager *manager);
int command_gaps(struct manager *manager);
int command_book(struct manager *manager);
int command_watch(struct manager *manager);
int command_snapshot(struct manager *manager);
int command_reconnect(struct manager *manager);
int command_ping(struct manager *manager);
int command_uptime(struct manager *manager);
int command_loglevel(struct manager *manager);
int command_terminate(struct manager *manager);
int command_top(struct manager *manager);

#endif
