/* Headless events, and the images that end their run: bridging, corrections, changes of scale. */
#include "base/clock.h"
#include "base/decimal.h"
#include "base/limits.h"
#include "record/internal.h"

/* Forget the run in memory and begin a new one at the present position; what was stored of the old
 * one stays headless. */
void run_begin(struct record_stream *stream)
{
        stream_seal(stream);
        event_log_clear(&stream->run.log);
        stream->run.before = stream->mark;
}

/* Take the whole run out of the store again: the stream is as it was before its first event. */
void run_erase(struct record_stream *stream)
{
        struct mark_record *mark = &stream->mark, before = stream->run.before;
        block_clear(&stream->open);
        block_clear(&stream->sealed);
        if (stream->recorder->suspended)
                return;
        if (mark->next_position > before.next_position)
                batch_erase(stream->recorder->batch, stream->day, stream->past->number,
                    before.next_position, mark->next_position - 1,
                    before.timed ? before.running_max_ns : INT64_MIN, mark->running_max_ns);
        mark->next_position = before.next_position;
        mark->events = before.events;
        mark->level_updates = before.level_updates;
        mark->first_event_time_ns = before.first_event_time_ns;
        mark->timed = before.timed;
        mark->running_max_ns = before.running_max_ns;
        stream->dirty = true;
}

static void run_add(struct record_stream *stream, const struct event *event, bool new_run)
{
        struct run *run = &stream->run;
        if (new_run || !run->log.count)
                run_begin(stream);
        if (event_log_append(&run->log, event)) {
                run_begin(stream);
                if (event_log_append(&run->log, event))
                        run_begin(stream); /* larger than the memory of a run: it stays headless */
        }
        run->last_id = event->last_id;
        stream_add_headless(stream, event);
}

void record_headless(struct record_stream *stream, const struct event *event, bool new_run)
{
        run_add(stream, event, new_run);
        stream_count_event(stream, event);
}

bool record_run_ids(const struct record_stream *stream, int64_t *ret_first_id, int64_t *ret_last_id)
{
        struct event event;
        if (!event_log_next(&stream->run.log, &(struct event_log_cursor){0}, &event))
                return false;
        *ret_first_id = event.first_id;
        *ret_last_id = stream->run.last_id;
        return true;
}

static void stream_drop_book(struct record_stream *stream)
{
        stream->has_book = false;
        stream->tail_kept = false;
        event_log_clear(&stream->tail);
        book_clear(&stream->book);
}

/* Events of @log beyond the image, applied and recorded. ERR_GAP: one crossed the book; it and the
 * rest are headless, in a new run. */
static int run_replay(struct record_stream *stream, const struct event_log *log)
{
        struct event_log_cursor cursor = {0};
        struct event event;
        int code = 0;
        while (event_log_next(log, &cursor, &event)) {
                if (event.last_id <= stream->book.id && !code)
                        continue;
                int failed = code ? 0 : stream_add_event(stream, &event);
                if (failed) {
                        code = ERR_GAP;
                        record_gap(stream, GAP_CROSSED, event.receive_time_ns, "behind an image");
                        run_add(stream, &event, true);
                } else if (code) {
                        run_add(stream, &event, false);
                }
        }
        return code;
}

/* What the image covers already stays headless, before it. */
static void run_keep_old(
    struct record_stream *stream, const struct event_log *log, int64_t image_id)
{
        struct event_log_cursor cursor = {0};
        struct event event;
        while (event_log_next(log, &cursor, &event) && event.last_id <= image_id)
                stream_add_headless(stream, &event);
        stream_seal(stream);
}

int record_image(struct record_stream *stream, const struct image *image)
{
        struct event_log log = stream->run.log;
        if (book_set_image(&stream->book, image))
                return ERR_FULL;
        if (log.count)
                run_erase(stream);
        event_log_init(&stream->run.log, LIMIT_HEADLESS_SIZE);
        run_keep_old(stream, &log, image->id);
        stream->has_book = true;
        stream->auction = image->auction;
        stream->counts.epochs++;
        stream->counts.resyncs += stream->mark.epoch > 0;
        stream_begin_epoch(stream, EPOCH_GAP, image->receive_time_ns);
        stream_write_image(stream, FRAME_SYNC, image->receive_time_ns, 0);
        int code = run_replay(stream, &log);
        event_log_deinit(&log);
        return code;
}

void record_gap(
    struct record_stream *stream, enum gap_cause cause, int64_t now_ns, const char *detail)
{
        if (!stream->recorder->suspended)
                stream_seal(stream);
        stream_open_gap(stream, cause, now_ns, detail);
        stream_drop_book(stream);
        event_log_clear(&stream->run.log);
}

