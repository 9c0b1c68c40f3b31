/* Gaps of a record: the stored ones, the pruned days, and what is missing without a word. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "recon/internal.h"
#include "store/layout.h"

static void gap_add(struct gap_list *list, const struct gap_record *gap)
{
        if (list->count == list->capacity) {
                list->capacity = list->capacity ? list->capacity * 2 : 16;
                list->gaps = memory_resize(list->gaps, list->capacity * sizeof(*gap));
        }
        list->gaps[list->count++] = *gap;
}

void gap_list_deinit(struct gap_list *list)
{
        free(list->gaps);
        *list = (struct gap_list){0};
}

/* A gap that a later day tells of again is the same gap, with more known of it. */
static void gap_merge(struct gap_list *list, const struct gap_record *gap)
{
        for (size_t i = list->count; i-- > 0;) {
                struct gap_record *known = &list->gaps[i];
                if (known->from_position == gap->from_position && known->epoch == gap->epoch &&
                    known->open) {
                        *known = *gap;
                        return;
                }
        }
        gap_add(list, gap);
}

int gap_take(const struct reader *reader, const struct recon_stream *stream, struct bytes value,
    struct gap_record *ret_gap)
{
        int code = gap_read(value, ret_gap);
        bool early = !code && !ret_gap->open && !reader->store->ops->atomic &&
            ret_gap->to_position >= stream->mark.next_position;
        if (early) {
                ret_gap->open = true;
                ret_gap->to_id = ret_gap->to_time_ns = ret_gap->to_receive_ns = 0;
                ret_gap->to_position = 0;
        }
        return code;
}

static int read_day_gaps(
    struct reader *reader, const struct recon_stream *stream, uint32_t day, struct gap_list *list)
{
        const struct store_ops *ops = reader->store->ops;
        struct store_txn txn;
        struct store_cursor cursor;
        struct gap_record gap;
        int code = ops->begin(reader->store, day, false, &txn, NULL);
        if (code)
                return code == ERR_NOT_FOUND ? 0 : code;
        code = ops->seek(&txn, STORE_GAPS, key_position(stream->number, 0), &cursor);
        while (!code && cursor.key.stream == stream->number) {
                code = gap_take(reader, stream, cursor.value, &gap);
                if (!code) {
                        gap_merge(list, &gap);
                        code = ops->next(&cursor);
                }
        }
        ops->done(&cursor);
        ops->abort(&txn);
        return code == ERR_NOT_FOUND ? 0 : code;
}

static int read_pruned(
    struct reader *reader, const struct recon_stream *stream, struct gap_list *list)
{
        const struct store_ops *ops = reader->store->ops;
        struct store_txn meta;
        struct store_cursor cursor;
        struct gap_record gap;
        int code = ops->begin(reader->store, STORE_META, false, &meta, NULL);
        if (code)
                return code;
        code = ops->seek(&meta, STORE_PRUNED, key_day(stream->number, 0), &cursor);
        while (!code && cursor.key.stream == stream->number) {
                code = gap_read(cursor.value, &gap);
                if (!code) {
                        gap_add(list, &gap);
                        code = ops->next(&cursor);
                }
        }
        ops->done(&cursor);
        ops->abort(&meta);
        return code == ERR_NOT_FOUND ? 0 : code;
}

int recon_gaps(struct reader *reader, const struct recon_stream *stream, struct gap_list *ret_list)
{
        *ret_list = (struct gap_list){0};
        int code = read_pruned(reader, stream, ret_list);
        for (size_t i = 0; i < stream->day_count && !code; i++)
                code = read_day_gaps(reader, stream, stream->days[i], ret_list);
        return code;
}

bool epoch_is_scale(
    struct reader *reader, const struct recon_stream *stream, size_t day, uint32_t epoch)
{
        const struct store_ops *ops = reader->store->ops;
        struct store_txn txn;
        struct bytes value;
        struct epoch_record record;
        if (ops->begin(reader->store, stream->days[day], false, &txn, NULL))
                return false;
        bool is_scale = !ops->get(&txn, STORE_EPOCHS, key_epoch(stream->number, epoch), &value) &&
            !epoch_read(value, &record) && record.cause == EPOCH_SCALE;
        ops->abort(&txn);
        return is_scale;
}

