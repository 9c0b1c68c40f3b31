/* One symbol: feeds its session and carries out what the session decides. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "logger/app.h"

/* What the input that is being stepped brought along. */
struct context {
        struct tracked *tracked;
        const struct event *event;
        const struct image *image;
};

static void tracked_step(struct context *context, struct session_input *input);

static uint64_t hash_name(const char *text, size_t size)
{
        uint64_t hash = UINT64_C(0xcbf29ce484222325);
        for (size_t i = 0; i < size; i++)
                hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
        return hash;
}

static struct tracked **by_name_place(struct site *site, const char *symbol, size_t size)
{
        size_t at = hash_name(symbol, size) % site->by_name_size;
        while (site->by_name[at] &&
            (strlen(site->by_name[at]->symbol) != size ||
                memcmp(site->by_name[at]->symbol, symbol, size)))
                at = (at + 1) % site->by_name_size;
        return &site->by_name[at];
}

struct tracked *tracked_find(struct site *site, const char *symbol, size_t size)
{
        return site->by_name_size ? *by_name_place(site, symbol, size) : NULL;
}

static void by_name_grow(struct site *site)
{
        if (2 * (site->tracked_count + 1) <= site->by_name_size)
                return;
        free(site->by_name);
        site->by_name_size = site->by_name_size ? site->by_name_size * 2 : 64;
        site->by_name = memory_new(site->by_name_size * sizeof(*site->by_name));
        for (struct tracked *tracked = site->tracked; tracked; tracked = tracked->next)
                *by_name_place(site, tracked->symbol, strlen(tracked->symbol)) = tracked;
}

int tracked_add(struct site *site, const char *symbol, struct error *error)
{
        if (tracked_find(site, symbol, strlen(symbol)))
                return error_set(
                    error, ERR_USAGE, "SYMBOLS: %s:%s is named twice", site->venue->name, symbol);
        struct tracked *tracked = memory_new(sizeof(*tracked));
        tracked->site = site;
        tracked->member = -1;
        snprintf(tracked->symbol, sizeof(tracked->symbol), "%s", symbol);
        site->venue->stream_name(
            symbol, site->app->period_ms, tracked->stream_name, sizeof(tracked->stream_name));
        event_log_init(&tracked->held, HELD_SIZE);
        by_name_grow(site);
        *by_name_place(site, symbol, strlen(symbol)) = tracked;
        tracked->next = site->tracked;
        site->tracked = tracked;
        site->tracked_count++;
        return 0;
}

void tracked_free(struct tracked *tracked)
{
        event_log_deinit(&tracked->held);
        level_list_deinit(&tracked->waiting.list);
        free(tracked);
}

void tracked_refuse(struct tracked *tracked, const char *why)
{
        log_error("%s:%s: refused: %s", tracked->site->venue->name, tracked->symbol, why);
        tracked->refused = true;
        if (!tracked->stream)
                return;
        struct context context = {.tracked = tracked};
        tracked_step(&context, &(struct session_input){.kind = INPUT_REFUSED});
}

/* The exchange has confirmed the symbol: record it. */
void tracked_begin(struct tracked *tracked)
{
        struct app *app = tracked->site->app;
        struct error error;
        struct stream_name name = {.kind = KIND_L2, .sequenced = tracked->site->venue->sequenced};
        snprintf(name.exchange, sizeof(name.exchange), "%s", tracked->site->venue->name);
        snprintf(name.symbol, sizeof(name.symbol), "%s", tracked->symbol);
        if (record_stream_open(app->recorder, &name, &tracked->info.scale, app->wall_ns,
                &tracked->stream, &error)) {
                tracked_refuse(tracked, error.text);
                return;
        }
        session_init(&tracked->session, app->refresh_period_ns,
            hash_name(tracked->symbol, strlen(tracked->symbol)) ^ (uint64_t)app->wall_ns,
            app->mono_ns);
        if (connections_join(tracked, &error))
                tracked_refuse(tracked, error.text);
}

static void apply_event(struct context *context)
{
        struct tracked *tracked = context->tracked;
        int code = record_event(tracked->stream, context->event);
        if (!code)
                return;
        if (code == ERR_FULL)
                log_error("%s:%s: the book exceeds %u levels a side, it is fetched anew",
                    tracked->site->venue->name, tracked->symbol, LIMIT_BOOK_LEVELS);
        tracked_step(context,
            &(struct session_input){.kind = INPUT_CROSSED,
                .first_id = context->event->first_id,
                .last_id = context->event->last_id});
}

static void keep_event(struct context *context, bool new_run)
{
        struct tracked *tracked = context->tracked;
        int64_t first, last;
        record_headless(tracked->stream, context->event, new_run);
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
        log_info("%s:%s: live, image %" PRId64 ", %zu bids, %zu asks", tracked->site->venue->name,
            tracked->symbol, book->id, book_count(book, SIDE_BID), book_count(book, SIDE_ASK));
}

