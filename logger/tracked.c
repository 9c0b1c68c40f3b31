/* One stream: feeds its session and carries out what the session decides. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "logger/app.h"
#include "logger/gaps.h"

/* What the input that is being stepped brought along. */
struct context {
        struct tracked *tracked;
        const struct event *event;
        const struct image *image;
};

static void tracked_step(struct context *context, struct session_input *input);

void tracked_stop(struct tracked *tracked)
{
        tracked->refused = true;
        if (!tracked->stream)
                return;
        struct context context = {.tracked = tracked};
        tracked_step(&context, &(struct session_input){.kind = INPUT_REFUSED});
        if (tracked->link)
                connections_leave(tracked);
}

void tracked_refuse(struct tracked *tracked, const char *why)
{
        snprintf(tracked->refusal, sizeof(tracked->refusal), "%s", why);
        log_error("%s: refused: %s", tracked->name, why);
        tracked_stop(tracked);
}

static const char *source_of(const struct tracked *tracked)
{
        const struct site *site = tracked->site;
        return site->venue->source(tracked->kind, &site->choice);
}

/* Aggregated trades have numbers of their own. */
static bool ids_go_on(const struct tracked *tracked)
{
        bool aggregate = !strcmp(record_last_feed(tracked->stream), "aggTrade");
        return tracked->kind != KIND_TRADES || aggregate == !strcmp(source_of(tracked), "aggTrade");
}

void tracked_tell_source(struct tracked *tracked)
{
        record_set_source(tracked->stream, source_of(tracked), tracked->note);
}

static void begin_session(struct tracked *tracked, enum venue_sync sync)
{
        struct app *app = tracked->site->app;
        uint64_t seed = (uint64_t)app->wall_ns + app->seeds++;
        bool corrects = !tracked->numbers; /* numbers are given once: no second image has them */
        session_init(&tracked->session, sync, corrects ? app->refresh_period_ns : INT64_MAX / 4,
            seed, app->mono_ns);
        if (settings_number(app->settings, "CONNECTIONS") > 1)
                session_keep_two(&tracked->session);
        int64_t last_id = record_last_id(tracked->stream);
        if (last_id >= 0 && sync != SYNC_BRIDGE && ids_go_on(tracked))
                session_set_id(&tracked->session, last_id);
}

/* The exchange has confirmed the symbol: record it. */
void tracked_begin(struct tracked *tracked, const struct symbol_info *info)
{
        struct app *app = tracked->site->app;
        const struct venue *venue = tracked->site->venue;
        enum venue_sync sync = venue->sync(tracked->kind);
        struct error error;
        struct stream_name name = {
            .kind = tracked->kind, .sequenced = sync != SYNC_SNAPSHOT || venue->counts_messages};
        snprintf(name.exchange, sizeof(name.exchange), "%s", venue->name);
        snprintf(name.symbol, sizeof(name.symbol), "%s", tracked->symbol);
        if (record_stream_open(
                app->recorder, &name, &info->scale, app->wall_ns, &tracked->stream, &error)) {
                tracked_refuse(tracked, error.text);
                return;
        }
        gaps_note(tracked);
        begin_session(tracked, sync);
        tracked_tell_source(tracked);
        if (connections_join(tracked, &error))
                tracked_refuse(tracked, error.text);
}

/* The event in hand, its orders by number where ids are not kept. */
static const struct event *named_event(
    const struct context *context, struct event *copy, struct order_message *message)
{
        const struct tracked *tracked = context->tracked;
        if (!tracked->numbers || !context->event->order)
                return context->event;
        *copy = *context->event;
        *message = *context->event->order;
        copy->order = message;
        order_numbers_message(tracked->numbers, message, record_has_book(tracked->stream));
        return copy;
}

/* Recorded, or kept until it is. */
static void count_delay(const struct context *context)
{
        struct tracked *tracked = context->tracked;
        delay_count(&tracked->delays, &tracked->site->delays[tracked->kind],
            context->event->event_time_ns, context->event->receive_time_ns);
}

static void apply_event(struct context *context)
{
        struct tracked *tracked = context->tracked;
        struct event copy;
        struct order_message message;
        int code = record_event(tracked->stream, named_event(context, &copy, &message));
        if (!code) {
                count_delay(context);
                return;
        }
        if (code == ERR_FULL)
                log_error("%s: the book exceeds %u levels a side or %u orders, it is fetched anew",
                    tracked->name, LIMIT_BOOK_LEVELS, LIMIT_BOOK_ORDERS);
        tracked_step(context,
            &(struct session_input){.kind = INPUT_CROSSED,
                .first_id = context->event->first_id,
                .last_id = context->event->last_id});
}

