/* The book at a time: find the frame that holds the last event, rebuild from its segment's image.
 */
#include <string.h>

#include "base/clock.h"
#include "recon/internal.h"
#include "store/layout.h"

void recon_book_init(struct recon_book *book)
{
        *book = (struct recon_book){.status = STATUS_EMPTY};
        book_init(&book->book);
}

void recon_book_deinit(struct recon_book *book)
{
        book_deinit(&book->book);
}

const char *book_status_name(enum book_status status)
{
        static const char *const names[] = {"ok", "gap", "ended", "empty"};
        return names[status];
}

int64_t recon_end(const struct recon_stream *stream, enum recon_clock clock)
{
        return clock == CLOCK_RECEIVE ? stream->mark.recorded_until_receive_ns
                                      : stream->mark.recorded_until_ns;
}

/* Does the day begin (the events before its first frame) no later than @limit_ns? The mark of the
 * day before it tells. */
static bool day_begins_by(const struct recon_stream *stream, size_t day, int64_t limit_ns)
{
        const struct mark_record *before = &stream->marks[day - 1];
        return !before->timed || before->running_max_ns <= limit_ns;
}

/* The last day that can hold an event of running maximum <= @limit_ns. */
static size_t find_day(const struct recon_stream *stream, int64_t limit_ns)
{
        size_t low = 0, count = stream->day_count;
        while (count > 1) {
                size_t half = count / 2;
                if (day_begins_by(stream, low + half, limit_ns))
                        low += half;
                count -= half;
        }
        return low;
}

static size_t find_day_received(const struct recon_stream *stream, int64_t at_ns)
{
        size_t day = 0;
        while (day + 1 < stream->day_count && stream->days[day + 1] <= day_of_time(at_ns))
                day++;
        return day;
}

/* Position of the last frame of @day before which no event was later than @limit_ns. */
static int find_position(struct reader *reader, const struct recon_stream *stream, size_t day,
    int64_t limit_ns, uint64_t *ret_position)
{
        const struct store_ops *ops = reader->store->ops;
        struct store_txn txn;
        struct store_cursor cursor;
        int code = ops->begin(reader->store, stream->days[day], false, &txn, NULL);
        if (code)
                return code;
        code = ops->seek_back(
            &txn, STORE_TIMES, key_time(stream->number, limit_ns, UINT64_MAX), &cursor);
        if (!code && cursor.key.stream != stream->number)
                code = ERR_NOT_FOUND;
        if (!code)
                *ret_position = cursor.key.minor;
        ops->done(&cursor);
        ops->abort(&txn);
        return code;
}

static bool frame_reaches(const struct frame_cursor *cursor, int64_t at_ns, enum recon_clock clock)
{
        const struct frame_info *info = &cursor->info;
        if (cursor->code || info->kind != FRAME_CHANGES)
                return false;
        return (clock == CLOCK_RECEIVE ? info->first_receive_time_ns : info->min_event_time_ns) <=
            at_ns;
}

/* Where the frame after the one under the cursor begins, or should begin. The cursor stays. */
static int find_end(const struct frame_cursor *cursor, uint64_t *ret_end)
{
        struct frame_cursor next;
        uint64_t own = cursor->position + (cursor->code ? 1 : frame_positions(&cursor->info));
        uint64_t written = cursor->stream->mark.next_position;
        int code = frame_seek(
            &next, cursor->reader, cursor->stream, cursor->day, cursor->position + 1, false);
        if (!code)
                *ret_end = cursor_begin(&next);
        else if (code == ERR_NOT_FOUND)
                *ret_end = own > written ? own : written;
        frame_done(&next);
        return code == ERR_NOT_FOUND ? 0 : code;
}

/* Walk back to the frame that reaches @at_ns. What is passed must be whole: a frame that is missing
 * or damaged there could hold the event that is looked for. */
