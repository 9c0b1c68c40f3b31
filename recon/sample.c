/* The grid is answered from runs of points. A run is the state after one event and the first point
 * that it answers; the next run begins where it ends, and the last one has no end. An event answers
 * all points from its time on: runs that begin there or later give way to its own. So the newest
 * event's run is always the last one, whether times fall back or not.
 *
 * A point is told once no event yet to come can be early enough to change it: when the greatest
 * event time is beyond it by more than the stream falls back, or at the end of the stream. */
#include "recon/sample.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "recon/internal.h"

struct depth {
        struct sample_side side;
        bool overflows;
        bool whole;   /* every level of the side is counted ... */
        int64_t edge; /* ... else those up to this price */
};

struct run {
        int64_t start_ns; /* a point of the grid */
        bool has_event;
        uint32_t epoch;
        int64_t last_id, event_time_ns;
        int64_t time_ns; /* by the clock asked for */
        struct scale scale;
        struct depth depth[SIDES];
        enum book_status after; /* the status between these times; else ok */
        int64_t after_ns, until_ns;
};

struct sampler {
        struct reader *reader;
        const struct recon_stream *stream;
        struct sample_options options;
        sample_point_cb point_cb;
        void *user;
        struct error *error;
        struct gap_list gaps;
        int64_t fall_back_ns;
        int64_t next_ns; /* the next point to tell */
        int64_t running_max_ns;
        struct run *runs; /* a ring */
        size_t first, count, capacity;
        uint32_t start_epoch; /* events up to this one came before the first run's */
        int64_t start_id;
        bool image_came; /* since the last event: the depths are to be counted again */
        bool complete;
};

static struct run *run_at(const struct sampler *sampler, size_t index)
{
        return &sampler->runs[(sampler->first + index) % sampler->capacity];
}

static struct run *last_run(const struct sampler *sampler)
{
        return run_at(sampler, sampler->count - 1);
}

static bool is_beyond_grid(const struct sampler *sampler)
{
        return sampler->next_ns >= sampler->options.to_ns;
}

/* The first point of the grid at or after @time_ns, or INT64_MAX. */
static int64_t point_from(const struct sampler *sampler, int64_t time_ns)
{
        int64_t from = sampler->options.from_ns;
        uint64_t every = (uint64_t)sampler->options.every_ns;
        if (time_ns <= from)
                return from;
        uint64_t distance = (uint64_t)time_ns - (uint64_t)from;
        __int128 point = (__int128)(distance / every + (distance % every != 0)) * every + from;
        return point > INT64_MAX ? INT64_MAX : (int64_t)point;
}

/* ---- depth ---- */

static void depth_count(
    const struct book *book, enum side side, size_t levels, struct depth *ret_depth)
{
        struct book_cursor cursor = {0};
        struct level level;
        size_t count = 0;
        *ret_depth = (struct depth){0};
        while (count < levels && book_next(book, side, &cursor, &level)) {
                if (!count++)
                        ret_depth->side = (struct sample_side){.has_best = true, .best = level};
                ret_depth->edge = level.price;
                ret_depth->overflows |= __builtin_add_overflow(
                    ret_depth->side.depth, level.quantity, &ret_depth->side.depth);
        }
        ret_depth->whole = count < levels;
}

/* Does the event touch a level that was counted, or bring one before the last of them? */
static bool depth_is_touched(const struct depth *depth, enum side side, const struct event *event)
{
        for (uint32_t i = 0; i < event->count[side]; i++) {
                int64_t price = event->levels[side][i].price;
                if (depth->whole ||
                    (side == SIDE_BID ? price >= depth->edge : price <= depth->edge))
                        return true;
        }
        return false;
}

/* ---- what follows an event ---- */

/* The gap between @run's event and the next one, which came after @epoch ended. Nothing else in
 * the record ends an epoch but a change of scale. */