/* What no image can bridge to needs no numbers; nor more of them than a book has orders. */
static bool forget_numbers(struct tracked *tracked, bool new_run)
{
        if (!tracked->numbers)
                return new_run;
        new_run |= tracked->numbers->known->count >= LIMIT_BOOK_ORDERS;
        if (new_run)
                order_numbers_forget(tracked->numbers);
        return new_run;
}

static void keep_event(struct context *context, bool new_run)
{
        struct tracked *tracked = context->tracked;
        int64_t first, last;
        struct event copy;
        struct order_message message;
        count_delay(context);
        new_run = forget_numbers(tracked, new_run);
        record_headless(tracked->stream, named_event(context, &copy, &message), new_run);
        if (record_run_ids(tracked->stream, &first, &last))
                session_run_began(&tracked->session, first);
        else /* too large to be kept in memory: an image must reach beyond it */
                session_run_began(&tracked->session, context->event->last_id + 1);
}

static void hold_event(struct context *context)
{
        struct tracked *tracked = context->tracked;
        if (event_log_append(&tracked->held, context->event)) {
                event_log_clear(&tracked->held);
                session_held_lost(&tracked->session);
        }
}

static void replay_held(struct tracked *tracked)
{
        struct event_log held = tracked->held;
        struct event_log_cursor cursor = {0};
        struct event event;
        event_log_init(&tracked->held, HELD_SIZE);
        while (event_log_next(&held, &cursor, &event))
                tracked_event(tracked, tracked->session.primary, &event);
        event_log_deinit(&held);
}

static void report_live(struct tracked *tracked)
{
        const struct book *book = record_book(tracked->stream);
        if (book->by_order)
                log_info("%s: live, image %" PRId64 ", %zu orders at %zu bids, %zu asks",
                    tracked->name, book->id, book_size(book), book_count(book, SIDE_BID),
                    book_count(book, SIDE_ASK));
        else
                log_info("%s: live, image %" PRId64 ", %zu bids, %zu asks", tracked->name, book->id,
                    book_count(book, SIDE_BID), book_count(book, SIDE_ASK));
}

static void forget_image(struct tracked *tracked)
{
        tracked->waiting.there = false;
        level_list_clear(&tracked->waiting.list);
}

void tracked_scale_changed(struct tracked *tracked)
{
        if (tracked->waiting.there) {
                forget_image(tracked);
                session_image_lost(&tracked->session);
        }
        if (tracked->held.count) {
                event_log_clear(&tracked->held);
                session_held_lost(&tracked->session);
        }
}

/* The image that waited, or the one of this input; without ids it stands at our own count. */
static const struct image *image_in_hand(const struct context *context, struct image *copy)
{
        struct tracked *tracked = context->tracked;
        struct held_image *waiting = &tracked->waiting;
        struct level_list *list = waiting->there ? &waiting->list : &tracked->site->app->list;
        *copy = waiting->there ? waiting->image : *context->image;
        copy->auction |= tracked->info.auction;
        if (tracked->session.sync == SYNC_SNAPSHOT)
                copy->id = tracked->session.id;
        if (tracked->numbers)
                order_numbers_ids(tracked->numbers, list->orders, list->count);
        return copy;
}

static void use_image(struct context *context)
{
        struct tracked *tracked = context->tracked;
        struct image image;
        int64_t first, last;
        int code = record_image(tracked->stream, image_in_hand(context, &image));
        tracked->images += !code;
        forget_image(tracked);
        if (tracked->shallow)
                session_refresh_soon(
                    &tracked->session, tracked->site->app->mono_ns + DEEPER_AFTER_NS);
        if (code == ERR_FULL)
                log_error(
                    "%s: the image exceeds %u levels a side, %u orders or what a level can hold",
                    tracked->name, LIMIT_BOOK_LEVELS, LIMIT_BOOK_ORDERS);
        if (code && tracked->session.sync == SYNC_SNAPSHOT)
                tracked_step(context, &(struct session_input){.kind = INPUT_NOT_CARRIED});
        if (!code || !record_run_ids(tracked->stream, &first, &last))
                return;
        if (code == ERR_GAP)
                log_warning(
                    "%s: the book crossed behind the image, it is fetched anew", tracked->name);
        tracked_step(context,
            &(struct session_input){
                .kind = INPUT_CROSSED, .first_id = first, .last_id = last, .kept = true});
}