static int walk_back(struct frame_cursor *cursor, int64_t at_ns, enum recon_clock clock)
{
        uint64_t end = 0;
        bool doubt = false;
        int code = find_end(cursor, &end);
        for (; !code; code = frame_prev(cursor)) {
                struct frame_info info;
                bool damaged = cursor->code || frame_read(cursor->frame, &info);
                doubt |= damaged || cursor->position + frame_positions(&info) != end;
                if (!damaged && frame_reaches(cursor, at_ns, clock))
                        return doubt ? ERR_CORRUPT : 0;
                if (!damaged && clock == CLOCK_RECEIVE && !frame_is_image(&info))
                        doubt = false; /* all after it was received later still */
                end = cursor_begin(cursor);
        }
        if (code == ERR_NOT_FOUND && (doubt || end != cursor->stream->first_position))
                return ERR_CORRUPT;
        return code;
}

/* The index may lack entries: go on to the last frame before which no event was later than
 * @limit_ns. */
static int walk_forward(struct frame_cursor *cursor, int64_t limit_ns)
{
        struct frame_cursor next;
        uint64_t position = cursor->position;
        size_t day = cursor->day;
        int code = frame_seek(
            &next, cursor->reader, cursor->stream, cursor->day, cursor->position + 1, false);
        while (!code && !next.code &&
            (!(next.info.flags & FRAME_TIMED) || next.info.running_max_ns <= limit_ns)) {
                position = next.position;
                day = next.day;
                code = frame_next(&next);
        }
        frame_done(&next);
        if (position == cursor->position || (code && code != ERR_NOT_FOUND))
                return code == ERR_NOT_FOUND ? 0 : code;
        frame_done(cursor);
        return frame_seek(cursor, cursor->reader, cursor->stream, day, position, true);
}

int locate_frame(struct reader *reader, const struct recon_stream *stream, int64_t at_ns,
    enum recon_clock clock, struct frame_cursor *cursor)
{
        uint64_t position = UINT64_MAX >> 1;
        int64_t limit = INT64_MAX;
        size_t day;
        *cursor = (struct frame_cursor){.reader = reader, .stream = stream};
        if (!stream->day_count)
                return ERR_NOT_FOUND;
        if (clock == CLOCK_RECEIVE) {
                day = find_day_received(stream, at_ns);
        } else {
                if (__builtin_add_overflow(at_ns, stream->mark.fall_back_ns, &limit))
                        limit = INT64_MAX;
                day = find_day(stream, limit);
                int code = find_position(reader, stream, day, limit, &position);
                if (code == ERR_NOT_FOUND && day == 0)
                        return code;
                if (code && code != ERR_NOT_FOUND)
                        return code;
                if (code) { /* the day begins later, or has no frames: the end of the one before */
                        day--;
                        position = UINT64_MAX >> 1;
                }
        }
        int code = frame_seek(cursor, reader, stream, day, position, true);
        if (code == ERR_NOT_FOUND && stream->mark.last_position)
                return ERR_CORRUPT;
        if (!code && clock == CLOCK_EXCHANGE)
                code = walk_forward(cursor, limit);
        return code ? code : walk_back(cursor, at_ns, clock);
}

int locate_start(struct reader *reader, const struct recon_stream *stream, int64_t from_ns,
    struct frame_cursor *cursor)
{
        uint64_t position;
        *cursor = (struct frame_cursor){.reader = reader, .stream = stream};
        if (!stream->day_count || from_ns == INT64_MIN)
                return ERR_NOT_FOUND;
        size_t day = find_day(stream, from_ns - 1);
        int code = find_position(reader, stream, day, from_ns - 1, &position);
        if (!code)
                code = frame_seek(cursor, reader, stream, day, position, true);
        while (!code && cursor->code)
                code = frame_prev(cursor);
        return code;
}

/* ---- rebuilding ---- */