/* ---- holes: what positions, epochs and ids tell beyond the recorded gaps ---- */

struct walk {
        const struct gap_list *gaps;
        struct gap_list *holes;
        uint64_t expected; /* position of the next frame */
        bool has_last;
        uint64_t last_position;
        int64_t last_id, last_time_ns, last_receive_ns;
        uint32_t epoch;
        bool broken;      /* frames were missing since the last good event ... */
        bool rebased;     /* ... and an image came since, so that what follows is exact again */
        int64_t first_ns; /* time of the first event that can be rebuilt, or of a hole before it */
        int64_t from_ns, to_ns;
        uint64_t corrections;
};

static void hole_add(
    struct walk *walk, const struct frame_info *next, uint64_t position, const char *detail)
{
        struct gap_record hole = {.cause = GAP_MISSING,
            .epoch = walk->epoch,
            .from_id = walk->last_id,
            .from_time_ns = walk->last_time_ns,
            .from_receive_ns = walk->last_receive_ns,
            .from_position = walk->last_position,
            .open = !next};
        if (next) {
                hole.to_id = next->first_id;
                hole.to_time_ns = next->first_event_time_ns;
                hole.to_receive_ns = next->first_receive_time_ns;
                hole.to_position = position;
        }
        snprintf(hole.detail, sizeof(hole.detail), "%s", detail);
        gap_add(walk->holes, &hole);
}

bool gap_spans(const struct gap_list *gaps, uint64_t from_position, uint64_t to_position)
{
        for (size_t i = 0; i < gaps->count; i++) {
                if (gaps->gaps[i].from_position == from_position &&
                    gaps->gaps[i].to_position == to_position)
                        return true;
        }
        return false;
}

static void walk_take(struct walk *walk, const struct frame_info *info, uint64_t position)
{
        walk->has_last = true;
        walk->broken = false;
        walk->last_position = position + info->events - 1;
        walk->last_id = info->last_id;
        walk->last_time_ns = info->last_event_time_ns;
        walk->last_receive_ns = info->last_receive_time_ns;
        walk->epoch = info->epoch;
}

/* A frame of changes follows what came before it, or a recorded gap lies between. */
static void walk_changes(struct walk *walk, const struct frame_info *info, uint64_t position)
{
        bool recorded = gap_spans(walk->gaps, walk->last_position, position);
        bool follows = info->first_id <= walk->last_id + 1 && info->last_id > walk->last_id;
        if (walk->broken && !recorded)
                hole_add(walk, info, position, "frames are missing or damaged");
        else if (walk->has_last && !recorded && !follows)
                hole_add(walk, info, position, "ids are missing");
        if (!walk->has_last)
                walk->first_ns = walk->broken ? walk->last_time_ns : info->first_event_time_ns;
        walk_take(walk, info, position);
}

static void walk_break(struct walk *walk)
{
        walk->broken = true;
        walk->rebased = false;
}

static void walk_frame(struct walk *walk, const struct frame_cursor *cursor)
{
        struct frame_info info;
        bool damaged = cursor->code || frame_read(cursor->frame, &info);
        if (!cursor_follows(cursor, walk->expected))
                walk_break(walk);
        walk->expected = cursor->position + (damaged ? 1 : frame_positions(&info));
        if (damaged) {
                walk_break(walk);
                return;
        }
        if (info.kind == FRAME_CHANGES && (!walk->broken || walk->rebased)) {
                if (cursor->skip) /* its first events were looked at before it was sealed */
                        walk_take(walk, &info, cursor->position);
                else
                        walk_changes(walk, &info, cursor->position);
        }
        if (!frame_is_image(&info))
                return;
        walk->rebased |= info.kind == FRAME_IMAGE;
        if (info.first_event_time_ns >= walk->from_ns && info.first_event_time_ns < walk->to_ns)
                walk->corrections += info.corrections;
}

