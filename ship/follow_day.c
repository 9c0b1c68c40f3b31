/* One stream in one day: which frames are final, and all that goes with them. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ship/internal.h"
#include "store/layout.h"

#define MARK_EVERY_NS (10 * NS_PER_S) /* where nothing but the recorded end has moved */

/* ---- where the copy stands ---- */

/* What a frame holds, to see whether it is still the same: its bytes end with its checksum. */
static uint64_t sum_of(struct bytes frame)
{
        uint64_t sum = frame.size * UINT64_C(0x9e3779b97f4a7c15);
        for (size_t i = frame.size < 64 ? 0 : frame.size - 64; i < frame.size; i++)
                sum = (sum ^ frame.data[i]) * UINT64_C(0x100000001b3);
        return sum;
}

static int find_last(struct store_txn *txn, uint32_t number, struct follow_state *state)
{
        const struct store_ops *ops = txn->store->ops;
        struct store_cursor cursor;
        int code =
            ops->seek_back(txn, STORE_FRAMES, key_position(number, state->next - 1), &cursor);
        state->last_known = !code && cursor.key.stream == number;
        if (state->last_known) {
                struct frame_info info;
                state->last = (uint64_t)cursor.key.major;
                state->last_sum = sum_of(cursor.value);
                state->last_key =
                    frame_read(cursor.value, &info) ? INT64_MAX : frame_time_key(&info);
        }
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}

static int load_mark(struct store_txn *txn, uint32_t number, struct follow_state *state)
{
        struct bytes value;
        int code = txn->store->ops->get(txn, STORE_MARKS, key_mark(number), &value);
        code = code ? code : mark_read(value, &state->mark);
        if (code)
                return code == ERR_NOT_FOUND ? 0 : code;
        state->begun = true;
        state->next = state->mark.next_position;
        return find_last(txn, number, state);
}

/* All epochs and gaps are told again after a new look: they are few, and it makes no difference. */
int follow_load_day(struct follow *follow, struct follow_stream *stream, struct error *error)
{
        struct follow_state *state = &stream->state;
        struct store *target = follow->options.target;
        struct store_txn txn;
        char day[DAY_TEXT_SIZE];
        *state = (struct follow_state){.day = state->day};
        int code = target->ops->begin(target, state->day, false, &txn, error);
        if (code && code != ERR_NOT_FOUND)
                return code;
        if (!code) {
                code = load_mark(&txn, stream->number, state);
                target->ops->abort(&txn);
        }
        if (code && code != ERR_NOT_FOUND)
                return error_set(error, code, "%s:%s: %s: where its copy stands cannot be read: %s",
                    stream->name.exchange, stream->name.symbol, day_format(state->day, day),
                    error_name(code));
        if (!state->begun &&
            (code = follow_mark_before(follow, stream->number, state->day, &state->mark, error)))
                return code;
        state->loaded = true;
        state->told = state->begun;
        return 0;
}

/* ---- which frames are final ---- */

/* Is what the recorder may still replace told by the head alone? */
static bool may_change(const struct frame_info *info)
{
        return info->flags & FRAME_OPEN || info->kind == FRAME_HEADLESS;
}

/* Where the final frames from @next on end, or a part of them that fits the budget. */
static int find_final_end(struct follow *follow, struct store_txn *source, uint32_t number,
    uint64_t next, uint64_t *ret_end)
{
        const struct store_ops *ops = source->store->ops;
        struct store_cursor cursor;
        size_t bytes = 0;
        *ret_end = next;
        int code = ops->seek(source, STORE_FRAMES, key_position(number, next), &cursor);
        while (!code && cursor.key.stream == number) {
                struct frame_info info;
                bool known = !frame_read(cursor.value, &info);
                bytes += cursor.value.size;
                if (known && !may_change(&info))
                        *ret_end = (uint64_t)cursor.key.major + frame_positions(&info);
                if (bytes > follow->budget && *ret_end > next) {
                        follow->more = true;
                        break;
                }
                code = ops->next(&cursor);
        }
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}

/* ---- copying ---- */

static void note_damage(
    struct follow *follow, const struct follow_stream *stream, uint32_t day, uint64_t position)
{
        char text[DAY_TEXT_SIZE];
        struct follow_stats *stats = &follow->stats_staged;
        if (!stats->damaged++)
                snprintf(stats->damage, sizeof(stats->damage), "%s:%s: %s, frame at position %llu",
                    stream->name.exchange, stream->name.symbol, day_format(day, text),
                    (unsigned long long)position);
}