/* Trades begin with nothing: an empty image before the first of them. */
static void begin_tape(struct context *context)
{
        const struct event *event = context->event;
        struct image empty = {.id = event->first_id - 1, .receive_time_ns = event->receive_time_ns};
        record_image(context->tracked->stream, &empty);
        log_info("%s: recorded from id %" PRId64 " on", context->tracked->name, event->first_id);
}

static void wait_image(struct context *context)
{
        struct held_image *waiting = &context->tracked->waiting;
        const struct image *image = context->image;
        struct level_list *list = &waiting->list;
        forget_image(context->tracked);
        waiting->image = *image;
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < image->count[s]; i++) {
                        if (image->kind == KIND_L3)
                                level_list_add_order(
                                    list, image->levels[s][i], &image->orders[s][i]);
                        else
                                level_list_add(list, image->levels[s][i]);
                }
        }
        uint32_t bids = image->count[SIDE_BID];
        waiting->image.levels[SIDE_BID] = list->levels;
        waiting->image.levels[SIDE_ASK] = list->levels + bids;
        if (image->kind == KIND_L3) {
                waiting->image.orders[SIDE_BID] = list->orders;
                waiting->image.orders[SIDE_ASK] = list->orders + bids;
        }
        waiting->there = true;
}

static void correct_book(struct context *context)
{
        struct tracked *tracked = context->tracked;
        struct image copy;
        uint32_t differences;
        if (tracked->session.sync == SYNC_SNAPSHOT) /* it is of this moment */
                record_tail_begin(tracked->stream);
        const struct image *image = image_in_hand(context, &copy);
        int code = record_correct(tracked->stream, image, &differences);
        if (code) {
                log_debug("%s: image %" PRId64 " cannot be carried forward (%s), asking again",
                    tracked->name, image->id, error_name(code));
                tracked_step(context, &(struct session_input){.kind = INPUT_NOT_CARRIED});
        } else if (differences) {
                tracked->corrections++;
                log_info("%s: image %" PRId64 " corrected %u %s", tracked->name, image->id,
                    differences, tracked->kind == KIND_L3 ? "orders" : "levels");
        }
        tracked->images += !code;
        forget_image(tracked);
}

static void open_gap(struct context *context, const struct session_action *action)
{
        static const enum gap_cause causes[] = {[SESSION_GAP_SEQUENCE] = GAP_SEQUENCE,
            [SESSION_GAP_DISCONNECT] = GAP_DISCONNECT,
            [SESSION_GAP_CROSSED] = GAP_CROSSED,
            [SESSION_GAP_SILENT] = GAP_SILENT};
        struct tracked *tracked = context->tracked;
        char detail[META_DETAIL_SIZE];
        if (context->event && tracked->session.sync != SYNC_SNAPSHOT)
                snprintf(detail, sizeof(detail),
                    "expected id %" PRId64 ", got %" PRId64 "..%" PRId64, action->expected_id,
                    context->event->first_id, context->event->last_id);
        else
                snprintf(detail, sizeof(detail), "%s", action->why);
        log_warning("%s: gap (%s): %s", tracked->name, session_gap_name(action->gap), detail);
        if (tracked->numbers)
                order_numbers_forget(tracked->numbers);
        record_gap(tracked->stream, causes[action->gap], tracked->site->app->wall_ns, detail);
        gaps_note(tracked);
        tracked->resyncs++;
        tracked->live_since_ns = 0;
        if (action->gap == SESSION_GAP_CROSSED && tracked->site->venue->refuses_whole)
                symbols_ask_again(tracked->site); /* is it an auction? */
}

static void act(struct context *context, const struct session_action *action)
{
        struct tracked *tracked = context->tracked;
        switch (action->kind) {
        case ACTION_KEEP:
                keep_event(context, action->new_run);
                break;
        case ACTION_BEGIN:
                begin_tape(context);
                break;
        case ACTION_APPLY:
                apply_event(context);
                break;
        case ACTION_DROP:
                break;
        case ACTION_HOLD:
                hold_event(context);
                break;
        case ACTION_FORGET_HELD:
                event_log_clear(&tracked->held);
                break;
        case ACTION_REPLAY_HELD:
                replay_held(tracked);
                break;
        case ACTION_FETCH:
                request_image(tracked, action->purpose, action->fetch);
                break;
        case ACTION_USE_IMAGE:
                use_image(context);
                break;
        case ACTION_WAIT_IMAGE:
                wait_image(context);
                break;
        case ACTION_CORRECT:
                correct_book(context);
                break;
        case ACTION_FORGET_IMAGE:
                log_debug("%s: image not used: %s", tracked->name, action->why);
                forget_image(tracked);
                break;
        case ACTION_GAP:
                open_gap(context, action);
                break;
        case ACTION_RESUBSCRIBE:
                connections_resubscribe(tracked, action->connection);
                break;
        case ACTION_LIVE:
                tracked->live_since_ns = tracked->site->app->wall_ns;
                if (record_has_book(tracked->stream) && tracked->kind != KIND_TRADES)
                        report_live(tracked);
                break;
        }
}

