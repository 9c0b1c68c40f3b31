/* Several records as one: the book at a time, and what all together cover. */
#include "recon/merge.h"

#include <stdlib.h>
#include <string.h>

void merge_init(struct merge *merge)
{
        *merge = (struct merge){0};
}

void merge_deinit(struct merge *merge)
{
        for (size_t i = 0; i < merge->count; i++) {
                gap_list_deinit(&merge->sources[i].gaps);
                free(merge->sources[i].spans);
        }
        gap_list_deinit(&merge->gaps);
        free(merge->pieces);
        merge_init(merge);
}

void merge_add(struct merge *merge, struct reader *reader, const char *recorder,
    const struct recon_stream *stream)
{
        bool sequenced = stream->name.sequenced && (!merge->count || merge->name.sequenced);
        merge->name = stream->name;
        merge->name.sequenced = sequenced;
        if (stream->mark.fall_back_ns > merge->fall_back_ns)
                merge->fall_back_ns = stream->mark.fall_back_ns;
        merge->sources[merge->count++] =
            (struct merge_source){.recorder = recorder, .reader = reader, .stream = stream};
}

int64_t merge_end(const struct merge *merge, enum recon_clock clock)
{
        int64_t end = recon_end(merge->sources[0].stream, clock);
        for (size_t i = 1; i < merge->count; i++) {
                int64_t other = recon_end(merge->sources[i].stream, clock);
                end = other > end ? other : end;
        }
        return end;
}

/* ---- the book at a time ---- */

struct candidate {
        struct merge *merge;
        enum recon_clock clock;
        struct recon_book *best;
        size_t source; /* whose it is; all: nobody's yet */
        int code;      /* of the first one that is damaged ... */
        struct error error;
        int64_t hidden_id; /* ... and up to here events may be that it cannot tell of */
};

/* Could an event behind the book's last one, which this record lacks, have been earlier than that
 * time all the same? */
static bool may_lack_event(
    const struct candidate *candidate, size_t index, const struct recon_book *book)
{
        const struct merge_source *source = &candidate->merge->sources[index];
        bool receive = candidate->clock == CLOCK_RECEIVE;
        int64_t back = receive ? 0 : candidate->merge->fall_back_ns;
        if (book->at_ns >= merge_shift(recon_end(source->stream, candidate->clock), -back))
                return true;
        for (size_t i = 0; i < source->gaps.count; i++) {
                const struct gap_record *gap = &source->gaps.gaps[i];
                int64_t from = receive ? gap->from_receive_ns : gap->from_time_ns;
                if (gap->cause != GAP_PRUNED && gap->from_position &&
                    gap->from_id >= book->last_id && book->at_ns >= merge_shift(from, -back))
                        return true;
        }
        return false;
}

/* The one that has the later event; of equal ones that which is sure of it. By their own clocks, or
 * without ids to compare, being sure comes first. */
static bool is_better(const struct candidate *candidate, const struct recon_book *book)
{
        const struct recon_book *best = candidate->best;
        bool sure = book->status == STATUS_OK, best_sure = best->status == STATUS_OK;
        bool by_id = candidate->merge->by_id;
        if (candidate->source == candidate->merge->count)
                return true;
        if (book->status == STATUS_EMPTY || best->status == STATUS_EMPTY)
                return best->status == STATUS_EMPTY && book->status != STATUS_EMPTY;
        if (by_id && candidate->clock == CLOCK_EXCHANGE && book->last_id != best->last_id)
                return book->last_id > best->last_id;
        if (sure || best_sure)
                return sure && (!best_sure || (by_id && book->last_id > best->last_id));
        return by_id ? book->last_id > best->last_id : book->event_time_ns > best->event_time_ns;
}

static void swap_books(struct recon_book *a, struct recon_book *b)
{
        struct recon_book book = *a;
        *a = *b;
        *b = book;
}

/* Ask one record. Returns whether the others need not be asked. */
static bool try_source(
    struct candidate *candidate, size_t index, int64_t at_ns, struct recon_book *book)
{
        const struct merge_source *source = &candidate->merge->sources[index];
        struct error error = {0};
        int code =
            recon_book_at(source->reader, source->stream, at_ns, candidate->clock, book, &error);
        if (code && !candidate->code) {
                candidate->code = code;
                candidate->error = error;
        }
        if (code && source->stream->mark.last_id > candidate->hidden_id)
                candidate->hidden_id = source->stream->mark.last_id;
        if (code || !is_better(candidate, book))
                return false;
        swap_books(candidate->best, book);
        candidate->source = index;
        return candidate->best->status == STATUS_OK &&
            !may_lack_event(candidate, index, candidate->best);
}

/* Does the merged record go on right behind that id? Then the event there is later than the time
 * that was asked for, or its record would have told of it. */
static bool goes_on(const struct merge *merge, int64_t id)
{
        const struct merge_piece *last = &merge->pieces[merge->piece_count - 1];
        if (id >= merge->sources[last->source].spans[last->span].end)
                return false;
        for (size_t i = 0; i < merge->gaps.count; i++) {
                if (merge->gaps.gaps[i].from_id == id)
                        return false;
        }
        return true;
}