/* Where a damaged frame stands in the time index only the index tells. */
static int find_time(
    struct store_txn *source, uint32_t number, uint64_t position, int64_t *ret_time_ns)
{
        const struct store_ops *ops = source->store->ops;
        struct store_cursor cursor;
        int code = ops->seek(source, STORE_TIMES, key_time(number, INT64_MIN, 0), &cursor);
        while (!code && cursor.key.stream == number && cursor.key.minor != position)
                code = ops->next(&cursor);
        if (!code && cursor.key.stream != number)
                code = ERR_NOT_FOUND;
        *ret_time_ns = cursor.key.major;
        ops->done(&cursor);
        return code;
}

static int copy_frame(struct follow *follow, struct follow_stream *stream, struct store_txn *source,
    struct store_txn *target, uint64_t position, struct bytes frame)
{
        const struct store_ops *ops = target->store->ops;
        struct follow_state *state = &stream->staged;
        struct frame_info info;
        bool damaged = frame_read(frame, &info);
        int64_t time_ns = damaged ? 0 : frame_time_key(&info);
        ops->add(target, STORE_FRAMES, key_position(stream->number, position), frame);
        state->last = position;
        state->last_sum = sum_of(frame);
        state->last_known = true;
        follow->budget -= frame.size < follow->budget ? frame.size : follow->budget;
        follow->stats_staged.frames++;
        follow->stats_staged.bytes += frame.size;
        int code = damaged ? find_time(source, stream->number, position, &time_ns) : 0;
        if (!code)
                ops->add(
                    target, STORE_TIMES, key_time(stream->number, time_ns, position), BYTES(""));
        state->last_key = code ? INT64_MAX : time_ns;
        if (damaged) {
                note_damage(follow, stream, target->place, position);
                tally_damaged(&state->mark, position, frame.size);
        } else {
                tally_frame(&state->mark, position, &info, frame.size);
                follow->stats_staged.events += frame_is_image(&info) ? 0 : info.events;
        }
        state->next = state->mark.next_position;
        return code == ERR_NOT_FOUND ? 0 : code;
}

/* All that is there before @end: what is missing in the source, or damaged, holds nothing up. */
static int copy_frames(struct follow *follow, struct follow_stream *stream,
    struct store_txn *source, struct store_txn *target, uint64_t end)
{
        const struct store_ops *ops = source->store->ops;
        struct follow_state *state = &stream->staged;
        struct store_cursor cursor;
        bool all = true;
        int code =
            ops->seek(source, STORE_FRAMES, key_position(stream->number, state->next), &cursor);
        while (!code && cursor.key.stream == stream->number && (uint64_t)cursor.key.major < end) {
                all = follow->budget;
                if (!all)
                        break;
                code = copy_frame(
                    follow, stream, source, target, (uint64_t)cursor.key.major, cursor.value);
                code = code ? code : ops->next(&cursor);
        }
        ops->done(&cursor);
        if (code && code != ERR_NOT_FOUND)
                return code;
        if (all && end > state->next)
                state->next = state->mark.next_position = end;
        return 0;
}

static int copy_epochs(
    struct follow_stream *stream, struct store_txn *source, struct store_txn *target)
{
        const struct store_ops *ops = source->store->ops;
        struct follow_state *state = &stream->staged;
        struct store_cursor cursor;
        int code =
            ops->seek(source, STORE_EPOCHS, key_epoch(stream->number, state->epoch), &cursor);
        while (!code && cursor.key.stream == stream->number) {
                struct epoch_record epoch;
                code = epoch_read(cursor.value, &epoch);
                if (code || epoch.position >= state->next)
                        break;
                target->store->ops->put(target, STORE_EPOCHS, cursor.key, cursor.value);
                state->epoch = (uint32_t)cursor.key.major + 1;
                code = ops->next(&cursor);
        }
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}

/* A gap whose end is not there yet is still open for a reader of the copy. */
static void copy_gap(struct follow_stream *stream, struct store_txn *target, struct store_key key,
    struct gap_record *gap)
{
        struct follow_state *state = &stream->staged;
        struct buffer value;
        bool early = !gap->open && gap->to_position >= state->next;
        if (early) {
                gap->open = true;
                gap->to_id = gap->to_time_ns = gap->to_receive_ns = 0;
                gap->to_position = 0;
        }
        buffer_init(&value, 4096);
        gap_write(&value, gap);
        uint64_t sum = sum_of(buffer_bytes(&value));
        if (state->gap != (uint64_t)key.major || state->gap_sum != sum)
                target->store->ops->put(target, STORE_GAPS, key, buffer_bytes(&value));
        buffer_deinit(&value);
        if (state->gap == (uint64_t)key.major)
                state->gap_sum = sum;
        if (!gap->open && state->gap == (uint64_t)key.major)
                state->gap = (uint64_t)key.major + 1;
        state->mark.gap_position = (uint64_t)key.major;
        state->mark.gap_open = gap->open;
}