static const struct gap_record *find_gap(
    const struct sampler *sampler, const struct run *run, uint32_t epoch)
{
        for (size_t i = 0; i < sampler->gaps.count; i++) {
                const struct gap_record *gap = &sampler->gaps.gaps[i];
                if (gap->cause != GAP_PRUNED && gap->from_position && gap->epoch >= run->epoch &&
                    gap->epoch <= epoch && gap->from_id == run->last_id)
                        return gap;
        }
        return NULL;
}

static bool epoch_began_by_scale(const struct sampler *sampler, uint32_t epoch)
{
        for (size_t i = 0; i < sampler->stream->day_count; i++) {
                if (epoch_is_scale(sampler->reader, sampler->stream, i, epoch))
                        return true;
        }
        return false;
}

static void run_note(struct run *run, enum book_status after, int64_t after_ns, int64_t until_ns)
{
        run->after = after;
        run->after_ns = after_ns;
        run->until_ns = until_ns;
}

/* The last run's event was the last one before @epoch, or the last of all. */
static void note_what_follows(struct sampler *sampler, uint32_t epoch, bool at_end)
{
        struct run *run = last_run(sampler);
        bool receive = sampler->options.clock == CLOCK_RECEIVE;
        if (!run->has_event)
                return;
        const struct gap_record *gap = find_gap(sampler, run, at_end ? epoch : epoch - 1);
        if (gap)
                run_note(run, STATUS_GAP, receive ? gap->from_receive_ns : gap->from_time_ns,
                    gap->open     ? INT64_MAX
                        : receive ? gap->to_receive_ns
                                  : gap->to_time_ns);
        else if (epoch > run->epoch && !epoch_began_by_scale(sampler, epoch))
                run_note(run, STATUS_GAP, run->time_ns, INT64_MAX);
        else if (at_end)
                run_note(run, STATUS_ENDED, recon_end(sampler->stream, sampler->options.clock),
                    INT64_MAX);
}

/* ---- telling points ---- */

static enum book_status status_at(const struct run *run, int64_t at_ns)
{
        if (!run->has_event)
                return STATUS_EMPTY;
        return at_ns > run->after_ns && at_ns < run->until_ns ? run->after : STATUS_OK;
}

static int fail_overflow(const struct sampler *sampler, int64_t at_ns)
{
        char at[TIME_TEXT_SIZE];
        return error_set(sampler->error, ERR_RANGE,
            "%s:%s: the depth of %zu levels at %s is too large a number",
            sampler->stream->name.exchange, sampler->stream->name.symbol, sampler->options.depth,
            time_format(at_ns, at));
}

static int tell_point(struct sampler *sampler, const struct run *run)
{
        struct sample_point point = {.at_ns = sampler->next_ns,
            .status = status_at(run, sampler->next_ns),
            .event_time_ns = run->event_time_ns,
            .scale = run->scale};
        for (enum side s = 0; s < SIDES && point.status == STATUS_OK; s++) {
                if (run->depth[s].overflows)
                        return fail_overflow(sampler, point.at_ns);
                point.sides[s] = run->depth[s].side;
        }
        if (__builtin_add_overflow(sampler->next_ns, sampler->options.every_ns, &sampler->next_ns))
                sampler->next_ns = INT64_MAX;
        return sampler->point_cb(&point, sampler->user);
}

static bool next_is_decided(const struct sampler *sampler)
{
        return sampler->running_max_ns > sampler->next_ns &&
            (uint64_t)sampler->running_max_ns - (uint64_t)sampler->next_ns >
            (uint64_t)sampler->fall_back_ns;
}

/* Tell the points that are decided, or @all. */
static int tell_points(struct sampler *sampler, bool all)
{
        int code = 0;
        while (!code && !is_beyond_grid(sampler) && (all || next_is_decided(sampler))) {
                while (sampler->count > 1 && run_at(sampler, 1)->start_ns <= sampler->next_ns) {
                        sampler->first = (sampler->first + 1) % sampler->capacity;
                        sampler->count--;
                }
                code = tell_point(sampler, run_at(sampler, 0));
        }
        return code;
}

/* ---- events ---- */

static void push_run(struct sampler *sampler, const struct run *run)
{
        while (sampler->count && last_run(sampler)->start_ns >= run->start_ns)
                sampler->count--;
        assert(sampler->count < sampler->capacity);
        sampler->count++;
        *last_run(sampler) = *run;
}

