/* What the files of obaudit share: a run, what it knows of each stream, and what it makes of it.
 *
 * A run never changes what is recorded. It reads beside a running logger, in transactions of less
 * than a second, and writes nothing but its results into a table of their own. */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include "audit/quotes.h"
#include "base/options.h"
#include "base/settings.h"
#include "recon/recon.h"

#define AUDIT_KEEP_DAYS 90 /* older results are taken away by newer ones */

enum exit_code {
        EXIT_GOOD = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
        EXIT_FINDINGS = 3,
};

enum output_form {
        OUTPUT_TABLE,
        OUTPUT_JSON,
        OUTPUT_HTML,
};

struct network;

struct audit {
        const struct options *options;
        const struct settings *settings;
        struct store *store;
        struct reader reader;
        bool is_read;
        const char *const *words; /* symbols; none: all */
        size_t word_count;
        enum output_form form;
        int64_t from_ns, to_ns;            /* INT64_MIN, INT64_MAX where not given */
        int64_t stale_ns;                  /* a record may be so far behind */
        int64_t now_ns;                    /* wall clock, as the run began */
        bool has_writer;                   /* a logger has the store open for writing */
        struct network *network;           /* NULL: the exchange is not asked */
        struct quotes quotes;              /* of the symbol at hand, for its trades */
        const struct recon_stream *quoted; /* whose book they are of */
        int worst;
};

/* A stream under audit. */
struct audit_item {
        const struct recon_stream *stream;
        struct recon_stream window; /* the days that matter, borrowed from @stream */
        struct gap_list gaps;       /* in the range */
        struct symbol_list symbols; /* what the exchange said of the symbol */
        struct audit_record record; /* the result */
        struct audit_record last;   /* the one before ... */
        bool has_last;              /* ... if there is one */
        uint64_t new_gaps;          /* that began after it */
        bool failed;                /* no result */
};

/* One line on stderr; the exit code becomes at least @code (3 gives way to 2 and 1). */
int audit_fail(struct audit *audit, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void audit_worsen(struct audit *audit, int code);

/* ---- commands ---- */

int command_run(struct audit *audit);
int command_report(struct audit *audit);

/* ---- which streams (streams.c) ---- */

typedef void (*audit_stream_cb)(struct audit *audit, const struct recon_stream *stream, void *user);

/* Those that the words name, or all that are recorded, by exchange, symbol and kind. An unknown one
 * is a failure. */
void audit_each_stream(struct audit *audit, audit_stream_cb stream_cb, void *user);

/* The newest state of the stream, of now: a logger goes on while we read. ERR_NOT_FOUND... */
int audit_newest_mark(
    struct audit *audit, const struct recon_stream *stream, struct mark_record *ret_mark);

/* The days of @stream that reach @from_ns, in @ret_window, which borrows them. */
void audit_window(
    const struct recon_stream *stream, int64_t from_ns, struct recon_stream *ret_window);

/* ---- checks: each judges what it looked at ---- */

void check_coverage(struct audit *audit, struct audit_item *item);
void check_fresh(struct audit *audit, struct audit_item *item);
void check_events(struct audit *audit, struct audit_item *item); /* ids, crossed, tape, frames */
void check_image(struct audit *audit, struct audit_item *item);  /* image, levels */

/* ---- results ---- */

void result_add_finding(struct audit_record *record, const struct audit_finding *finding);
void result_note(struct audit_record *record, enum audit_check check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The stream's newest result, or ERR_NOT_FOUND. */
int results_last(struct audit *audit, uint32_t stream, struct audit_record *ret_record);
/* Store what is new, and take away what is too old. */
int results_store(
    struct audit *audit, const struct audit_item *items, size_t count, struct error *error);

struct result_list {
        struct audit_record *records;
        size_t count, capacity;
};

/* Those of [from, to) by their own time, oldest first. Free records. */
int results_read(struct audit *audit, uint32_t stream, int64_t from_ns, int64_t to_ns,
    struct result_list *ret_list);

/* ---- telling people ---- */

/* Where it is due: the webhook. ERR_*: it could not be told. */
int alert_send(
    struct audit *audit, const struct audit_item *items, size_t count, struct error *error);

/* Post @body, JSON; @ca_file: extra trust, or NULL. @error never names the address. */
int webhook_post(const char *url, const char *ca_file, const char *body, struct error *error);

/* ---- printing ---- */

void print_result(const struct audit *audit, const struct recon_stream *stream,
    const struct audit_record *record);
void print_page(struct audit *audit);
/* "1.5 s", "3 min 20 s", "2 h 10 min". */
#define LENGTH_TEXT_SIZE 48
const char *format_length(int64_t ns, char ret_text[LENGTH_TEXT_SIZE]);

#endif
