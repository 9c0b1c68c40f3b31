/* Remarks beside a day's record, as texts: steps of the clock, its state, delays of a stream's
 * events.
 *
 * A text is a word and fields NAME=NUMBER, drawn in schema/record.md. What is not known is passed
 * over, never guessed at: a word, or fields behind those that are known. */
#ifndef CODEC_NOTE_H
#define CODEC_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define NOTE_SIZE 512 /* of the longest text that is written, with room */

enum note_kind {
        NOTE_OTHER,      /* not known */
        NOTE_CLOCK_STEP, /* the wall clock was seen to step */
        NOTE_CLOCK,      /* what the system knew of its truth */
        NOTE_LATENCY,    /* of a stream's events, from their time to their receipt */
        NOTE_KINDS,
};

/* Of each kind its own fields. */
struct note_record {
        enum note_kind kind;
        int64_t step_ns;
        int64_t synchronized, offset_ns, error_ns; /* as in struct clock_state; 0 or 1 */
        int64_t stream, from_ns;                   /* since when, by our clock */
        int64_t count, early;   /* events; of them those received before their time */
        int64_t min_ns, max_ns; /* exact; below 0: early */
        int64_t p50_ns, p99_ns; /* up to an eighth above; early ones count as 0 */
};

struct note_field {
        const char *name;
        size_t offset; /* of an int64_t in struct note_record */
        int64_t least, most;
};

/* The fields of a kind in their order; none of NOTE_OTHER. */
const struct note_field *note_fields(enum note_kind kind, size_t *ret_count);
int64_t note_value(const struct note_record *note, const struct note_field *field);
/* "clock_step", "clock", "latency"; "other" */
const char *note_kind_name(enum note_kind kind);

void note_write(struct buffer *out, const struct note_record *note);
/* What cannot be read is NOTE_OTHER. */
void note_read(struct bytes in, struct note_record *ret_note);

#endif
