/* Which record each range is taken from. The gaps of a record leave spans; the plan goes along
 * them: it stays in one to its end, then changes to the one that goes on from there and reaches
 * farthest. Where none does, the merged record has a gap, up to the span that begins first. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "recon/internal.h"
#include "recon/merge.h"

/* ---- what the ids mean ---- */

enum numbering {
        NUMBERS_OWN,      /* counted by the recorder: two records cannot be compared by them */
        NUMBERS_EXCHANGE, /* the same in every record */
        NUMBERS_AGGREGATE /* likewise, of aggregated trades */
};

/* Coinbase numbers neither of its feeds of levels. */
static enum numbering numbering_of(const struct stream_name *name, const char *feed)
{
        if (!name->sequenced)
                return NUMBERS_OWN;
        if (name->kind == KIND_L2 && (!strcmp(feed, "level2_batch") || !strcmp(feed, "advanced")))
                return NUMBERS_OWN;
        return strcmp(feed, "aggTrade") ? NUMBERS_EXCHANGE : NUMBERS_AGGREGATE;
}

/* Ids decide where all records number alike, in all their epochs. */
static int find_numbering(struct merge *merge, bool *ret_by_id)
{
        bool first = true;
        enum numbering all = NUMBERS_OWN;
        *ret_by_id = true;
        for (size_t i = 0; i < merge->count && *ret_by_id; i++) {
                const struct merge_source *source = &merge->sources[i];
                struct source_list list;
                int code = recon_sources(source->reader, source->stream, &list);
                for (size_t j = 0; j < list.count; j++) {
                        enum numbering own = numbering_of(&merge->name, list.sources[j].feed);
                        *ret_by_id &= own != NUMBERS_OWN && (first || own == all);
                        all = own;
                        first = false;
                }
                source_list_deinit(&list);
                if (code)
                        return code;
        }
        *ret_by_id &= merge->name.sequenced;
        return 0;
}

/* ---- the spans of one record ---- */

/* In stream order; of those that begin alike the longest first. */
static int compare_gaps(const void *a, const void *b)
{
        const struct gap_record *left = a, *right = b;
        uint64_t left_to = left->open ? UINT64_MAX : left->to_position;
        uint64_t right_to = right->open ? UINT64_MAX : right->to_position;
        int order = (left->from_position > right->from_position) -
            (left->from_position < right->from_position);
        return order ? order : (left_to < right_to) - (left_to > right_to);
}

/* The frame that begins with the first event of all, or (@gap) with the first one behind a gap. */
static int find_first_frame(const struct merge_source *source, const struct gap_record *gap,
    struct frame_info *ret_info, uint64_t *ret_position)
{
        const struct recon_stream *stream = source->stream;
        struct frame_cursor cursor;
        size_t day = 0;
        while (gap && day + 1 < stream->day_count &&
            stream->days[day + 1] <= day_of_time(gap->to_receive_ns))
                day++;
        int code =
            frame_seek(&cursor, source->reader, stream, day, gap ? gap->to_position : 0, false);
        if (gap && day && (code || cursor.position != gap->to_position)) {
                frame_done(&cursor);
                code = frame_seek(&cursor, source->reader, stream, 0, gap->to_position, false);
        }
        while (!code && (cursor.code || cursor.info.kind != FRAME_CHANGES))
                code = frame_next(&cursor);
        if (!code) {
                *ret_info = cursor.info;
                *ret_position = cursor.position;
        }
        frame_done(&cursor);
        return code;
}

/* Begin a span: at the record's first event, or behind @gap. ERR_NOT_FOUND: there is none. */
static int span_begin(
    const struct merge_source *source, const struct gap_record *gap, struct merge_span *ret_span)
{
        struct frame_info info;
        uint64_t position;
        int code = find_first_frame(source, gap, &info, &position);
        if (code && !(gap && code == ERR_NOT_FOUND))
                return code;
        bool found = !code && (!gap || position == gap->to_position);
        *ret_span = (struct merge_span){.first_id = found ? info.first_id : gap->to_id};
        ret_span->from_ns[CLOCK_EXCHANGE] = found ? info.first_event_time_ns : gap->to_time_ns;
        ret_span->from_ns[CLOCK_RECEIVE] = found ? info.first_receive_time_ns : gap->to_receive_ns;
        return 0;
}

