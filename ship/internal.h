/* What the files of this stage share. */
#ifndef SHIP_INTERNAL_H
#define SHIP_INTERNAL_H

#include "codec/frame.h"
#include "ship/follow.h"

/* How far one stream is there. A step works on a copy of it, kept when the step has succeeded. */
struct follow_state {
        uint32_t day;            /* UINT32_MAX: it has none yet */
        bool loaded;             /* the rest is known */
        bool begun;              /* a mark of that day is there */
        bool told;               /* the target knows that the stream has that day */
        uint64_t next;           /* position of the first frame that is not there */
        uint64_t last, last_sum; /* the newest frame that is there, and what it held */
        bool last_known;
        int64_t last_key;        /* ... and where it stands in the time index */
        bool swept;              /* there is nothing beyond it that must go */
        uint32_t epoch;          /* the first that is not there */
        uint64_t gap;            /* key of the first gap record that may still change */
        uint64_t gap_sum;        /* ... and what it held */
        int64_t mark_ns;         /* when the mark was put, monotonic */
        struct mark_record mark; /* as it is there */
};

struct follow_stream {
        uint32_t number;
        struct stream_name name;
        bool renamed; /* the target must be told of the name (again) */
        bool pruned;  /* it was told which days are not there */
        bool stepped; /* staged is what the target will hold */
        bool passed;  /* there is a later day, so of this one nothing more will come */
        bool over;    /* ... and of its day all is there */
        struct follow_state state, staged;
        struct follow_state known; /* before the last new look: to count what is behind meanwhile */
        uint64_t events_behind, bytes_behind;
        int64_t behind_ns;
        bool audits_known;
        int64_t audit_ns; /* the newest audit that the target has; INT64_MIN: it has none */
};

struct follow {
        struct follow_options options;
        struct follow_stream *streams;
        size_t stream_count;
        int64_t *symbols; /* newest version that is there, by number of the symbol */
        size_t symbol_count;
        uint32_t note_day;
        int64_t note_next, note_staged; /* remarks of that day before it are there */
        size_t budget;                  /* bytes that this step may still take */
        bool more;
        int64_t counted_ns; /* when it was counted what is behind, monotonic */
        struct follow_stats stats, stats_staged;
};

static inline bool day_is_wanted(const struct follow *follow, uint32_t day)
{
        return day >= follow->options.from_day && day < follow->options.to_day;
}

/* follow_meta.c: what lives long: streams, their days, symbols */

/* Read which streams the source has; new ones begin at their first day that is wanted. */
int follow_learn(struct follow *follow, struct error *error);
/* Tell the target of streams, days and symbols that it does not know. */
int follow_tell(struct follow *follow, struct error *error);
/* The first day of the stream from @from on that the source has. ERR_NOT_FOUND: none. */
int follow_next_day(
    struct follow *follow, uint32_t number, uint32_t from, uint32_t *ret_day, struct error *error);
/* Has the stream left its day? To be asked before that day is read. */
int follow_look_ahead(struct follow *follow, struct follow_stream *stream, struct error *error);
/* The source's newest mark of the stream before @day; all zero where there is none. */
int follow_mark_before(struct follow *follow, uint32_t number, uint32_t day,
    struct mark_record *ret_mark, struct error *error);

/* follow_day.c: one stream's frames of one day, and what tells of them */

/* Read from the target where the stream stands in the day in hand. */
int follow_load_day(struct follow *follow, struct follow_stream *stream, struct error *error);
/* Put into @target what is final in @source's day, within the budget. */
int follow_copy_day(struct follow *follow, struct follow_stream *stream, struct store_txn *source,
    struct store_txn *target);
/* Remarks of that day. */
int follow_copy_notes(struct follow *follow, struct store_txn *source, struct store_txn *target);

/* tally.c: what a mark says of the frames that are there */

void tally_frame(
    struct mark_record *mark, uint64_t position, const struct frame_info *info, size_t size);
/* A damaged one: what its head says is not believed. */
void tally_damaged(struct mark_record *mark, uint64_t position, size_t size);
/* The mark of a copy that ends at mark->next_position, where @whole is the source's. */
struct mark_record tally_mark(const struct mark_record *mark, const struct mark_record *whole);

#endif