int place_error(struct error *error, int code, const struct frame_cursor *cursor, const char *what)
{
        char day[DAY_TEXT_SIZE];
        return error_set(error, code, "%s:%s: %s, frame at position %llu: %s",
            cursor->stream->name.exchange, cursor->stream->name.symbol,
            day_format(cursor->stream->days[cursor->day], day),
            (unsigned long long)cursor->position, what);
}

int open_frame(struct frame_cursor *cursor, struct error *error)
{
        int code = decoder_open(&cursor->reader->decoder, cursor->frame, &cursor->info);
        if (code == ERR_VERSION)
                return place_error(error, code, cursor, "it was written by a newer version");
        return code ? place_error(error, code, cursor, "it is damaged (checksum or format)") : 0;
}

int load_image(struct frame_cursor *cursor, struct book *book, struct error *error)
{
        int code = open_frame(cursor, error);
        if (code)
                return code;
        if (cursor->info.kind != FRAME_IMAGE)
                return place_error(error, ERR_CORRUPT, cursor, "an image should be here");
        return decoder_image(&cursor->reader->decoder, book)
            ? place_error(error, ERR_CORRUPT, cursor, "its image is damaged")
            : 0;
}

int apply_repair(struct frame_cursor *cursor, struct book *book, struct error *error)
{
        int code = join_frame(cursor, book, error);
        if (!code && decoder_repair(&cursor->reader->decoder, book))
                code = place_error(error, ERR_CORRUPT, cursor, "its repair is damaged");
        return code;
}

/* What a second cursor in another one's transaction stands at. */
static int beside_take(struct frame_cursor *beside, int code)
{
        if (!code && beside->cursor.key.stream != beside->stream->number)
                code = ERR_NOT_FOUND;
        if (code)
                return code;
        beside->position = (uint64_t)beside->cursor.key.major;
        beside->frame = beside->cursor.value;
        beside->code = frame_peek(beside->frame, &beside->info);
        return 0;
}

/* The frame under @beside is decoded into the book. */
static int read_beside(struct frame_cursor *beside, struct book *book, struct error *error)
{
        struct decoder *decoder = &beside->reader->decoder;
        struct event event;
        int more = 0;
        int code = open_frame(beside, error);
        if (!code && beside->info.kind == FRAME_REPAIR)
                return decoder_repair(decoder, book);
        while (!code && (more = decoder_next(decoder, book, &event)) > 0)
                ;
        return code ? code : more;
}

/* The book as it stands before the frame under the cursor; by the cursor's own transaction, in
 * which its segment is what the frame says. */
static int read_segment(struct frame_cursor *cursor, struct book *book, struct error *error)
{
        const struct store_ops *ops = cursor->reader->store->ops;
        struct frame_cursor beside = {
            .reader = cursor->reader, .stream = cursor->stream, .day = cursor->day};
        int code = ops->seek(&cursor->txn, STORE_FRAMES,
            key_position(cursor->stream->number, cursor->info.segment), &beside.cursor);
        code = beside_take(&beside, code);
        code = code ? code : load_image(&beside, book, error);
        while (!code && !(code = beside_take(&beside, ops->next(&beside.cursor))) &&
            beside.position < cursor->position)
                code = read_beside(&beside, book, error);
        ops->done(&beside.cursor);
        return code
            ? place_error(error, ERR_CORRUPT, cursor, "frames between it and its image are missing")
            : 0;
}

int join_frame(struct frame_cursor *cursor, struct book *book, struct error *error)
{
        int code = 0;
        if (cursor->skip || !decoder_continues(&cursor->reader->decoder, &cursor->info))
                code = read_segment(cursor, book, error);
        return code ? code : open_frame(cursor, error);
}

static int apply_events(
    struct frame_cursor *cursor, uint32_t count, struct recon_book *book, struct error *error)
{
        struct event event;
        for (uint32_t i = 0; i < count; i++) {
                if (decoder_next(&cursor->reader->decoder, &book->book, &event) != 1)
                        return place_error(error, ERR_CORRUPT, cursor, "it is damaged (an event)");
                book->event_time_ns = event.event_time_ns;
                book->receive_time_ns = event.receive_time_ns;
                book->last_id = event.last_id;
                book->updates += event_update_count(&event);
        }
        return 0;
}

