/* One stream as several recorders have it, who recorded it side by side.
 *
 * Each range is taken from one recorder for as long as that one has it; where it has none, another
 * one that has goes on. At such a joint the exchange's ids decide, where events have them: no event
 * comes twice, none is passed over. Where they have none (the recorder counted them itself) the
 * exchange's times decide. What nobody has is a gap. With one recorder all is as recon.h says. */
#ifndef RECON_MERGE_H
#define RECON_MERGE_H

#include "recon/recon.h"
#include "recon/sample.h"

#define MERGE_SOURCES_MAX 16
#define MERGE_CLOCKS 2 /* enum recon_clock */

/* A stretch of one record without a gap. Keys are ids, or exchange times where ids mean nothing. */
struct merge_span {
        int64_t start;                 /* it goes on from any key from here on ... */
        int64_t end;                   /* ... below this one, its last */
        int64_t first_id, last_id;     /* of its events, as its own record numbers them */
        int64_t from_ns[MERGE_CLOCKS]; /* of its first event */
        int64_t to_ns[MERGE_CLOCKS];   /* up to here the record vouches for it */
        struct gap_record gap;         /* behind it; its `to` means nothing */
        bool ends_open; /* nothing behind it: the gap is open, or there is none ... */
        bool goes_on;   /* ... because it is the newest */
};

struct merge_source {
        const char *recorder;              /* borrowed */
        struct reader *reader;             /* borrowed */
        const struct recon_stream *stream; /* the reader's */
        struct gap_list gaps;              /* in stream order ... */
        bool gaps_known;                   /* ... once they are known */
        struct merge_span *spans;
        size_t span_count;
        bool walked; /* the gaps tell what is missing or damaged as well; and there were ... */
        uint64_t corrections;
};

/* What is taken from one recorder. */
struct merge_piece {
        size_t source, span;
        bool after_gap; /* it goes on from nothing: the merged record begins, or has a gap */
        uint8_t cause;  /* of that gap */
        int64_t from_ns[MERGE_CLOCKS], to_ns[MERGE_CLOCKS];
};

struct merge {
        struct stream_name name; /* sequenced: all are */
        struct merge_source sources[MERGE_SOURCES_MAX];
        size_t count;
        bool known; /* what follows is */
        bool by_id;
        int64_t fall_back_ns; /* the greatest of all */
        struct merge_piece *pieces;
        size_t piece_count;
        struct gap_list gaps; /* what nobody has */
};

void merge_init(struct merge *merge);
void merge_deinit(struct merge *merge);

/* Add a record, all of the same stream, in the order of preference. Everything stays borrowed, also
 * that the reader is not opened anew. */
void merge_add(struct merge *merge, struct reader *reader, const char *recorder,
    const struct recon_stream *stream);

/* The last moment that any record vouches for. */
int64_t merge_end(const struct merge *merge, enum recon_clock clock);

/* The book at a time, as recon_book_at, and whose it is: of the record that is ok at that time;
 * where events of that time may lie just within a gap of it, of the one that has the latest. If
 * none is ok, of the one with the latest event before; what is damaged is asked last. */
int merge_book_at(struct merge *merge, int64_t at_ns, enum recon_clock clock,
    struct recon_book *ret_book, size_t *ret_source, struct error *error);

/* Work out gaps and pieces (@walk: read all frames for it, as recon_coverage does). Others do so
 * where they need it. ERR_CORRUPT, ERR_VERSION, ERR_IO. */
int merge_prepare(struct merge *merge, bool walk, struct error *error);

/* Read all frames of one record, and plan anew. */
int merge_walk(struct merge *merge, size_t source, struct error *error);

struct merge_callbacks {
        /* As in recon_replay; image_cb comes at each joint too, then pass_cb with the events
         * between that image and the joint, which another record gave already. */
        struct replay_callbacks replay;
        /* Whose the events from now on are; may be NULL. Takes replay.user. */
        void (*source_cb)(size_t source, void *user);
};

/* Events of [from, to), each once, in the order of the exchange. As recon_replay; a record that is
 * damaged gives way to another one, where one has what it lacks. */
int merge_replay(struct merge *merge, const struct replay_options *options,
    const struct merge_callbacks *callbacks, struct error *error);

struct merge_range {
        size_t source;
        int64_t from_ns, to_ns;
};

struct merge_coverage {
        struct coverage coverage; /* of all together; corrections: those of all records */
        struct merge_range *ranges;
        size_t range_count;
};

/* As recon_coverage, and which range is taken from whom. Deinit in any case. */
int merge_coverage(struct merge *merge, int64_t from_ns, int64_t to_ns,
    struct merge_coverage *ret_coverage, struct error *error);
void merge_coverage_deinit(struct merge_coverage *coverage);

typedef int (*merge_point_cb)(const struct sample_point *point, size_t source, void *user);

/* As recon_sample: each point tells what merge_book_at tells of its time. */
int merge_sample(struct merge *merge, const struct sample_options *options, merge_point_cb point_cb,
    void *user, struct error *error);

/* All gaps of the merged record, in order, as recon_gaps. Deinit the list. */
int merge_list_gaps(struct merge *merge, struct gap_list *ret_list, struct error *error);

/* Shared by the files of the merge. */

/* Both come from records, which may be damaged: what does not fit stays at the end of the scale. */
static inline int64_t merge_shift(int64_t value, int64_t by)
{
        int64_t sum;
        return !__builtin_add_overflow(value, by, &sum) ? sum : by < 0 ? INT64_MIN : INT64_MAX;
}

int merge_read_gaps(struct merge *merge, size_t source, struct error *error);
void merge_push_gap(struct gap_list *list, const struct gap_record *gap);

#endif