static bool event_is_early(const struct sampler *sampler, const struct event *event, uint32_t epoch)
{
        return epoch < sampler->start_epoch ||
            (epoch == sampler->start_epoch && event->last_id <= sampler->start_id);
}

static struct run event_run(struct sampler *sampler, const struct event *event,
    const struct scale *scale, const struct book *book, uint32_t epoch)
{
        const struct run *before = last_run(sampler);
        bool receive = sampler->options.clock == CLOCK_RECEIVE;
        struct run run = {.has_event = true,
            .epoch = epoch,
            .last_id = event->last_id,
            .event_time_ns = event->event_time_ns,
            .time_ns = receive ? event->receive_time_ns : event->event_time_ns,
            .scale = *scale};
        for (enum side s = 0; s < SIDES; s++) {
                if (sampler->image_came || depth_is_touched(&before->depth[s], s, event))
                        depth_count(book, s, sampler->options.depth, &run.depth[s]);
                else
                        run.depth[s] = before->depth[s];
        }
        sampler->image_came = false;
        return run;
}

static int sample_event(const struct event *event, const int64_t *befores,
    const struct scale *scale, const struct book *book, uint32_t epoch, void *user)
{
        (void)befores;
        struct sampler *sampler = user;
        if (event_is_early(sampler, event, epoch))
                return 0;
        if (last_run(sampler)->epoch != epoch)
                note_what_follows(sampler, epoch, false);
        struct run run = event_run(sampler, event, scale, book, epoch);
        if (run.time_ns > sampler->running_max_ns)
                sampler->running_max_ns = run.time_ns;
        int code = tell_points(sampler, false);
        if (code)
                return code;
        sampler->complete = is_beyond_grid(sampler);
        if (sampler->complete)
                return ERR_STOPPED;
        run.start_ns = point_from(sampler, run.time_ns);
        if (run.start_ns < sampler->next_ns)
                run.start_ns = sampler->next_ns;
        push_run(sampler, &run);
        return 0;
}

static void sample_image(const struct book *book, const struct scale *scale, void *user)
{
        struct sampler *sampler = user;
        (void)book;
        (void)scale;
        sampler->image_came = true;
}

/* ---- begin ---- */

static int fail_stream(const struct sampler *sampler, int code, const char *what)
{
        return error_set(sampler->error, code, "%s:%s: %s: %s", sampler->stream->name.exchange,
            sampler->stream->name.symbol, what, error_name(code));
}

/* The time of the first event that a book took. ERR_NOT_FOUND: there is none. */
static int first_time(const struct sampler *sampler, int64_t *ret_time_ns)
{
        struct frame_cursor cursor;
        if (!sampler->stream->day_count)
                return ERR_NOT_FOUND;
        int code = frame_seek(&cursor, sampler->reader, sampler->stream, 0, 0, false);
        while (!code && (cursor.code || cursor.info.kind != FRAME_CHANGES))
                code = frame_next(&cursor);
        if (!code)
                *ret_time_ns = sampler->options.clock == CLOCK_RECEIVE
                    ? cursor.info.first_receive_time_ns
                    : cursor.info.first_event_time_ns;
        frame_done(&cursor);
        return code;
}

/* Fill in what of the grid is not given. */
static int complete_grid(struct sampler *sampler)
{
        struct sample_options *options = &sampler->options;
        if (options->to_ns == INT64_MAX)
                options->to_ns = recon_end(sampler->stream, options->clock);
        if (options->from_ns != INT64_MIN)
                return 0;
        int64_t first;
        int code = first_time(sampler, &first);
        if (code == ERR_NOT_FOUND)
                options->from_ns = options->to_ns; /* no events, no points */
        else if (code)
                return fail_stream(sampler, code, "its first frame cannot be read");
        else if (first % options->every_ns <= 0)
                options->from_ns = first - first % options->every_ns;
        else if (__builtin_add_overflow(
                     first - first % options->every_ns, options->every_ns, &options->from_ns))
                options->from_ns = INT64_MAX;
        return 0;
}