static bool frame_is_spent(const struct frame_cursor *cursor)
{
        struct book none;
        struct event event;
        book_init(&none);
        bool spent = decoder_next(&cursor->reader->decoder, &none, &event) == 0;
        book_deinit(&none);
        return spent;
}

/* All of a frame before the last one; of the last one the events up to @at_ns. */
static int apply_frame(struct frame_cursor *cursor, bool last, int64_t at_ns,
    enum recon_clock clock, struct recon_book *book, uint64_t *ret_position, struct error *error)
{
        bool received = clock == CLOCK_RECEIVE;
        int code = join_frame(cursor, &book->book, error);
        const struct frame_info *info = &cursor->info;
        uint32_t count = info->events;
        bool cut = (received ? info->last_receive_time_ns : info->max_event_time_ns) > at_ns;
        if (!code && last && cut &&
            decoder_count(&cursor->reader->decoder, at_ns, received, &count))
                code = place_error(error, ERR_CORRUPT, cursor, "it is damaged (an event's head)");
        if (!code)
                code = apply_events(cursor, count, book, error);
        if (!code && count == info->events && !frame_is_spent(cursor))
                code = place_error(error, ERR_CORRUPT, cursor, "it holds more than its head says");
        *ret_position = cursor->position + count - 1;
        return code;
}

/* One frame behind the image, @last being the position of the last event that is wanted. */
static int rebuild_frame(struct frame_cursor *cursor, uint64_t last, int64_t at_ns,
    enum recon_clock clock, struct recon_book *book, uint64_t *ret_position, struct error *error)
{
        if (cursor->info.kind == FRAME_REPAIR)
                return apply_repair(cursor, &book->book, error);
        bool is_last = cursor->position + cursor->info.events > last;
        return apply_frame(cursor, is_last, at_ns, clock, book, ret_position, error);
}

static int rebuild(struct frame_cursor *target, int64_t at_ns, enum recon_clock clock,
    struct recon_book *book, uint64_t *ret_position, struct error *error)
{
        struct frame_cursor cursor;
        uint64_t last = target->position;
        int code = frame_seek(
            &cursor, target->reader, target->stream, target->day, target->info.segment, false);
        if (code || cursor.position != target->info.segment)
                code = place_error(error, ERR_CORRUPT, target, "its image is missing");
        if (!code)
                code = load_image(&cursor, &book->book, error);
        book->updates += cursor.info.level_updates;
        book->scale = cursor.info.scale;
        book->epoch = cursor.info.epoch;
        uint64_t expected = cursor.position + 1;
        while (!code && expected <= last) {
                code = frame_next(&cursor);
                bool good = !code && !cursor.code && cursor_follows(&cursor, expected) &&
                    (cursor.info.kind == FRAME_CHANGES || cursor.info.kind == FRAME_REPAIR);
                code = good ? rebuild_frame(&cursor, last, at_ns, clock, book, ret_position, error)
                            : place_error(error, ERR_CORRUPT, target,
                                  "frames between it and its image are missing");
                expected = cursor.position + frame_positions(&cursor.info);
        }
        frame_done(&cursor);
        return code;
}

/* ---- status ---- */

/* The gap that begins right after the event at @position: the latest word about it. */
static bool find_gap(struct reader *reader, const struct recon_stream *stream, size_t day,
    uint64_t position, struct gap_record *ret_gap)
{
        const struct store_ops *ops = reader->store->ops;
        bool found = false;
        for (; day < stream->day_count; day++) {
                struct store_txn txn;
                struct store_cursor cursor;
                struct gap_record gap;
                if (ops->begin(reader->store, stream->days[day], false, &txn, NULL))
                        break;
                int code = ops->seek(
                    &txn, STORE_GAPS, key_position(stream->number, position + 1), &cursor);
                bool here = !code && cursor.key.stream == stream->number &&
                    !gap_take(reader, stream, cursor.value, &gap) && gap.from_position == position;
                ops->done(&cursor);
                ops->abort(&txn);
                if (here)
                        *ret_gap = gap;
                found |= here;
                if (found && !ret_gap->open)
                        break;
                if (!here && !found && stream->marks[day].last_position > position)
                        break;
        }
        return found;
}

