/* What an event carries beside its levels: times, ids, counts, order. Shared by the dense methods.
 *
 * Heads have columns of their own, so that they can be read without the levels: where a time lies
 * in a block is known before a single level is decoded. */
#ifndef CODEC_HEADS_H
#define CODEC_HEADS_H

#include "book/event.h"
#include "codec/columns.h"

#define HEAD_SMALL 8   /* counts below it, of both sides, and the ids share a byte */
#define HEAD_MORE 4    /* ids more than levels: 0, 1, 2, or told in a column */
#define HEAD_CLASSES 5 /* of counts: below 4, 4..7, 8..15, 16..31, more */

enum head_column {
        HEAD_BITS,
        HEAD_UNUSUAL, /* what seldom comes: units, flags, jumps of ids */
        HEAD_TIME,
        HEAD_DELAY,
        HEAD_COUNTS, /* small counts; HEAD_LARGE: the next columns tell */
        HEAD_BIDS,
        HEAD_ASKS,                           /* by the class of the count of bids */
        HEAD_IDS = HEAD_ASKS + HEAD_CLASSES, /* by the class of the count of levels */
        HEAD_COLUMNS = HEAD_IDS + HEAD_CLASSES,
        HEAD_CLASS_TIMES = HEAD_IDS, /* of messages: by their class */
};

#define HEAD_LARGE (HEAD_MORE - 1) /* would be: no levels, but ids */

enum head_bit {
        HEAD_BIDS_REVERSED = 1 << 0, /* they came worst first */
        HEAD_ASKS_REVERSED = 1 << 1,
        HEAD_PLAIN = 1 << 2,  /* the levels came in no order: they are written as they are */
        HEAD_FLAGS = 1 << 3,  /* the event has flags */
        HEAD_JUMP = 1 << 4,   /* its first id is not the last one before plus 1 */
        HEAD_ONE_ID = 1 << 5, /* its last id is its first one, though its levels are not one */
        HEAD_BACK = 1 << 6,   /* its time is before that of the event before */
        HEAD_UNITS = 1 << 7,  /* finer units of time from here on */
};

/* Of messages, in the place of HEAD_BIDS_REVERSED and HEAD_ASKS_REVERSED: the class of the message,
 * as its place among those that may follow the class before. */
enum message_class {
        CLASS_RECEIVED,
        CLASS_OPEN,
        CLASS_DONE,
        CLASS_OTHER,
        MESSAGE_CLASSES,
};

#define HEAD_CLASS_MASK (MESSAGE_CLASSES - 1)

/* Units of time: 10^6, 10^3 and 1 ns. */
enum {
        UNIT_MS,
        UNIT_US,
        UNIT_NS,
        UNITS
};

struct heads {
        struct column columns[HEAD_COLUMNS];
        struct bit_column bits;
        bool messages; /* no levels but a class; receive times are told from each other */
        uint8_t class; /* of the message before */
        /* of the event before */
        int64_t event_time_ns;
        int64_t delay_ns; /* receive time - event time; of messages the receive time */
        int64_t last_id;
        unsigned time_unit, delay_unit;
};

/* A block begins with an event of that first id and those times. Columns and messages are the
 * caller's: where many messages come at once their receive times lie close together, whatever the
 * exchange's clock says of them. */
void heads_begin(
    struct heads *heads, int64_t first_id, int64_t event_time_ns, int64_t receive_time_ns);

/* @bits: the order of its levels, or its class; the others are found out. */
void heads_write(struct heads *heads, const struct event *event, unsigned bits);

/* All of the event but its levels. ERR_CORRUPT. */
int heads_read(struct heads *heads, struct event *ret_event, unsigned *ret_bits);

static inline bool heads_at_end(const struct heads *heads)
{
        return heads->columns[HEAD_BITS].at == heads->columns[HEAD_BITS].end;
}

#endif