static void span_end(struct merge_span *span, const struct gap_record *gap)
{
        span->gap = *gap;
        span->ends_open = gap->open;
        span->last_id = gap->from_id;
        span->to_ns[CLOCK_EXCHANGE] = gap->from_time_ns;
        span->to_ns[CLOCK_RECEIVE] = gap->from_receive_ns;
}

/* The record ends without a gap. What is lost from here on, if nobody else goes on, is lost for the
 * reason that its mark tells. */
static void span_end_record(struct merge_span *span, const struct mark_record *mark)
{
        struct gap_record gap = {.cause = GAP_CRASHED,
            .open = true,
            .epoch = mark->epoch,
            .from_id = mark->last_id,
            .from_time_ns = mark->recorded_until_ns,
            .from_receive_ns = mark->recorded_until_receive_ns,
            .from_position = mark->last_position};
        if (mark->clean)
                gap.cause = mark->removed ? GAP_REMOVED : GAP_STOPPED;
        span_end(span, &gap);
        span->goes_on = true;
}

static void span_add(struct merge *merge, struct merge_source *source, struct merge_span *span)
{
        span->start =
            merge->by_id ? merge_shift(span->first_id, -1) : span->from_ns[CLOCK_EXCHANGE];
        span->end = merge->by_id ? span->last_id : span->to_ns[CLOCK_EXCHANGE];
        source->spans =
            memory_resize(source->spans, (source->span_count + 1) * sizeof(*source->spans));
        source->spans[source->span_count++] = *span;
}

/* Does the gap cut the record behind its first event, which stands at @position? */
static bool gap_cuts(const struct gap_record *gap, uint64_t position)
{
        return gap->cause != GAP_PRUNED && gap->from_position >= position;
}

static int find_spans(struct merge *merge, struct merge_source *source)
{
        struct merge_span span;
        struct frame_info info;
        uint64_t position;
        free(source->spans);
        source->spans = NULL;
        source->span_count = 0;
        int code = find_first_frame(source, NULL, &info, &position);
        if (code)
                return code == ERR_NOT_FOUND ? 0 : code;
        const struct gap_record *lost = NULL; /* before what is there */
        for (size_t i = 0; i < source->gaps.count; i++) {
                const struct gap_record *gap = &source->gaps.gaps[i];
                if (gap->cause == GAP_MISSING && !gap->from_position && !gap->open)
                        lost = gap;
        }
        code = span_begin(source, lost, &span);
        position = lost ? lost->to_position : position;
        for (size_t i = 0; i < source->gaps.count && !code; i++) {
                const struct gap_record *gap = &source->gaps.gaps[i];
                if (!gap_cuts(gap, position))
                        continue;
                span_end(&span, gap);
                span_add(merge, source, &span);
                if (gap->open)
                        return 0;
                position = gap->to_position;
                code = span_begin(source, gap, &span);
        }
        if (code)
                return code;
        span_end_record(&span, &source->stream->mark);
        span_add(merge, source, &span);
        return 0;
}

void merge_push_gap(struct gap_list *list, const struct gap_record *gap)
{
        if (list->count == list->capacity) {
                list->capacity = list->capacity ? 2 * list->capacity : 16;
                list->gaps = memory_resize(list->gaps, list->capacity * sizeof(*gap));
        }
        list->gaps[list->count++] = *gap;
}

/* What is missing or damaged, which takes reading all of the record to see. */
static int add_holes(struct merge_source *source, struct error *error)
{
        struct coverage coverage;
        int code =
            recon_coverage(source->reader, source->stream, INT64_MIN, INT64_MAX, &coverage, error);
        for (size_t i = 0; i < coverage.gaps.count && !code; i++) {
                if (coverage.gaps.gaps[i].cause == GAP_MISSING)
                        merge_push_gap(&source->gaps, &coverage.gaps.gaps[i]);
        }
        gap_list_deinit(&coverage.gaps);
        source->corrections = coverage.corrections;
        source->walked = true;
        return code;
}