/* Records of gaps that begin where the copy has come to; later ones are counted in @ret_later. */
static int copy_gaps(struct follow_stream *stream, struct store_txn *source,
    struct store_txn *target, uint64_t *ret_later)
{
        const struct store_ops *ops = source->store->ops;
        struct follow_state *state = &stream->staged;
        struct store_cursor cursor;
        bool settled = true; /* all records so far stay as they are */
        *ret_later = 0;
        int code = ops->seek(source, STORE_GAPS, key_position(stream->number, state->gap), &cursor);
        while (!code && cursor.key.stream == stream->number) {
                struct gap_record gap;
                code = gap_read(cursor.value, &gap);
                if (code)
                        break;
                if ((uint64_t)cursor.key.major > state->next) {
                        ++*ret_later;
                } else {
                        state->gap = settled ? (uint64_t)cursor.key.major : state->gap;
                        copy_gap(stream, target, cursor.key, &gap);
                        settled &= state->gap > (uint64_t)cursor.key.major;
                }
                code = ops->next(&cursor);
        }
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}

static void put_mark(
    struct follow_stream *stream, struct store_txn *target, const struct mark_record *mark)
{
        struct buffer value;
        buffer_init(&value, 4096);
        mark_write(&value, mark);
        target->store->ops->put(
            target, STORE_MARKS, key_mark(stream->number), buffer_bytes(&value));
        buffer_deinit(&value);
        stream->staged.mark = *mark;
        stream->staged.begun = true;
        stream->staged.mark_ns = clock_mono_ns();
}

/* A day begins: the counters are of the day, the rest goes on. */
static void begin_day(struct follow_state *state, const struct mark_record *whole)
{
        struct mark_record *mark = &state->mark;
        mark->events = mark->level_updates = mark->images = mark->gaps = 0;
        mark->image_bytes = mark->change_bytes = 0;
        mark->clean = mark->removed = false;
        mark->first_position = mark->next_position = whole->first_position;
        state->next = whole->first_position;
}

static bool same_mark(const struct mark_record *a, const struct mark_record *b)
{
        struct buffer left, right;
        buffer_init(&left, 4096);
        buffer_init(&right, 4096);
        mark_write(&left, a);
        mark_write(&right, b);
        bool same = left.size == right.size && !memcmp(left.data, right.data, left.size);
        buffer_deinit(&left);
        buffer_deinit(&right);
        return same;
}

/* Beside what moves with every second? */
static bool says_news(const struct mark_record *now, const struct mark_record *before)
{
        struct mark_record a = *now, b = *before;
        a.recorded_until_ns = b.recorded_until_ns = 0;
        a.recorded_until_receive_ns = b.recorded_until_receive_ns = 0;
        a.fall_back_ns = b.fall_back_ns = 0;
        return !same_mark(&a, &b);
}

/* Does what comes next go on in a segment that is there in part? */
static bool goes_on(struct store_txn *source, const struct follow_stream *stream)
{
        const struct store_ops *ops = source->store->ops;
        struct store_cursor cursor;
        struct frame_info info;
        uint64_t next = stream->staged.next;
        int code = ops->seek(source, STORE_FRAMES, key_position(stream->number, next), &cursor);
        bool on = !code && cursor.key.stream == stream->number &&
            !frame_peek(cursor.value, &info) && info.kind != FRAME_HEADLESS && info.segment < next;
        ops->done(&cursor);
        return on;
}

/* Were frames coded anew that are there already? What follows in their segment would not go with
 * them. */
static bool was_recoded(struct store_txn *source, const struct follow_stream *stream)
{
        const struct follow_state *state = &stream->staged;
        struct bytes value;
        if (!state->last_known || !goes_on(source, stream))
                return false;
        int code = source->store->ops->get(
            source, STORE_FRAMES, key_position(stream->number, state->last), &value);
        return code ? code == ERR_NOT_FOUND : sum_of(value) != state->last_sum;
}

/* Take the stream out of the day again: it is copied anew. Frames go last: while some are there
 * what was begun here is seen. */
static void erase_day(struct follow_stream *stream, struct store_txn *target)
{
        const struct store_ops *ops = target->store->ops;
        struct store_key first = {stream->number, INT64_MIN, 0};
        struct store_key last = {stream->number, INT64_MAX, UINT64_MAX};
        ops->erase(target, STORE_MARKS, first, last, NULL);
        ops->erase(target, STORE_TIMES, first, last, NULL);
        ops->erase(target, STORE_FRAMES, first, last, NULL);
        stream->staged =
            (struct follow_state){.day = stream->staged.day}; /* to be looked at anew */
}

