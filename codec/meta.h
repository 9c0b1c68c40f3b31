/* What is known beside the frames: a stream's names, epochs, gaps, marks, and what its symbol was;
 * to bytes and back.
 *
 * Every record begins with its version; a newer one is refused, never guessed at. The bytes are
 * drawn in schema/record.md. All decoders: 0, ERR_CORRUPT, ERR_VERSION (output unchanged). */
#ifndef CODEC_META_H
#define CODEC_META_H

#include "base/bytes.h"
#include "base/decimal.h"
#include "base/error.h"
#include "base/limits.h"
#include "book/event.h"

#define META_VERSION 1
#define EPOCH_VERSION 2 /* of an epoch that tells its feed */
#define META_EXCHANGE_SIZE 17
#define META_SYMBOL_SIZE (LIMIT_SYMBOL_SIZE + 1)
#define META_DETAIL_SIZE 129
#define META_WORD_SIZE 24 /* of a currency, of a status */

struct stream_name {
        char exchange[META_EXCHANGE_SIZE];
        char symbol[META_SYMBOL_SIZE];
        uint8_t kind;
        bool sequenced; /* the exchange numbers its events, so completeness can be proved */
};

enum gap_cause {
        GAP_SEQUENCE,   /* ids are missing */
        GAP_DISCONNECT, /* ids are missing after a connection was lost */
        GAP_CROSSED,    /* the book crossed: something was lost or wrong */
        GAP_SILENT,     /* the subscription was dead */
        GAP_OVERFLOW,   /* the writer could not keep up, or the disk was full */
        GAP_STOPPED,    /* the logger was stopped */
        GAP_REMOVED,    /* the symbol was removed, later added again */
        GAP_CRASHED,    /* the logger ended without a word */
        GAP_SCALE,      /* values that fit no scale */
        GAP_PRUNED,     /* the days were dropped */
        GAP_MISSING,    /* the record lacks frames: damage, seen by readers */
        GAP_CAUSES,
};

struct gap_record {
        uint8_t cause;
        bool open;      /* to_* not known yet */
        uint32_t epoch; /* the one it ended; 0: there was none */
        int64_t from_id, from_time_ns, from_receive_ns;
        uint64_t from_position; /* of the last good event */
        int64_t to_id, to_time_ns, to_receive_ns;
        uint64_t to_position; /* of the first good event */
        char detail[META_DETAIL_SIZE];
};

enum epoch_cause {
        EPOCH_FIRST, /* the stream's first */
        EPOCH_GAP,   /* after a gap */
        EPOCH_SCALE, /* the scale changed, nothing was lost */
};

#define META_FEED_SIZE 25

struct epoch_record {
        uint8_t cause;
        char feed[META_FEED_SIZE];   /* which of the exchange's feeds it comes from; "": not told */
        char note[META_DETAIL_SIZE]; /* what it lacks, and why; "": nothing */
        uint64_t position;           /* of its image in that day */
        int64_t image_id;
        int64_t receive_time_ns;
        struct scale scale;
};

/* The newest state of a stream within one day; counters count that day. */
struct mark_record {
        bool clean;              /* the logger was stopped in order after this */
        bool removed;            /* ... because the symbol was removed */
        bool gap_open;           /* a gap record at gap_position is open */
        bool timed;              /* the times below are known */
        uint64_t first_position; /* in this day */
        uint64_t next_position;
        uint64_t gap_position;
        uint64_t last_position; /* of the last event with a book; 0: none */
        uint32_t epoch;
        int64_t last_id;
        int64_t first_event_time_ns; /* of this day; not 0 only if events */
        int64_t last_event_time_ns;
        int64_t last_receive_ns;
        int64_t running_max_ns;
        int64_t fall_back_ns; /* greatest (running maximum - event time), of all days up to now */
        int64_t recorded_until_ns;         /* by the exchange's clock */
        int64_t recorded_until_receive_ns; /* by ours */
        uint64_t events, level_updates, images, gaps;
        uint64_t image_bytes, change_bytes;
};

/* What archiving has changed of a day's frames: to be added to the counters of its mark. */
struct archive_record {
        int64_t images, image_bytes, change_bytes;
};

/* How far a stream was copied into another store. */
struct sink_record {
        uint32_t day;      /* all before it, and in it ... */
        uint64_t position; /* ... all before this, is there */
        int64_t until_ns;  /* recorded_until_receive_ns of what is there */
};

/* What an exchange said of a symbol, from one moment until the next record of it. Decimals are
 * texts as the exchange writes them; an empty text is unknown. */