/* What is damaged matters unless another one is sure, or at the end of all. */
static bool damage_matters(const struct candidate *candidate)
{
        const struct recon_book *best = candidate->best;
        if (!candidate->code)
                return false;
        if (candidate->source == candidate->merge->count || best->status == STATUS_EMPTY)
                return true;
        return best->status != STATUS_OK &&
            !(candidate->merge->by_id && best->last_id >= candidate->hidden_id);
}

static int end_search(const struct candidate *candidate, size_t *ret_source, struct error *error)
{
        const struct merge *merge = candidate->merge;
        struct recon_book *best = candidate->best;
        if (damage_matters(candidate)) {
                if (error)
                        *error = candidate->error;
                return candidate->code;
        }
        *ret_source = candidate->source;
        if (merge->by_id && (best->status == STATUS_GAP || best->status == STATUS_ENDED) &&
            merge->piece_count && goes_on(merge, best->last_id))
                best->status = STATUS_OK;
        return 0;
}

int merge_book_at(struct merge *merge, int64_t at_ns, enum recon_clock clock,
    struct recon_book *ret_book, size_t *ret_source, struct error *error)
{
        *ret_source = 0;
        if (merge->count == 1)
                return recon_book_at(merge->sources[0].reader, merge->sources[0].stream, at_ns,
                    clock, ret_book, error);
        struct candidate candidate = {.merge = merge,
            .clock = clock,
            .best = ret_book,
            .source = merge->count,
            .hidden_id = INT64_MIN};
        struct recon_book book;
        recon_book_init(&book);
        int code = merge_read_gaps(merge, 0, error); /* the first one may be enough */
        bool sure = !code && try_source(&candidate, 0, at_ns, &book);
        if (!code && !sure)
                code = merge_prepare(merge, false, error);
        for (size_t i = 1; i < merge->count && !code && !sure; i++)
                sure = try_source(&candidate, i, at_ns, &book);
        recon_book_deinit(&book);
        return code ? code : end_search(&candidate, ret_source, error);
}

/* ---- coverage ---- */

static bool gap_touches(const struct gap_record *gap, const struct coverage *coverage)
{
        return gap->from_time_ns < coverage->to_ns
            ? gap->open || gap->to_time_ns > coverage->from_ns
            : gap->open && gap->from_time_ns == coverage->to_ns;
}

/* What the gap takes from [@until, @end); returns up to where it reaches. */
static int64_t count_lost(const struct gap_record *gap, int64_t until, int64_t end, int64_t *lost)
{
        int64_t from = gap->from_time_ns > until ? gap->from_time_ns : until;
        int64_t to = gap->open || gap->to_time_ns > end ? end : gap->to_time_ns;
        if (to <= from)
                return until;
        *lost += to - from;
        return to;
}

static int compare_times(const void *a, const void *b)
{
        const struct gap_record *left = a, *right = b;
        return (left->from_time_ns > right->from_time_ns) -
            (left->from_time_ns < right->from_time_ns);
}

/* Days that were dropped are lost up to where anybody's record begins. */
static void add_pruned(const struct merge *merge, struct gap_list *all)
{
        int64_t begin = merge->piece_count ? merge->pieces[0].from_ns[CLOCK_EXCHANGE] : INT64_MAX;
        for (size_t i = 0; i < merge->count; i++) {
                const struct gap_list *gaps = &merge->sources[i].gaps;
                for (size_t j = 0; j < gaps->count; j++) {
                        struct gap_record gap = gaps->gaps[j];
                        if (gap.cause != GAP_PRUNED || gap.from_time_ns >= begin)
                                continue;
                        if (gap.to_time_ns > begin)
                                gap.to_time_ns = begin;
                        merge_push_gap(all, &gap);
                }
        }
}

/* All gaps of the merged record, in order: none of the dropped days within another. */
static void collect_gaps(const struct merge *merge, struct gap_list *ret_all)
{
        struct gap_list pruned = {0};
        int64_t until = INT64_MIN;
        *ret_all = (struct gap_list){0};
        add_pruned(merge, &pruned);
        if (pruned.count)
                qsort(pruned.gaps, pruned.count, sizeof(struct gap_record), compare_times);
        for (size_t i = 0; i < pruned.count; i++) {
                if (pruned.gaps[i].to_time_ns <= until)
                        continue;
                merge_push_gap(ret_all, &pruned.gaps[i]);
                until = pruned.gaps[i].to_time_ns;
        }
        gap_list_deinit(&pruned);
        for (size_t i = 0; i < merge->gaps.count; i++)
                merge_push_gap(ret_all, &merge->gaps.gaps[i]);
}

int merge_list_gaps(struct merge *merge, struct gap_list *ret_list, struct error *error)
{
        *ret_list = (struct gap_list){0};
        if (merge->count == 1)
                return recon_gaps(merge->sources[0].reader, merge->sources[0].stream, ret_list);
        int code = merge_prepare(merge, false, error);
        if (!code)
                collect_gaps(merge, ret_list);
        return code;
}