static int walk_all(struct reader *reader, const struct recon_stream *stream, struct walk *walk)
{
        struct frame_cursor cursor;
        walk->expected = stream->first_position;
        walk->first_ns = walk->last_time_ns = stream->mark.first_event_time_ns;
        int code = frame_seek(&cursor, reader, stream, 0, 0, false);
        while (!code) {
                walk_frame(walk, &cursor);
                code = frame_next(&cursor);
        }
        frame_done(&cursor);
        if ((walk->expected < stream->mark.next_position || walk->broken) &&
            walk->last_position < stream->mark.last_position)
                hole_add(walk, NULL, 0, "the last frames are missing or damaged");
        return code == ERR_NOT_FOUND ? 0 : code;
}

static int compare_gaps(const void *a, const void *b)
{
        const struct gap_record *left = a, *right = b;
        return left->from_time_ns < right->from_time_ns ? -1
                                                        : left->from_time_ns > right->from_time_ns;
}

/* Gaps of @all that touch [from, to), and the time that they leave of what was recorded, from
 * @first_ns to @end_ns. */
static void cut_gaps(
    const struct gap_list *all, int64_t first_ns, int64_t end_ns, struct coverage *coverage)
{
        int64_t begin = coverage->from_ns > first_ns ? coverage->from_ns : first_ns;
        int64_t end = coverage->to_ns < end_ns ? coverage->to_ns : end_ns;
        int64_t until = begin, lost = 0;
        for (size_t i = 0; i < all->count; i++) {
                const struct gap_record *gap = &all->gaps[i];
                int64_t from = gap->from_time_ns,
                        to = gap->open ? coverage->to_ns : gap->to_time_ns;
                if (from >= coverage->to_ns || to <= coverage->from_ns) {
                        if (!(gap->open && from <= coverage->to_ns))
                                continue;
                }
                gap_add(&coverage->gaps, gap);
                from = from < until ? until : from;
                to = to > end ? end : to;
                if (to > from) {
                        lost += to - from;
                        until = to;
                }
        }
        coverage->covered_ns = end > begin ? end - begin - lost : 0;
}

/* What was pruned came before all that is there. */
static int64_t first_time(int64_t first_ns, const struct gap_list *gaps)
{
        for (size_t i = 0; i < gaps->count; i++) {
                if (gaps->gaps[i].cause == GAP_PRUNED &&
                    (!first_ns || gaps->gaps[i].from_time_ns < first_ns))
                        first_ns = gaps->gaps[i].from_time_ns;
        }
        return first_ns;
}

int recon_coverage(struct reader *reader, const struct recon_stream *stream, int64_t from_ns,
    int64_t to_ns, struct coverage *ret_coverage, struct error *error)
{
        struct gap_list recorded, all = {0};
        *ret_coverage = (struct coverage){.from_ns = from_ns, .to_ns = to_ns};
        int code = recon_gaps(reader, stream, &recorded);
        for (size_t i = 0; i < recorded.count && !code; i++)
                gap_add(&all, &recorded.gaps[i]);
        int64_t end = recon_end(stream, CLOCK_EXCHANGE);
        struct walk walk = {.gaps = &recorded, .holes = &all, .from_ns = from_ns, .to_ns = to_ns};
        if (!code && stream->day_count)
                code = walk_all(reader, stream, &walk);
        if (!code) {
                int64_t first = first_time(walk.first_ns, &recorded);
                end = end > first ? end : first;
                if (from_ns == INT64_MIN)
                        ret_coverage->from_ns = first;
                if (to_ns == INT64_MAX)
                        ret_coverage->to_ns = end;
                if (all.count)
                        qsort(all.gaps, all.count, sizeof(all.gaps[0]), compare_gaps);
                ret_coverage->corrections = walk.corrections;
                cut_gaps(&all, first, end, ret_coverage);
        } else {
                error_set(error, code, "%s:%s: %s", stream->name.exchange, stream->name.symbol,
                    error_name(code));
        }
        gap_list_deinit(&recorded);
        gap_list_deinit(&all);
        return code;
}