void record_tail_begin(struct record_stream *stream)
{
        event_log_clear(&stream->tail);
        stream->tail_kept = stream->has_book;
}

/* The events kept since the tail began, applied to @book where they lie beyond its id. */
static int tail_carry(const struct event_log *tail, struct book *book)
{
        struct event_log_cursor cursor = {0};
        struct event event;
        while (event_log_next(tail, &cursor, &event)) {
                if (event.last_id <= book->id)
                        continue;
                if (event.first_id > book->id + 1)
                        return ERR_GAP;
                if (book_apply(book, &event))
                        return ERR_FULL;
        }
        return 0;
}

/* Levels that differ within what @now covers. */
static uint32_t book_differences(const struct book *before, const struct book *now)
{
        uint32_t count = 0;
        struct level level;
        for (enum side s = 0; s < SIDES; s++) {
                struct book_cursor cursor = {0};
                while (book_next(now, s, &cursor, &level))
                        count += book_quantity(before, s, level.price) != level.quantity;
                cursor = (struct book_cursor){0};
                while (book_next(before, s, &cursor, &level)) {
                        bool beyond = now->bounded[s] &&
                            (s == SIDE_BID ? level.price < now->horizon[s]
                                           : level.price > now->horizon[s]);
                        count += !beyond && !book_quantity(now, s, level.price);
                }
        }
        return count;
}

/* Orders of @now that @before has not, or otherwise. */
static uint32_t order_differences(const struct book *before, const struct book *now)
{
        uint32_t count = 0;
        for (enum side s = 0; s < SIDES; s++) {
                struct order_cursor cursor = {0};
                const struct order *order;
                while ((order = book_next_order(now, s, &cursor))) {
                        uint32_t place = orders_find(before->orders, &order->id);
                        const struct order *old = &before->orders->orders[place];
                        count += place == ORDER_NONE || old->price != order->price ||
                            old->size != order->size || old->side != order->side;
                }
        }
        return count;
}

/* Orders that only one of them has count once, others that differ twice: a stand-in of the same id
 * is another order. */
static uint32_t count_differences(const struct book *before, const struct book *now)
{
        if (!now->by_order)
                return book_differences(before, now);
        uint32_t count = order_differences(before, now) + order_differences(now, before);
        return count || book_equal(before, now) ? count : 1; /* only the queues differ */
}

int record_correct(
    struct record_stream *stream, const struct image *image, uint32_t *ret_differences)
{
        struct book carried;
        if (!stream->has_book || !stream->tail_kept)
                return ERR_GAP;
        book_init(&carried);
        int code = book_set_image(&carried, image);
        if (!code)
                code = tail_carry(&stream->tail, &carried);
        if (!code && carried.id != stream->book.id)
                code = image->id == stream->book.id ? 0 : ERR_GAP;
        if (!code && !image->auction && book_is_crossed(&carried))
                code = ERR_RANGE;
        if (!code) {
                stream->auction = image->auction;
                *ret_differences = count_differences(&stream->book, &carried);
                stream->counts.corrections += *ret_differences > 0;
                stream->counts.differences += *ret_differences;
        }
        if (!code && (*ret_differences || !carried.by_order)) /* an image of all orders is large */
                stream_write_repair(stream, &carried, image->receive_time_ns, *ret_differences);
        book_deinit(&carried);
        stream->tail_kept = false;
        event_log_clear(&stream->tail);
        return code;
}

static void scale_value(int64_t *value, int64_t factor, int *code)
{
        if (__builtin_mul_overflow(*value, factor, value))
                *code = ERR_RANGE;
}

static void scale_order(
    struct order_message *order, int64_t price_factor, int64_t quantity_factor, int *code)
{
        scale_value(&order->price, price_factor, code);
        scale_value(&order->old_price, price_factor, code);
        scale_value(&order->size, quantity_factor, code);
        scale_value(&order->old_size, quantity_factor, code);
}

