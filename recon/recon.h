/* Reading a record: which streams, the book at any time, replay, coverage, verification.
 *
 * A reader works beside a running logger, in bounded memory: it holds one segment's frames at a
 * time, never a day. Its read transactions are short, so that no pages are pinned. One thread. */
#ifndef RECON_RECON_H
#define RECON_RECON_H

#include "book/book.h"
#include "codec/decoder.h"
#include "codec/meta.h"
#include "store/store.h"

#define RECON_TEXT_SIZE 256

enum recon_clock {
        CLOCK_EXCHANGE,
        CLOCK_RECEIVE,
};

/* One recorded stream and the days that it has frames in. */
struct recon_stream {
        uint32_t number;
        struct stream_name name;
        uint32_t *days;
        struct mark_record *marks; /* of each day */
        size_t day_count;
        struct mark_record mark; /* of the last day, with the counters of all days added up */
        uint64_t first_position;
        bool recorded; /* there is a mark */
};

struct reader {
        struct store *store;
        struct recon_stream *streams;
        size_t stream_count;
        struct decoder decoder;
};

/* Take an open store (borrowed) and read which streams it has. ERR_CORRUPT, ERR_VERSION, ERR_IO. */
int reader_open(struct reader *reader, struct store *store, struct error *error);
void reader_close(struct reader *reader);

/* The stream of that name, or NULL. */
const struct recon_stream *reader_find(
    const struct reader *reader, const char *exchange, const char *symbol, uint8_t kind);

/* ---- frames in stream order ---- */

struct frame_cursor {
        struct reader *reader;
        const struct recon_stream *stream;
        size_t day; /* index into stream->days */
        struct store_txn txn;
        struct store_cursor cursor;
        bool open;
        int64_t began_ns; /* of the transaction, monotonic */
        /* where it stands: */
        uint64_t position;
        uint64_t skip; /* events of this frame that an earlier one had (it was sealed meanwhile) */
        struct frame_info info; /* peeked, unless code is set */
        struct bytes frame;
        int code; /* of the frame's head: 0, ERR_CORRUPT, ERR_VERSION */
};

/* Stand at the first frame at or after @position, or the last at or before it (@back). 0,
 * ERR_NOT_FOUND, ERR_IO. frame_done always. */
int frame_seek(struct frame_cursor *cursor, struct reader *reader,
    const struct recon_stream *stream, size_t day, uint64_t position, bool back);
int frame_next(struct frame_cursor *cursor);
int frame_prev(struct frame_cursor *cursor);
void frame_done(struct frame_cursor *cursor);

/* ---- the book at a time ---- */

enum book_status {
        STATUS_OK,
        STATUS_GAP,
        STATUS_ENDED,
        STATUS_EMPTY,
};

struct recon_book {
        struct book book;
        struct scale scale;
        enum book_status status;
        int64_t at_ns;
        int64_t event_time_ns, receive_time_ns, last_id; /* of the last event applied */
        uint32_t epoch;
        uint32_t updates; /* level updates that were decoded for it, the image included */
};

void recon_book_init(struct recon_book *book);
void recon_book_deinit(struct recon_book *book);

/* The book after the last event, in stream order, whose time is <= @at_ns. What the stream cannot
 * tell is in status. ERR_CORRUPT (@error names the place), ERR_VERSION, ERR_IO. */
int recon_book_at(struct reader *reader, const struct recon_stream *stream, int64_t at_ns,
    enum recon_clock clock, struct recon_book *ret_book, struct error *error);

/* The last moment that the record vouches for. */
int64_t recon_end(const struct recon_stream *stream, enum recon_clock clock);

const char *book_status_name(enum book_status status);

/* ---- replay ---- */

struct replay_options {
        int64_t from_ns, to_ns; /* [from, to) */
        enum recon_clock clock;
};

/* Called with each event of the range; @befores: the quantity that stood at each level's price just
 * before it, bids first; @book as it stands after the event. Return not 0 to stop. It must not use
 * the reader. */
typedef int (*replay_event_cb)(const struct event *event, const int64_t *befores,
    const struct scale *scale, const struct book *book, uint32_t epoch, void *user);
/* Called when the book was set by an image (start of an epoch, correction), before the next event.
 */