/* From the first event of all, or the first day that was dropped. */
static int64_t first_time(const struct merge *merge, const struct gap_list *all)
{
        int64_t first = merge->sources[0].stream->mark.first_event_time_ns;
        if (merge->piece_count)
                first = merge->pieces[0].from_ns[CLOCK_EXCHANGE];
        if (all->count && all->gaps[0].cause == GAP_PRUNED && all->gaps[0].from_time_ns < first)
                first = all->gaps[0].from_time_ns;
        return first;
}

static void cut_gaps(const struct merge *merge, struct coverage *coverage)
{
        struct gap_list all;
        collect_gaps(merge, &all);
        int64_t first = first_time(merge, &all), last = merge_end(merge, CLOCK_EXCHANGE);
        if (coverage->from_ns == INT64_MIN)
                coverage->from_ns = first;
        if (coverage->to_ns == INT64_MAX)
                coverage->to_ns = last > first ? last : first;
        int64_t begin = coverage->from_ns > first ? coverage->from_ns : first;
        int64_t end = coverage->to_ns < last ? coverage->to_ns : last;
        int64_t until = begin, lost = 0;
        for (size_t i = 0; i < all.count; i++) {
                if (!gap_touches(&all.gaps[i], coverage))
                        continue;
                merge_push_gap(&coverage->gaps, &all.gaps[i]);
                until = count_lost(&all.gaps[i], until, end, &lost);
        }
        coverage->covered_ns = end > begin ? end - begin - lost : 0;
        gap_list_deinit(&all);
}

static void cut_ranges(const struct merge *merge, struct merge_coverage *coverage)
{
        int64_t from = coverage->coverage.from_ns, to = coverage->coverage.to_ns;
        coverage->ranges = memory_new((merge->piece_count + 1) * sizeof(struct merge_range));
        for (size_t i = 0; i < merge->piece_count; i++) {
                const struct merge_piece *piece = &merge->pieces[i];
                struct merge_range range = {
                    piece->source, piece->from_ns[CLOCK_EXCHANGE], piece->to_ns[CLOCK_EXCHANGE]};
                range.from_ns = range.from_ns > from ? range.from_ns : from;
                range.to_ns = range.to_ns < to ? range.to_ns : to;
                struct merge_range *last =
                    coverage->range_count ? &coverage->ranges[coverage->range_count - 1] : NULL;
                if (last && last->source == range.source && !piece->after_gap)
                        last->to_ns = range.to_ns;
                else if (range.to_ns > range.from_ns)
                        coverage->ranges[coverage->range_count++] = range;
        }
}

static int count_corrections(
    const struct merge *merge, struct coverage *coverage, bool whole, struct error *error)
{
        int code = 0;
        for (size_t i = 0; i < merge->count && !code; i++) {
                const struct merge_source *source = &merge->sources[i];
                struct coverage own = {.corrections = source->corrections};
                if (!whole)
                        code = recon_coverage(source->reader, source->stream, coverage->from_ns,
                            coverage->to_ns, &own, error);
                coverage->corrections += own.corrections;
                gap_list_deinit(&own.gaps);
        }
        return code;
}

/* One record: all between its gaps. */
static void list_ranges(struct merge_coverage *coverage)
{
        const struct coverage *own = &coverage->coverage;
        int64_t from = own->from_ns;
        coverage->ranges = memory_new((own->gaps.count + 1) * sizeof(struct merge_range));
        for (size_t i = 0; i <= own->gaps.count; i++) {
                const struct gap_record *gap = i < own->gaps.count ? &own->gaps.gaps[i] : NULL;
                int64_t to = gap && gap->from_time_ns < own->to_ns ? gap->from_time_ns : own->to_ns;
                if (to > from)
                        coverage->ranges[coverage->range_count++] =
                            (struct merge_range){0, from, to};
                if (gap)
                        from = gap->open ? own->to_ns : gap->to_time_ns;
        }
}

int merge_coverage(struct merge *merge, int64_t from_ns, int64_t to_ns,
    struct merge_coverage *ret_coverage, struct error *error)
{
        *ret_coverage = (struct merge_coverage){{.from_ns = from_ns, .to_ns = to_ns}, NULL, 0};
        struct coverage *coverage = &ret_coverage->coverage;
        bool whole = from_ns == INT64_MIN && to_ns == INT64_MAX;
        int code = 0;
        if (merge->count == 1) {
                code = recon_coverage(merge->sources[0].reader, merge->sources[0].stream, from_ns,
                    to_ns, coverage, error);
                if (!code)
                        list_ranges(ret_coverage);
                return code;
        }
        code = merge_prepare(merge, true, error);
        code = code ? code : count_corrections(merge, coverage, whole, error);
        if (code)
                return code;
        cut_gaps(merge, coverage);
        cut_ranges(merge, ret_coverage);
        return 0;
}

void merge_coverage_deinit(struct merge_coverage *coverage)
{
        gap_list_deinit(&coverage->coverage.gaps);
        free(coverage->ranges);
        *coverage = (struct merge_coverage){0};
}