/* A copy of @log at a new scale. ERR_RANGE, ERR_FULL. */
static int log_rescale(struct event_log *log, int64_t price_factor, int64_t quantity_factor)
{
        struct event_log scaled;
        struct event_log_cursor cursor = {0};
        struct event event;
        struct buffer scratch;
        int code = 0;
        event_log_init(&scaled, LIMIT_HEADLESS_SIZE);
        buffer_init(&scratch, LIMIT_HEADLESS_SIZE);
        while (!code && event_log_next(log, &cursor, &event)) {
                uint32_t count = event_level_count(&event);
                struct order_message order;
                buffer_clear(&scratch);
                buffer_append(&scratch, event.levels[SIDE_BID], count * sizeof(struct level));
                struct level *levels = (struct level *)(void *)scratch.data;
                for (uint32_t i = 0; i < count; i++) {
                        scale_value(&levels[i].price, price_factor, &code);
                        scale_value(&levels[i].quantity, quantity_factor, &code);
                }
                event.levels[SIDE_BID] = levels;
                event.levels[SIDE_ASK] = count ? levels + event.count[SIDE_BID] : NULL;
                if (event.order) {
                        order = *event.order;
                        scale_order(&order, price_factor, quantity_factor, &code);
                        event.order = &order;
                }
                code = code ? code : event_log_append(&scaled, &event);
        }
        buffer_deinit(&scratch);
        struct event_log *done = code ? &scaled : log;
        event_log_deinit(done);
        if (!code)
                *log = scaled;
        return code;
}

static int factor_of(unsigned from, unsigned to, int64_t *ret_factor)
{
        return to < from ? ERR_RANGE : decimal_shift(1, to - from, ret_factor);
}

/* A step counted in units of 10^-@from, in units of 10^-@to; 1 where it has no whole number. */
static int64_t step_at(int64_t step, unsigned from, unsigned to)
{
        for (; from > to && step % 10 == 0; from--)
                step /= 10;
        return from > to || decimal_shift(step, to - from, &step) ? 1 : step;
}

bool record_learn_digits(
    struct record_stream *stream, unsigned price_digits, unsigned quantity_digits)
{
        struct scale *scale = &stream->scale;
        if (stream->scale_used || price_digits > LIMIT_DIGITS || quantity_digits > LIMIT_DIGITS)
                return false;
        scale->tick = step_at(scale->tick, scale->price_digits, price_digits);
        scale->lot = step_at(scale->lot, scale->quantity_digits, quantity_digits);
        scale->price_digits = (uint8_t)price_digits;
        scale->quantity_digits = (uint8_t)quantity_digits;
        return true;
}

/* The scale that is asked for, and what leads to it. ERR_RANGE. */
static int scale_wanted(const struct scale *old, unsigned price_digits, unsigned quantity_digits,
    int64_t tick, int64_t lot, struct scale *ret_scale, int64_t *ret_price_factor,
    int64_t *ret_quantity_factor)
{
        struct scale scale = *old;
        if (price_digits > LIMIT_DIGITS || quantity_digits > LIMIT_DIGITS ||
            factor_of(scale.price_digits, price_digits, ret_price_factor) ||
            factor_of(scale.quantity_digits, quantity_digits, ret_quantity_factor) ||
            __builtin_mul_overflow(scale.tick, *ret_price_factor, &scale.tick) ||
            __builtin_mul_overflow(scale.lot, *ret_quantity_factor, &scale.lot))
                return ERR_RANGE;
        scale.price_digits = (uint8_t)price_digits;
        scale.quantity_digits = (uint8_t)quantity_digits;
        scale.tick = tick ? tick : scale.tick;
        scale.lot = lot ? lot : scale.lot;
        *ret_scale = scale;
        return 0;
}

int record_rescale(struct record_stream *stream, unsigned price_digits, unsigned quantity_digits,
    int64_t tick, int64_t lot, int64_t now_ns)
{
        struct scale scale;
        int64_t price_factor, quantity_factor;
        if (scale_wanted(&stream->scale, price_digits, quantity_digits, tick, lot, &scale,
                &price_factor, &quantity_factor))
                return ERR_RANGE;
        if (scale_equal(&scale, &stream->scale))
                return 0;
        if (stream->has_book && book_rescale(&stream->book, price_factor, quantity_factor))
                return ERR_RANGE;
        if (log_rescale(&stream->run.log, price_factor, quantity_factor)) {
                event_log_clear(&stream->run.log);
                run_begin(stream);
        }
        stream_seal(stream);
        stream->tail_kept = false;
        stream->scale = scale;
        if (stream->has_book) {
                stream_begin_epoch(stream, EPOCH_SCALE, now_ns);
                stream_write_image(stream, 0, now_ns, 0);
        }
        return 0;
}

void record_set_auction(struct record_stream *stream, bool auction)
{
        stream->auction = auction;
}

/* The queue has drained: what the memory holds of the run is stored whole. */
void run_resume(struct record_stream *stream)
{
        struct event_log log = stream->run.log;
        struct event_log_cursor cursor = {0};
        struct event event;
        if (!log.count)
                return;
        run_erase(stream);
        event_log_init(&stream->run.log, LIMIT_HEADLESS_SIZE);
        while (event_log_next(&log, &cursor, &event))
                run_add(stream, &event, false);
        event_log_deinit(&log);
}