/* Room for the runs that can begin between the next point and the one after the greatest time. */
static int make_room(struct sampler *sampler)
{
        int64_t every = sampler->options.every_ns, back = sampler->stream->mark.fall_back_ns;
        sampler->fall_back_ns = sampler->options.clock == CLOCK_RECEIVE || back < 0 ? 0 : back;
        uint64_t points = (uint64_t)sampler->fall_back_ns / (uint64_t)every + 1;
        if (points > LIMIT_SAMPLE_POINTS)
                return error_set(sampler->error, ERR_FULL,
                    "%s:%s: a point every %" PRId64 " ns is too fine where event times fall back "
                    "by %" PRId64 " ns: %d points can wait for late events",
                    sampler->stream->name.exchange, sampler->stream->name.symbol, every,
                    sampler->fall_back_ns, LIMIT_SAMPLE_POINTS);
        sampler->capacity = (size_t)points + 2;
        sampler->runs = memory_new(sampler->capacity * sizeof(struct run));
        return 0;
}

/* The first run: the book at the first point. */
static int push_start(struct sampler *sampler)
{
        struct recon_book book;
        const struct sample_options *options = &sampler->options;
        recon_book_init(&book);
        int code = recon_book_at(sampler->reader, sampler->stream, options->from_ns, options->clock,
            &book, sampler->error);
        struct run run = {.start_ns = options->from_ns,
            .has_event = book.status != STATUS_EMPTY,
            .epoch = book.epoch,
            .last_id = book.last_id,
            .event_time_ns = book.event_time_ns,
            .time_ns = options->clock == CLOCK_RECEIVE ? book.receive_time_ns : book.event_time_ns,
            .scale = book.scale};
        for (enum side s = 0; s < SIDES && !code; s++)
                depth_count(&book.book, s, options->depth, &run.depth[s]);
        recon_book_deinit(&book);
        sampler->start_epoch = run.epoch;
        sampler->start_id = run.last_id;
        sampler->running_max_ns = run.has_event ? run.time_ns : INT64_MIN;
        push_run(sampler, &run);
        return code;
}

static int begin(struct sampler *sampler)
{
        if (sampler->options.every_ns <= 0 || !sampler->options.depth)
                return error_set(
                    sampler->error, ERR_USAGE, "the grid's step and depth are above 0");
        int code = complete_grid(sampler);
        sampler->next_ns = sampler->options.from_ns;
        if (code || is_beyond_grid(sampler))
                return code;
        code = make_room(sampler);
        if (code)
                return code;
        code = recon_gaps(sampler->reader, sampler->stream, &sampler->gaps);
        return code ? fail_stream(sampler, code, "its gap records cannot be read")
                    : push_start(sampler);
}

/* Events from the first run's on: those of its time come with it, and are left out by their ids. */
static int replay(struct sampler *sampler)
{
        const struct run *start = last_run(sampler);
        struct replay_options options = {
            start->has_event ? start->time_ns : INT64_MIN, INT64_MAX, sampler->options.clock};
        struct replay_callbacks callbacks = {
            .event_cb = sample_event, .image_cb = sample_image, .user = sampler};
        int code =
            recon_replay(sampler->reader, sampler->stream, &options, &callbacks, sampler->error);
        if (code)
                return sampler->complete ? 0 : code;
        note_what_follows(sampler, sampler->stream->mark.epoch, true);
        return tell_points(sampler, true);
}

int recon_sample(struct reader *reader, const struct recon_stream *stream,
    const struct sample_options *options, sample_point_cb point_cb, void *user, struct error *error)
{
        struct sampler sampler = {.reader = reader,
            .stream = stream,
            .options = *options,
            .point_cb = point_cb,
            .user = user,
            .error = error,
            .image_came = true};
        int code = begin(&sampler);
        if (!code && !is_beyond_grid(&sampler))
                code = replay(&sampler);
        gap_list_deinit(&sampler.gaps);
        free(sampler.runs);
        return code;
}