typedef void (*replay_image_cb)(const struct book *book, const struct scale *scale, void *user);
struct replay_callbacks {
        replay_event_cb event_cb;
        replay_event_cb pass_cb;  /* events outside the range, on the way; may be NULL */
        replay_image_cb image_cb; /* may be NULL */
        void *user;
};

/* 0, the callback's code, ERR_CORRUPT (@error names the place), ERR_IO. */
int recon_replay(struct reader *reader, const struct recon_stream *stream,
    const struct replay_options *options, const struct replay_callbacks *callbacks,
    struct error *error);

/* ---- proofs ---- */

struct gap_list {
        struct gap_record *gaps;
        size_t count, capacity;
};

struct coverage {
        int64_t from_ns, to_ns, covered_ns;
        uint64_t corrections;
        struct gap_list gaps; /* in the range, in order; open ones have open set */
};

/* What [from, to) holds: recorded gaps, pruned days, and holes where frames are missing. */
int recon_coverage(struct reader *reader, const struct recon_stream *stream, int64_t from_ns,
    int64_t to_ns, struct coverage *ret_coverage, struct error *error);
void gap_list_deinit(struct gap_list *list);

/* All gap records of a stream, in order, a later day's word for an earlier one's. */
int recon_gaps(struct reader *reader, const struct recon_stream *stream, struct gap_list *ret_list);

/* From this epoch on the record comes from that feed, and lacks what the note says. */
struct recon_source {
        uint32_t epoch;
        int64_t from_receive_ns;
        char feed[META_FEED_SIZE];
        char note[META_DETAIL_SIZE];
};

struct source_list {
        struct recon_source *sources;
        size_t count;
};

/* In order; only where something changes. ERR_CORRUPT, ERR_VERSION, ERR_IO. */
int recon_sources(
    struct reader *reader, const struct recon_stream *stream, struct source_list *ret_list);
void source_list_deinit(struct source_list *list);

typedef void (*verify_problem_cb)(const struct recon_stream *stream, uint32_t day,
    uint64_t position, const char *text, void *user);

struct verify_result {
        uint64_t frames, events, level_updates, images, problems;
};

/* Read everything, check everything. @progress_cb (may be NULL) is called now and then. */
int recon_verify(struct reader *reader, const struct recon_stream *stream,
    verify_problem_cb problem_cb, void (*progress_cb)(uint64_t events, void *user), void *user,
    struct verify_result *ret_result, struct error *error);

/* ---- what each symbol was, and when ---- */

struct symbol_version {
        uint32_t number; /* of the symbol */
        struct symbol_record record;
        int64_t to_ns; /* it holds in [record.valid_from_ns, to_ns); INT64_MAX: it is the newest */
};

struct symbol_list {
        struct symbol_version *versions;
        size_t count, capacity;
};

/* Every version of every symbol, by exchange, symbol and time; of those named @exchange or @symbol
 * where these are not NULL. None is no error. Deinit the list. ERR_CORRUPT (@error names the
 * place), ERR_VERSION, ERR_IO. */
int recon_symbols(struct reader *reader, const char *exchange, const char *symbol,
    struct symbol_list *ret_list, struct error *error);
void symbol_list_deinit(struct symbol_list *list);

static inline bool symbol_version_holds(const struct symbol_version *version, int64_t at_ns)
{
        return version->record.valid_from_ns <= at_ns &&
            (at_ns < version->to_ns || version->to_ns == INT64_MAX);
}

typedef void (*symbol_problem_cb)(uint32_t number, int64_t from_ns, const char *text, void *user);

/* Read every version, and compare it with the others. ERR_CORRUPT, ERR_IO: the table itself. */
int recon_verify_symbols(struct reader *reader, symbol_problem_cb problem_cb, void *user,
    uint64_t *ret_problems, struct error *error);

/* ---- digest ---- */

/* Order-free sum over the levels of a book: FNV-1a, 64 bits, of "b" or "a", the price's text, a
 * blank, the quantity's text; added up modulo 2^64. */
uint64_t digest_level(enum side side, struct level level, const struct scale *scale);
uint64_t digest_book(const struct book *book, const struct scale *scale);

#endif