/* Is the event at @position, in the frame under the cursor, the last one before another epoch that
 * began after a gap? Then the record of that gap should be there. */
static bool epoch_ends(const struct frame_cursor *cursor, uint64_t position)
{
        struct frame_cursor next;
        uint64_t end = cursor->position + cursor->info.events;
        if (position + 1 != end)
                return false;
        int code = frame_seek(&next, cursor->reader, cursor->stream, cursor->day, end, false);
        while (!code && !next.code && next.info.kind == FRAME_HEADLESS)
                code = frame_next(&next);
        bool ends = !code && !next.code && next.info.epoch != cursor->info.epoch &&
            !epoch_is_scale(cursor->reader, cursor->stream, next.day, next.info.epoch);
        frame_done(&next);
        return ends;
}

static enum book_status status_at(const struct frame_cursor *target, const struct recon_book *book,
    uint64_t position, enum recon_clock clock)
{
        struct gap_record gap;
        const struct recon_stream *stream = target->stream;
        int64_t at_ns = book->at_ns;
        if (find_gap(target->reader, stream, target->day, position, &gap)) {
                int64_t from = clock == CLOCK_RECEIVE ? gap.from_receive_ns : gap.from_time_ns;
                int64_t to = clock == CLOCK_RECEIVE ? gap.to_receive_ns : gap.to_time_ns;
                return at_ns > from && (gap.open || at_ns < to) ? STATUS_GAP : STATUS_OK;
        }
        int64_t last_ns = clock == CLOCK_RECEIVE ? book->receive_time_ns : book->event_time_ns;
        if (at_ns > last_ns && epoch_ends(target, position))
                return STATUS_GAP;
        return position >= stream->mark.last_position && at_ns > recon_end(stream, clock)
            ? STATUS_ENDED
            : STATUS_OK;
}

static int locate_and_rebuild(struct reader *reader, const struct recon_stream *stream,
    struct recon_book *book, enum recon_clock clock, struct error *error)
{
        struct frame_cursor target;
        uint64_t position = 0;
        int64_t at_ns = book->at_ns;
        int code = locate_frame(reader, stream, at_ns, clock, &target);
        if (code == ERR_CORRUPT)
                error_set(error, code,
                    "%s:%s: frames near that time are missing or damaged: run obrebuild verify",
                    stream->name.exchange, stream->name.symbol);
        else if (code && code != ERR_NOT_FOUND)
                error_set(error, code, "%s:%s: %s", stream->name.exchange, stream->name.symbol,
                    error_name(code));
        else if (!code)
                code = rebuild(&target, at_ns, clock, book, &position, error);
        if (!code)
                book->status = status_at(&target, book, position, clock);
        frame_done(&target);
        return code == ERR_NOT_FOUND ? 0 : code;
}

/* A second try: frames may have been archived between the finding and the reading. */
int recon_book_at(struct reader *reader, const struct recon_stream *stream, int64_t at_ns,
    enum recon_clock clock, struct recon_book *ret_book, struct error *error)
{
        int code = ERR_CORRUPT;
        for (int attempt = 0; attempt < 2 && code == ERR_CORRUPT; attempt++) {
                book_clear(&ret_book->book);
                *ret_book = (struct recon_book){.book = ret_book->book,
                    .status = STATUS_EMPTY,
                    .at_ns = at_ns,
                    .last_id = -1,
                    .scale = {.tick = 1, .lot = 1}};
                code = locate_and_rebuild(reader, stream, ret_book, clock, error);
        }
        return code;
}