struct symbol_record {
        int64_t valid_from_ns; /* by our clock */
        char exchange[META_EXCHANGE_SIZE];
        char symbol[META_SYMBOL_SIZE];
        char base[META_WORD_SIZE], quote[META_WORD_SIZE];
        char tick[DECIMAL_TEXT_SIZE], lot[DECIMAL_TEXT_SIZE];
        char min_quantity[DECIMAL_TEXT_SIZE];
        char min_notional[DECIMAL_TEXT_SIZE]; /* in the quote currency */
        char status[META_WORD_SIZE];          /* the exchange's own word */
        bool trading;
        bool auction;
};

/* What an audit of a stream looks at; stored by number. */
enum audit_check {
        AUDIT_COVERAGE, /* gaps of the record */
        AUDIT_FRESH,    /* is it still written? */
        AUDIT_FRAMES,   /* can it be read? */
        AUDIT_IDS,      /* do events, or trades, follow each other by their ids? */
        AUDIT_CROSSED,  /* bids at or above asks */
        AUDIT_IMAGE,    /* levels, compared with the exchange's own at the same id */
        AUDIT_LEVELS,   /* the sums of orders, compared likewise */
        AUDIT_TAPE,     /* are trades within the best prices of their time? */
        AUDIT_CHECKS,
};

enum audit_outcome {
        AUDIT_NOT_DONE,
        AUDIT_GOOD,
        AUDIT_FOUND, /* there are findings */
        AUDIT_OUTCOMES,
};

struct audit_result {
        uint8_t outcome;
        uint8_t penalty;             /* points off the score */
        uint64_t examined, wrong;    /* what was counted depends on the check */
        char note[META_DETAIL_SIZE]; /* why it was not done, or what it was compared with */
};

struct audit_finding {
        uint8_t check;
        int64_t from_ns, to_ns; /* by the exchange's clock; where it is one moment: equal */
        int64_t id;             /* of the event behind which, or at which, it is */
        uint64_t count;         /* how often: levels, events, trades */
        char text[META_DETAIL_SIZE];
};

#define AUDIT_FINDINGS_MAX 32

/* One audit of a stream; the first findings are kept, more are counted. */
struct audit_record {
        int64_t time_ns;        /* when, by our clock */
        int64_t from_ns, to_ns; /* what part of the record: [from, to), by the exchange's clock */
        uint8_t score;          /* 0 to 100 */
        bool network;           /* the exchange was asked */
        struct audit_result results[AUDIT_CHECKS];
        struct audit_finding findings[AUDIT_FINDINGS_MAX];
        uint32_t finding_count;
        uint64_t finding_total;
};

/* When people were told last of what audits found. */
struct alert_record {
        int64_t sent_ns;
        uint64_t held_back; /* since, because it would have been too soon */
};

void stream_name_write(struct buffer *out, const struct stream_name *name);
int stream_name_read(struct bytes in, struct stream_name *ret_name);
void gap_write(struct buffer *out, const struct gap_record *gap);
int gap_read(struct bytes in, struct gap_record *ret_gap);
void epoch_write(struct buffer *out, const struct epoch_record *epoch);
int epoch_read(struct bytes in, struct epoch_record *ret_epoch);
void mark_write(struct buffer *out, const struct mark_record *mark);
int mark_read(struct bytes in, struct mark_record *ret_mark);
void archive_write(struct buffer *out, const struct archive_record *archive);
int archive_read(struct bytes in, struct archive_record *ret_archive);
void sink_write(struct buffer *out, const struct sink_record *sink);
int sink_read(struct bytes in, struct sink_record *ret_sink);
void symbol_record_write(struct buffer *out, const struct symbol_record *record);
int symbol_record_read(struct bytes in, struct symbol_record *ret_record);
/* Do both say the same of the same symbol, whenever that was? */
bool symbol_record_same(const struct symbol_record *a, const struct symbol_record *b);

void audit_write(struct buffer *out, const struct audit_record *audit);
int audit_read(struct bytes in, struct audit_record *ret_audit);
void alert_write(struct buffer *out, const struct alert_record *alert);
int alert_read(struct bytes in, struct alert_record *ret_alert);
const char *audit_check_name(unsigned check);
const char *audit_outcome_name(unsigned outcome);

/* What dropping a day leaves of a stream: what its mark says, as a gap. */
struct gap_record gap_of_pruned(const struct mark_record *mark, uint32_t day);

const char *gap_cause_name(unsigned cause);
const char *stream_kind_name(unsigned kind);
/* ERR_PARSE */
int stream_kind_parse(const char *text, uint8_t *ret_kind);

#endif