static int find_gaps(struct merge_source *source, bool walk, struct error *error)
{
        if (source->gaps_known && !walk)
                return 0;
        gap_list_deinit(&source->gaps);
        int code = recon_gaps(source->reader, source->stream, &source->gaps);
        if (!code && walk)
                code = add_holes(source, error);
        source->gaps_known = !code;
        if (source->gaps.count)
                qsort(
                    source->gaps.gaps, source->gaps.count, sizeof(struct gap_record), compare_gaps);
        return code;
}

/* ---- the plan ---- */

struct planner {
        struct merge *merge;
        size_t next[MERGE_SOURCES_MAX]; /* each record's first span that reaches beyond the key */
        int64_t key;                    /* up to here all is taken */
        size_t source;                  /* from whom it was taken last */
};

static struct merge_span *next_span(const struct planner *planner, size_t source)
{
        const struct merge_source *from = &planner->merge->sources[source];
        size_t index = planner->next[source];
        return index < from->span_count ? &from->spans[index] : NULL;
}

static void pass_spans(struct planner *planner)
{
        const struct merge_span *span;
        for (size_t i = 0; i < planner->merge->count; i++) {
                while ((span = next_span(planner, i)) && span->end <= planner->key)
                        planner->next[i]++;
        }
}

/* The record that goes on from here, and farthest; else their count. It may be the same again,
 * behind a gap in which nothing was sent: ids tell so. */
static size_t find_follower(const struct planner *planner)
{
        size_t count = planner->merge->count, best = count;
        for (size_t i = 0; i < count; i++) {
                const struct merge_span *span = next_span(planner, i);
                bool same = i == planner->source && !planner->merge->by_id;
                if (same || !span || span->start > planner->key)
                        continue;
                if (best == count || span->end > next_span(planner, best)->end)
                        best = i;
        }
        return best;
}

/* The record whose next span begins first; of two that reaches farther. */
static size_t find_first(const struct planner *planner)
{
        size_t count = planner->merge->count, best = count;
        for (size_t i = 0; i < count; i++) {
                const struct merge_span *span = next_span(planner, i),
                                        *other = best < count ? next_span(planner, best) : NULL;
                if (span &&
                    (!other || span->start < other->start ||
                        (span->start == other->start && span->end > other->end)))
                        best = i;
        }
        return best;
}

static int note_first(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        (void)befores, (void)scale, (void)book, (void)epoch;
        *(int64_t *)user = event->last_id;
        return ERR_STOPPED;
}

/* The last id of a span's first event: its gap tells, or, of the first one, the event itself. */
static int64_t first_event_id(const struct merge_source *source, size_t span)
{
        static const struct replay_options all = {INT64_MIN, INT64_MAX, CLOCK_EXCHANGE};
        int64_t id = source->spans[span].first_id;
        struct replay_callbacks callbacks = {.event_cb = note_first, .user = &id};
        if (!span)
                recon_replay(source->reader, source->stream, &all, &callbacks, NULL);
        for (size_t i = 0; i < source->gaps.count && span; i++) {
                const struct gap_record *gap = &source->gaps.gaps[i];
                if (gap->from_position == source->spans[span - 1].gap.from_position)
                        return gap->to_id;
        }
        return id;
}

/* Nobody has what lies between the last piece and @to. */
static void add_gap(struct merge *merge, const struct merge_piece *to)
{
        const struct merge_piece *from = &merge->pieces[merge->piece_count - 1];
        struct gap_record gap = merge->sources[from->source].spans[from->span].gap;
        gap.open = !to;
        gap.to_id = gap.to_time_ns = gap.to_receive_ns = 0;
        gap.to_position = 0;
        if (to) {
                gap.to_id = first_event_id(&merge->sources[to->source], to->span);
                gap.to_time_ns = to->from_ns[CLOCK_EXCHANGE];
                gap.to_receive_ns = to->from_ns[CLOCK_RECEIVE];
        }
        merge_push_gap(&merge->gaps, &gap);
}

