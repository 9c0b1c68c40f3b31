/* Best prices and depth of a book on a grid of times, in one pass over the record.
 *
 * Each point tells what recon_book_at tells of its time. Memory does not grow with the range: only
 * the points that an event yet to come could change are kept, as many as fit into the time by
 * which the stream's event times fall back. Receive times are taken never to fall back. */
#ifndef RECON_SAMPLE_H
#define RECON_SAMPLE_H

#include "recon/recon.h"

/* The grid: from, from + every, ... below to. Without @from_ns (INT64_MIN): the first event that a
 * book took, up to the next multiple of @every_ns. Without @to_ns (INT64_MAX): the recorded end. */
struct sample_options {
        int64_t from_ns, to_ns;
        int64_t every_ns; /* above 0 */
        size_t depth;     /* levels a side that are added up; above 0 */
        enum recon_clock clock;
};

struct sample_side {
        bool has_best;
        struct level best;
        int64_t depth; /* the quantities of the best levels, added up */
};

struct sample_point {
        int64_t at_ns;
        enum book_status status;
        int64_t event_time_ns; /* of the last event; not if STATUS_EMPTY */
        struct scale scale;
        struct sample_side sides[SIDES]; /* all zero unless STATUS_OK: nothing stale is told */
};

/* Called with each point, in order; @point is borrowed. The reader is in use meanwhile. Return not
 * 0 to stop. */
typedef int (*sample_point_cb)(const struct sample_point *point, void *user);

/* 0 (also without any point), or the callback's code, for which @error is not set.
 *
 *   ERR_USAGE  @every_ns or @depth is not above 0
 *   ERR_FULL   the grid is too fine: more than LIMIT_SAMPLE_POINTS would have to wait
 *   ERR_RANGE  the depth of a point does not fit
 *   ERR_CORRUPT (@error names the place), ERR_VERSION, ERR_IO */
int recon_sample(struct reader *reader, const struct recon_stream *stream,
    const struct sample_options *options, sample_point_cb point_cb, void *user,
    struct error *error);

#endif