static void forget_image(struct tracked *tracked)
{
        tracked->waiting.there = false;
        level_list_clear(&tracked->waiting.list);
}

/* The image that waited, or the one of this answer. */
static const struct image *image_in_hand(const struct context *context)
{
        const struct held_image *waiting = &context->tracked->waiting;
        return waiting->there ? &waiting->image : context->image;
}

static void use_image(struct context *context)
{
        struct tracked *tracked = context->tracked;
        int64_t first, last;
        int code = record_image(tracked->stream, image_in_hand(context));
        forget_image(tracked);
        if (tracked->shallow)
                session_refresh_soon(
                    &tracked->session, tracked->site->app->mono_ns + DEEPER_AFTER_NS);
        if (!code || !record_run_ids(tracked->stream, &first, &last))
                return;
        log_warning("%s:%s: the book crossed behind the image, it is fetched anew",
            tracked->site->venue->name, tracked->symbol);
        tracked_step(context,
            &(struct session_input){
                .kind = INPUT_CROSSED, .first_id = first, .last_id = last, .kept = true});
}

static void wait_image(struct context *context)
{
        struct held_image *waiting = &context->tracked->waiting;
        forget_image(context->tracked);
        waiting->image = *context->image;
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < context->image->count[s]; i++)
                        level_list_add(&waiting->list, context->image->levels[s][i]);
        }
        waiting->image.levels[SIDE_BID] = waiting->list.levels;
        waiting->image.levels[SIDE_ASK] = waiting->list.levels + waiting->image.count[SIDE_BID];
        waiting->there = true;
}

static void correct_book(struct context *context)
{
        struct tracked *tracked = context->tracked;
        uint32_t differences;
        const struct image *image = image_in_hand(context);
        int code = record_correct(tracked->stream, image, &differences);
        if (code) {
                log_debug("%s:%s: image %" PRId64 " cannot be carried forward (%s), asking again",
                    tracked->site->venue->name, tracked->symbol, image->id, error_name(code));
                tracked_step(context, &(struct session_input){.kind = INPUT_NOT_CARRIED});
        } else if (differences) {
                log_info("%s:%s: image %" PRId64 " corrected %u levels", tracked->site->venue->name,
                    tracked->symbol, image->id, differences);
        }
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
        if (context->event)
                snprintf(detail, sizeof(detail),
                    "expected id %" PRId64 ", got %" PRId64 "..%" PRId64, action->expected_id,
                    context->event->first_id, context->event->last_id);
        else
                snprintf(detail, sizeof(detail), "%s", action->why);
        log_warning("%s:%s: gap (%s): %s", tracked->site->venue->name, tracked->symbol,
            session_gap_name(action->gap), detail);
        record_gap(tracked->stream, causes[action->gap], tracked->site->app->wall_ns, detail);
}

static void act(struct context *context, const struct session_action *action)
{
        struct tracked *tracked = context->tracked;
        switch (action->kind) {
        case ACTION_KEEP:
                keep_event(context, action->new_run);
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
                log_debug("%s:%s: image not used: %s", tracked->site->venue->name, tracked->symbol,
                    action->why);
                forget_image(tracked);
                break;
        case ACTION_GAP:
                open_gap(context, action);
                break;
        case ACTION_RESUBSCRIBE:
                connections_resubscribe(tracked);
                break;
        case ACTION_LIVE:
                if (record_has_book(tracked->stream))
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

void tracked_event(struct tracked *tracked, uint32_t connection, const struct event *event)
{
        struct context context = {.tracked = tracked, .event = event};
        tracked->events++;
        tracked_step(&context,
            &(struct session_input){.kind = INPUT_EVENT,
                .connection = connection,
                .first_id = event->first_id,
                .last_id = event->last_id});
}

void tracked_connection(struct tracked *tracked, enum session_input_kind kind, uint32_t connection)
{
        struct context context = {.tracked = tracked};
        tracked_step(&context, &(struct session_input){.kind = kind, .connection = connection});
}

static bool image_is_crossed(const struct image *image)
{
        return image->count[SIDE_BID] && image->count[SIDE_ASK] &&
            image->levels[SIDE_BID][0].price >= image->levels[SIDE_ASK][0].price;
}

void tracked_image(struct tracked *tracked, uint32_t fetch, const struct image *image)
{
        struct context context = {.tracked = tracked, .image = image};
        tracked_step(&context,
            &(struct session_input){.kind = INPUT_IMAGE,
                .fetch = fetch,
                .image_id = image->id,
                .image_crossed = image_is_crossed(image)});
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