/* A commit that failed may have left frames that no mark tells of. Where they were coded anew since
 * they must go first. 1: something goes; 0. */
static int sweep(struct follow_stream *stream, struct store_txn *source, struct store_txn *target)
{
        const struct store_ops *ops = target->store->ops;
        struct follow_state *state = &stream->staged;
        struct store_key from = key_position(stream->number, state->begun ? state->next : 0);
        struct store_key last = {stream->number, INT64_MAX, UINT64_MAX};
        struct store_cursor cursor;
        struct bytes value;
        int code =
            source->store->ops->get(source, STORE_MARKS, key_archive(stream->number), &value);
        if (code)
                return code == ERR_NOT_FOUND ? 0 : code;
        code = ops->seek(target, STORE_FRAMES, from, &cursor);
        bool some = !code && cursor.key.stream == stream->number;
        ops->done(&cursor);
        if (code && code != ERR_NOT_FOUND)
                return code;
        if (!some)
                return 0;
        if (state->begun) /* also what it may have left of a mark */
                put_mark(stream, target, &state->mark);
        else
                ops->erase(
                    target, STORE_MARKS, key_mark(stream->number), key_mark(stream->number), NULL);
        int64_t key = !state->begun ? INT64_MIN : state->last_known ? state->last_key : INT64_MAX;
        ops->erase(
            target, STORE_TIMES, key_time(stream->number, key, (uint64_t)from.major), last, NULL);
        ops->erase(target, STORE_FRAMES, from, last, NULL);
        return 1;
}

static int copy_all(struct follow *follow, struct follow_stream *stream, struct store_txn *source,
    struct store_txn *target, const struct mark_record *whole)
{
        struct follow_state *state = &stream->staged;
        uint64_t end = whole->next_position, later = 0;
        bool final = follow->options.final || whole->clean || stream->passed;
        int code = final ? 0 : find_final_end(follow, source, stream->number, state->next, &end);
        code = code ? code : copy_frames(follow, stream, source, target, end);
        code = code ? code : copy_epochs(stream, source, target);
        code = code ? code : copy_gaps(stream, source, target, &later);
        if (code)
                return code;
        state->mark.gaps = whole->gaps > later ? whole->gaps - later : 0;
        struct mark_record mark = tally_mark(&state->mark, whole);
        stream->over = stream->passed && mark.next_position >= whole->next_position;
        bool due = !state->begun || says_news(&mark, &stream->state.mark) ||
            (clock_mono_ns() - state->mark_ns >= MARK_EVERY_NS &&
                !same_mark(&mark, &stream->state.mark));
        if (due)
                put_mark(stream, target, &mark);
        else
                state->mark = stream->state.mark;
        return 0;
}

int follow_copy_day(struct follow *follow, struct follow_stream *stream, struct store_txn *source,
    struct store_txn *target)
{
        struct mark_record whole;
        struct bytes value;
        int code = source->store->ops->get(source, STORE_MARKS, key_mark(stream->number), &value);
        code = code ? code : mark_read(value, &whole);
        stream->stepped = !code;
        if (code == ERR_NOT_FOUND)
                stream->over = stream->passed;
        if (code)
                return code == ERR_NOT_FOUND ? 0 : code;
        code = stream->staged.swept ? 0 : sweep(stream, source, target);
        if (code < 0)
                return code;
        stream->staged.swept = !code;
        if (code) {
                follow->more = true;
                return 0;
        }
        if (stream->staged.begun && was_recoded(source, stream)) {
                erase_day(stream, target);
                follow->more = true;
                return 0; /* the next step begins it anew: a store takes what is added first */
        }
        if (!stream->staged.begun)
                begin_day(&stream->staged, &whole);
        return copy_all(follow, stream, source, target, &whole);
}

int follow_copy_notes(struct follow *follow, struct store_txn *source, struct store_txn *target)
{
        const struct store_ops *ops = source->store->ops;
        struct store_cursor cursor;
        follow->note_staged = follow->note_day == source->place ? follow->note_next : INT64_MIN;
        int code = ops->seek(source, STORE_NOTES, key_note(follow->note_staged), &cursor);
        while (!code && cursor.key.stream == 0 && cursor.key.major < INT64_MAX) {
                target->store->ops->put(target, STORE_NOTES, cursor.key, cursor.value);
                follow->note_staged = cursor.key.major + 1;
                code = ops->next(&cursor);
        }
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}
