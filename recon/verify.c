/* Reads everything and checks everything that one part of a record says of another. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "recon/internal.h"
#include "store/layout.h"

#define PROGRESS_EVERY 100000

struct verify {
        struct reader *reader;
        const struct recon_stream *stream;
        verify_problem_cb problem_cb;
        void (*progress_cb)(uint64_t events, void *user);
        void *user;
        struct verify_result *result;
        struct gap_list gaps;
        struct book book;
        bool has_book;
        bool book_known; /* the book is what the record says; false after damage, until an image */
        uint32_t book_epoch; /* of the image that the book comes from */
        uint32_t epoch;      /* of the last event */
        bool has_last, after_damage;
        uint64_t last_position;
        int64_t last_id;
        bool timed;
        int64_t running_max_ns;
        uint64_t expected;
        struct frame_cursor cursor;
        /* of the day at hand */
        size_t day;
        uint64_t day_events, day_levels, day_images, day_frames, image_bytes, change_bytes;
        struct mark_record day_mark; /* as the day's reading began */
};

static void problem_at(struct verify *verify, uint64_t position, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void problem_at(struct verify *verify, uint64_t position, const char *format, ...)
{
        char text[RECON_TEXT_SIZE];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        verify->result->problems++;
        verify->problem_cb(
            verify->stream, verify->stream->days[verify->day], position, text, verify->user);
}

/* ---- events ---- */

static void check_follows(struct verify *verify, const struct event *event, uint64_t position,
    uint32_t epoch, uint32_t last_epoch)
{
        bool later = position >= verify->stream->mark.next_position; /* its gaps are not known */
        if (later || !verify->has_last || gap_spans(&verify->gaps, verify->last_position, position))
                return;
        if (epoch != last_epoch &&
            !epoch_is_scale(verify->reader, verify->stream, verify->day, epoch)) {
                problem_at(verify, position,
                    "a new epoch (%u after %u) without a gap record between ids %" PRId64
                    " and %" PRId64,
                    epoch, last_epoch, verify->last_id, event->first_id);
        } else if (verify->stream->name.sequenced && !verify->after_damage &&
            (event->first_id > verify->last_id + 1 || event->last_id <= verify->last_id)) {
                problem_at(verify, position, "ids %" PRId64 "..%" PRId64 " do not follow %" PRId64,
                    event->first_id, event->last_id, verify->last_id);
        }
}

struct frame_sums {
        uint32_t events, level_updates;
        int64_t first_id, last_id, first_time_ns, last_time_ns, min_time_ns, max_time_ns,
            first_receive_ns, last_receive_ns;
};

static void sums_add(struct frame_sums *sums, const struct event *event)
{
        if (!sums->events) {
                sums->first_id = event->first_id;
                sums->first_time_ns = sums->min_time_ns = sums->max_time_ns = event->event_time_ns;
                sums->first_receive_ns = event->receive_time_ns;
        }
        sums->events++;
        sums->level_updates += event_update_count(event);
        sums->last_id = event->last_id;
        sums->last_time_ns = event->event_time_ns;
        sums->last_receive_ns = event->receive_time_ns;
        if (event->event_time_ns < sums->min_time_ns)
                sums->min_time_ns = event->event_time_ns;
        if (event->event_time_ns > sums->max_time_ns)
                sums->max_time_ns = event->event_time_ns;
}

static void check_sums(
    struct verify *verify, const struct frame_sums *sums, const struct frame_info *info)
{
        if (sums->events != info->events || sums->level_updates != info->level_updates)
                problem_at(verify, verify->cursor.position,
                    "its head counts %u events, %u levels; it holds %u, %u", info->events,
                    info->level_updates, sums->events, sums->level_updates);
        else if (sums->events &&
            (sums->first_id != info->first_id || sums->last_id != info->last_id ||
                sums->first_time_ns != info->first_event_time_ns ||
                sums->last_time_ns != info->last_event_time_ns ||
                sums->min_time_ns != info->min_event_time_ns ||
                sums->max_time_ns != info->max_event_time_ns ||
                sums->first_receive_ns != info->first_receive_time_ns ||
                sums->last_receive_ns != info->last_receive_time_ns))
                problem_at(verify, verify->cursor.position,
                    "its head's ids or times are not those of its events");
}

static void take_good_event(struct verify *verify, const struct event *event, uint64_t position,
    uint32_t epoch, uint32_t *last_epoch)
{
        check_follows(verify, event, position, epoch, *last_epoch);
        verify->has_last = true;
        verify->after_damage = false;
        verify->last_position = position;
        verify->last_id = event->last_id;
        *last_epoch = epoch;
}

static void note_time(struct verify *verify, int64_t time_ns)
{
        if (!verify->timed || time_ns > verify->running_max_ns)
                verify->running_max_ns = time_ns;
        verify->timed = true;
}

static void count_events(struct verify *verify, uint64_t events, uint64_t levels)
{
        uint64_t before = verify->result->events / PROGRESS_EVERY;
        verify->day_events += events;
        verify->day_levels += levels;
        verify->result->events += events;
        verify->result->level_updates += levels;
        if (verify->result->events / PROGRESS_EVERY != before && verify->progress_cb)
                verify->progress_cb(verify->result->events, verify->user);
}

/* What came before it is damaged: of a dense frame only the head can be believed. */
static void pass_changes(struct verify *verify, const struct frame_info *info)
{
        count_events(verify, info->events, info->level_updates);
        note_time(verify, info->max_event_time_ns);
        verify->has_last = true;
        verify->last_position = verify->cursor.position + info->events - 1;
        verify->last_id = info->last_id;
        verify->epoch = info->epoch;
}

static void verify_changes(struct verify *verify, const struct frame_info *info)
{
        struct event event;
        struct frame_sums sums = {0};
        uint32_t last_epoch = verify->epoch;
        bool headless = info->kind == FRAME_HEADLESS;
        struct book *book = headless ? NULL : &verify->book;
        int more;
        if (!headless && !verify->has_book && verify->book_known)
                problem_at(verify, verify->cursor.position, "changes without an image before them");
        while ((more = decoder_next(&verify->reader->decoder, book, &event)) > 0) {
                uint64_t position = verify->cursor.position + sums.events;
                bool fresh = sums.events >= verify->cursor.skip;
                sums_add(&sums, &event);
                if (!fresh)
                        continue;
                if (!headless)
                        take_good_event(verify, &event, position, info->epoch, &last_epoch);
                note_time(verify, event.event_time_ns);
                count_events(verify, 1, event_update_count(&event));
        }
        verify->epoch = last_epoch;
        if (more) {
                problem_at(verify, verify->cursor.position, "an event cannot be decoded");
                verify->book_known &= headless;
        } else {
                check_sums(verify, &sums, info);
        }
}

/* ---- images ---- */

/* The levels that messages of orders left, against what the orders add up to. */
static void check_orders(struct verify *verify)
{
        if (verify->book_known && verify->book.by_order && !book_orders_agree(&verify->book))
                problem_at(verify, verify->cursor.position,
                    "the levels before it are not what the orders add up to");
}

static void verify_image(struct verify *verify, const struct frame_info *info)
{
        struct book image;
        struct error error;
        book_init(&image);
        check_orders(verify);
        verify->day_images++;
        verify->result->images++;
        if (load_image(&verify->cursor, &image, &error)) {
                problem_at(verify, verify->cursor.position, "its image cannot be decoded");
        } else {
                bool same_epoch =
                    verify->has_book && verify->book_known && info->epoch == verify->epoch;
                if (same_epoch && !(info->flags & FRAME_SYNC) && !book_equal(&image, &verify->book))
                        problem_at(verify, verify->cursor.position,
                            "the image differs from the book rebuilt up to it");
                if (info->segment != verify->cursor.position)
                        problem_at(verify, verify->cursor.position,
                            "the image names another position as its own");
                book_copy(&verify->book, &image);
                verify->has_book = verify->book_known = true;
                verify->book_epoch = info->epoch;
        }
        book_deinit(&image);
}

static void verify_repair(struct verify *verify, const struct frame_info *info)
{
        struct error error;
        if (!verify->book_known)
                return;
        bool based = verify->has_book && info->epoch == verify->book_epoch;
        if (based && !apply_repair(&verify->cursor, &verify->book, &error))
                return;
        problem_at(verify, verify->cursor.position,
            based ? "its repair cannot be decoded" : "a repair without an image before it");
        verify->book_known = false;
}

/* ---- frames and days ---- */

static void check_index(struct verify *verify, const struct frame_info *info)
{
        const struct store_ops *ops = verify->reader->store->ops;
        struct bytes value;
        int64_t running_max = frame_time_key(info);
        struct store_key key =
            key_time(verify->stream->number, running_max, verify->cursor.position);
        if (ops->get(&verify->cursor.txn, STORE_TIMES, key, &value))
                problem_at(verify, verify->cursor.position, "it is missing in the time index");
        if (verify->timed && !verify->after_damage && !verify->cursor.skip &&
            (running_max != verify->running_max_ns))
                problem_at(verify, verify->cursor.position,
                    "its running maximum of the event time is wrong");
}

static void check_position(struct verify *verify)
{
        uint64_t position = verify->cursor.position + verify->cursor.skip;
        if (cursor_follows(&verify->cursor, verify->expected))
                return;
        if (position < verify->expected)
                problem_at(verify, position, "the day should begin at position %" PRIu64,
                    verify->expected);
        else
                problem_at(verify, verify->expected,
                    "frames for positions %" PRIu64 " to %" PRIu64 " are missing", verify->expected,
                    position - 1);
        verify->book_known = false;
        verify->after_damage = true;
}

static void verify_content(struct verify *verify, const struct frame_info *info)
{
        bool dense = info->kind == FRAME_CHANGES && info->method != METHOD_PLAIN;
        if (info->kind == FRAME_IMAGE)
                verify_image(verify, info);
        else if (info->kind == FRAME_REPAIR)
                verify_repair(verify, info);
        else if (dense && !verify->book_known)
                pass_changes(verify, info);
        else
                verify_changes(verify, info);
}

/* What does not hang on frames before it, or on ones that are known, is opened to be decoded. */
static int verify_open(struct verify *verify, struct error *error)
{
        struct frame_cursor *cursor = &verify->cursor;
        bool dense = !cursor->code && cursor->info.method != METHOD_PLAIN &&
            cursor->info.kind != FRAME_IMAGE;
        if (dense && !verify->book_known)
                return frame_read(cursor->frame, &cursor->info);
        bool joins = cursor->info.kind == FRAME_CHANGES || cursor->info.kind == FRAME_REPAIR;
        if (!cursor->code && joins && verify->has_book && verify->book_known)
                return join_frame(cursor, &verify->book, error);
        return open_frame(cursor, error);
}

static void verify_frame(struct verify *verify)
{
        struct error error;
        check_position(verify);
        verify->result->frames++;
        verify->day_frames++;
        int code = verify_open(verify, &error);
        const struct frame_info *info = &verify->cursor.info;
        if (code) {
                problem_at(verify, verify->cursor.position, "%s",
                    code == ERR_VERSION ? "written by a newer version"
                                        : "the frame is damaged (checksum or format)");
                verify->book_known = false;
                verify->after_damage = true;
                verify->expected =
                    verify->cursor.position + (verify->cursor.code ? 1 : frame_positions(info));
                return;
        }
        check_index(verify, info);
        if (info->kind == FRAME_IMAGE)
                verify->image_bytes += verify->cursor.frame.size;
        else
                verify->change_bytes += verify->cursor.frame.size;
        verify_content(verify, info);
        verify->expected = verify->cursor.position + frame_positions(info);
}

static bool read_mark(struct verify *verify, struct mark_record *mark)
{
        const struct recon_stream *stream = verify->stream;
        return !day_mark(
            verify->reader->store, stream->number, stream->days[verify->day], mark, NULL);
}

static void check_day_begin(struct verify *verify)
{
        struct mark_record mark;
        verify->day_events = verify->day_levels = verify->day_images = verify->day_frames = 0;
        verify->image_bytes = verify->change_bytes = 0;
        verify->day_mark = (struct mark_record){0};
        if (!read_mark(verify, &mark)) {
                problem_at(verify, verify->expected, "the day's mark is missing or damaged");
                return;
        }
        if (verify->expected != mark.first_position)
                problem_at(verify, verify->expected, "the day should begin at position %" PRIu64,
                    mark.first_position);
        verify->expected = mark.first_position;
        verify->day_mark = mark;
}

static bool gap_is_open(const struct gap_list *gaps)
{
        for (size_t i = 0; i < gaps->count; i++) {
                if (gaps->gaps[i].open)
                        return true;
        }
        return false;
}

/* The day's counters, unless a running logger went on while the day was read. */
static void check_counters(struct verify *verify, const struct mark_record *mark)
{
        const struct mark_record *before = &verify->day_mark;
        if (mark->next_position != before->next_position || mark->events != before->events ||
            mark->change_bytes != before->change_bytes)
                return;
        if (verify->day_events != mark->events || verify->day_levels != mark->level_updates ||
            verify->day_images != mark->images)
                problem_at(verify, verify->expected,
                    "the day's mark counts %" PRIu64 " events, %" PRIu64 " levels, %" PRIu64
                    " images; it holds %" PRIu64 ", %" PRIu64 ", %" PRIu64,
                    mark->events, mark->level_updates, mark->images, verify->day_events,
                    verify->day_levels, verify->day_images);
        else if (verify->image_bytes != mark->image_bytes ||
            verify->change_bytes != mark->change_bytes)
                problem_at(verify, verify->expected,
                    "the day's mark counts %" PRIu64 " bytes of images, %" PRIu64
                    " of changes; it holds %" PRIu64 ", %" PRIu64,
                    mark->image_bytes, mark->change_bytes, verify->image_bytes,
                    verify->change_bytes);
}

/* Was the same gap open as the reading began, and is it still? */
static bool gap_stays_open(const struct verify *verify, bool last, const struct mark_record *mark)
{
        const struct mark_record *begin = &verify->stream->mark;
        return last && begin->gap_open && mark->gap_open &&
            begin->gap_position == mark->gap_position;
}

static void check_day_end(struct verify *verify)
{
        struct mark_record mark;
        bool last = verify->day + 1 == verify->stream->day_count;
        if (!read_mark(verify, &mark))
                return;
        check_counters(verify, &mark);
        if (last) /* a running logger may have gone on: what was read at the start counts */
                mark.next_position = verify->stream->mark.next_position;
        if (verify->expected < mark.next_position)
                problem_at(verify, verify->expected,
                    "frames for positions %" PRIu64 " to %" PRIu64 " are missing", verify->expected,
                    mark.next_position - 1);
        if (gap_stays_open(verify, last, &mark) && !gap_is_open(&verify->gaps))
                problem_at(verify, verify->stream->mark.gap_position,
                    "the record of the open gap is missing");
}

/* The cursor has come to another day. Its frames are read by a transaction that begins after the
 * mark was read: what is archived between the two would seem to be damage. */
static int enter_day(struct verify *verify)
{
        struct frame_cursor *cursor = &verify->cursor;
        size_t day = cursor->day;
        uint64_t position = cursor->position;
        while (verify->day < day) {
                check_day_end(verify);
                verify->day++;
                check_day_begin(verify);
        }
        frame_done(cursor);
        return frame_seek(cursor, verify->reader, verify->stream, day, position, false);
}

static int verify_all(struct verify *verify)
{
        int code = frame_seek(&verify->cursor, verify->reader, verify->stream, 0, 0, false);
        while (!code) {
                while (!code && verify->day < verify->cursor.day)
                        code = enter_day(verify);
                if (code)
                        break;
                verify_frame(verify);
                code = frame_next(&verify->cursor);
        }
        check_orders(verify);
        frame_done(&verify->cursor);
        while (verify->day + 1 < verify->stream->day_count) {
                check_day_end(verify);
                verify->day++;
                check_day_begin(verify);
        }
        check_day_end(verify);
        return code == ERR_NOT_FOUND ? 0 : code;
}

int recon_verify(struct reader *reader, const struct recon_stream *stream,
    verify_problem_cb problem_cb, void (*progress_cb)(uint64_t events, void *user), void *user,
    struct verify_result *ret_result, struct error *error)
{
        struct verify verify = {.reader = reader,
            .stream = stream,
            .problem_cb = problem_cb,
            .progress_cb = progress_cb,
            .user = user,
            .result = ret_result,
            .book_known = true};
        *ret_result = (struct verify_result){0};
        if (!stream->day_count)
                return 0;
        book_init(&verify.book);
        int code = recon_gaps(reader, stream, &verify.gaps);
        if (code) {
                problem_at(&verify, 0, "a gap record is damaged");
                code = 0;
        }
        verify.expected = stream->first_position;
        check_day_begin(&verify);
        code = verify_all(&verify);
        if (code)
                error_set(error, code, "%s:%s: %s", stream->name.exchange, stream->name.symbol,
                    error_name(code));
        gap_list_deinit(&verify.gaps);
        book_deinit(&verify.book);
        return code;
}