static void tracked_step(struct context *context, struct session_input *input)
{
        struct tracked *tracked = context->tracked;
        struct session_actions actions;
        input->now_ns = tracked->site->app->mono_ns;
        uint32_t primary = tracked->session.primary;
        session_step(&tracked->session, input, &actions);
        if (tracked->session.primary != primary && tracked->link)
                link_bridged(tracked->link, tracked->member, tracked->session.primary);
        for (unsigned i = 0; i < actions.count; i++)
                act(context, &actions.list[i]);
}

/* Events without ids are counted by us. */
void tracked_event(struct tracked *tracked, uint32_t connection, const struct event *event)
{
        struct event counted = *event;
        struct context context = {.tracked = tracked, .event = &counted};
        if (tracked->session.sync == SYNC_SNAPSHOT)
                counted.first_id = counted.last_id = session_next_id(&tracked->session);
        tracked->events++;
        tracked->last_id = counted.last_id;
        tracked->last_event_ns = counted.event_time_ns;
        tracked->last_receive_ns = counted.receive_time_ns;
        tracked->site->key_worked |= tracked->kind == KIND_L3;
        tracked_step(&context,
            &(struct session_input){.kind = INPUT_EVENT,
                .connection = connection,
                .first_id = counted.first_id,
                .last_id = counted.last_id});
}

void tracked_connection(struct tracked *tracked, enum session_input_kind kind, uint32_t connection)
{
        struct context context = {.tracked = tracked};
        tracked_step(&context, &(struct session_input){.kind = kind, .connection = connection});
}

/* In an auction it may be. Levels come in any order. */
static bool image_is_crossed(const struct image *image, bool auction)
{
        int64_t bid = INT64_MIN, ask = INT64_MAX;
        for (uint32_t i = 0; i < image->count[SIDE_BID]; i++)
                bid =
                    image->levels[SIDE_BID][i].price > bid ? image->levels[SIDE_BID][i].price : bid;
        for (uint32_t i = 0; i < image->count[SIDE_ASK]; i++)
                ask =
                    image->levels[SIDE_ASK][i].price < ask ? image->levels[SIDE_ASK][i].price : ask;
        return !auction && !image->auction && image->count[SIDE_BID] && image->count[SIDE_ASK] &&
            bid >= ask;
}

void tracked_snapshot(struct tracked *tracked, uint32_t connection, const struct image *image)
{
        struct context context = {.tracked = tracked, .image = image};
        tracked_step(&context,
            &(struct session_input){.kind = INPUT_SNAPSHOT,
                .connection = connection,
                .image_crossed = image_is_crossed(image, tracked->info.auction)});
}

void tracked_proof(struct tracked *tracked, uint32_t connection, int64_t newest_id)
{
        struct context context = {.tracked = tracked};
        if (newest_id == tracked->session.id && connection == tracked->session.primary)
                tracked->proved_wall_ns = tracked->site->app->wall_ns;
        tracked_step(&context,
            &(struct session_input){
                .kind = INPUT_PROOF, .connection = connection, .last_id = newest_id});
}

void tracked_lost(struct tracked *tracked, uint32_t connection)
{
        struct context context = {.tracked = tracked};
        tracked_step(
            &context, &(struct session_input){.kind = INPUT_LOST, .connection = connection});
}

void tracked_image(struct tracked *tracked, uint32_t fetch, const struct image *image)
{
        struct context context = {.tracked = tracked, .image = image};
        tracked_step(&context,
            &(struct session_input){.kind = INPUT_IMAGE,
                .fetch = fetch,
                .image_id = image->id,
                .image_crossed = image_is_crossed(image, tracked->info.auction)});
}

void tracked_fetch_failed(struct tracked *tracked, uint32_t fetch, int64_t retry_mono_ns)
{
        struct context context = {.tracked = tracked};
        tracked_step(&context,
            &(struct session_input){
                .kind = INPUT_FETCH_FAILED, .fetch = fetch, .retry_ns = retry_mono_ns});
}

void tracked_tick(struct tracked *tracked)
{
        struct context context = {.tracked = tracked};
        tracked_step(&context, &(struct session_input){.kind = INPUT_TICK});
}