/* Take the next span of @source from here on. */
static void add_piece(struct planner *planner, size_t source, bool after_gap)
{
        struct merge *merge = planner->merge;
        const struct merge_span *span = next_span(planner, source);
        struct merge_piece piece = {
            .source = source, .span = planner->next[source], .after_gap = after_gap};
        const struct merge_piece *last =
            merge->piece_count ? &merge->pieces[merge->piece_count - 1] : NULL;
        for (size_t c = 0; c < MERGE_CLOCKS; c++) {
                piece.from_ns[c] = last && !after_gap ? last->to_ns[c] : span->from_ns[c];
                piece.to_ns[c] = span->to_ns[c];
        }
        if (last && after_gap) {
                add_gap(merge, &piece);
                piece.cause = merge->gaps.gaps[merge->gaps.count - 1].cause;
        }
        merge->pieces =
            memory_resize(merge->pieces, (merge->piece_count + 1) * sizeof(*merge->pieces));
        merge->pieces[merge->piece_count++] = piece;
        planner->source = source;
        planner->key = span->end;
        pass_spans(planner);
}

static void make_plan(struct merge *merge)
{
        struct planner planner = {.merge = merge, .key = INT64_MIN, .source = merge->count};
        free(merge->pieces);
        merge->pieces = NULL;
        merge->piece_count = 0;
        gap_list_deinit(&merge->gaps);
        pass_spans(&planner);
        for (;;) {
                size_t follower = find_follower(&planner);
                bool follows = follower < merge->count;
                size_t source = follows ? follower : find_first(&planner);
                if (source == merge->count)
                        break;
                add_piece(&planner, source, !follows);
        }
        if (!merge->piece_count)
                return;
        const struct merge_piece *last = &merge->pieces[merge->piece_count - 1];
        const struct merge_span *span = &merge->sources[last->source].spans[last->span];
        if (span->ends_open && !span->goes_on)
                add_gap(merge, NULL);
}

static int fail_source(const struct merge *merge, const struct merge_source *source, int code,
    const struct error *cause, struct error *error)
{
        if (code)
                error_set(error, code, "%s:%s of %s: %s", merge->name.exchange, merge->name.symbol,
                    source->recorder, cause->code ? cause->text : error_name(code));
        return code;
}

static int read_source(
    struct merge *merge, struct merge_source *source, bool walk, struct error *error)
{
        struct error cause = {0};
        int code = find_gaps(source, walk, &cause);
        code = code ? code : find_spans(merge, source);
        return fail_source(merge, source, code, &cause, error);
}

int merge_read_gaps(struct merge *merge, size_t source, struct error *error)
{
        struct error cause = {0};
        int code = find_gaps(&merge->sources[source], false, &cause);
        return fail_source(merge, &merge->sources[source], code, &cause, error);
}

int merge_prepare(struct merge *merge, bool walk, struct error *error)
{
        bool known = merge->known;
        int code = known ? 0 : find_numbering(merge, &merge->by_id);
        if (code)
                return error_set(error, code, "%s:%s: its epoch records cannot be read: %s",
                    merge->name.exchange, merge->name.symbol, error_name(code));
        for (size_t i = 0; i < merge->count && !code; i++) {
                struct merge_source *source = &merge->sources[i];
                if (!merge->known || (walk && !source->walked)) {
                        known = false;
                        code = read_source(merge, source, walk, error);
                }
        }
        if (!code && !known)
                make_plan(merge);
        merge->known |= !code;
        return code;
}

int merge_walk(struct merge *merge, size_t source, struct error *error)
{
        int code = read_source(merge, &merge->sources[source], true, error);
        if (!code)
                make_plan(merge);
        return code;
}
