/* Simulated time for tests: sessions, a recorder over a store, and a trace of every step.
 *
 * Nothing here reads a clock or opens a socket. A test says what comes in and when; the actions of
 * the session are carried out on a record stream as the logger does it, and each input writes one
 * line of trace: "[  55] binance:BTCUSDT  event 101..103 -> keep anew (no book yet)". Levels are
 * written "b100=5 a101=3": a bid of 5 at 100, an ask of 3 at 101. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "book/log.h"
#include "recon/recon.h"
#include "record/record.h"
#include "store/layout.h"
#include "venue/link.h"
#include "venue/session.h"

#define SIM_SYMBOLS_MAX 8
#define SIM_LEVELS_MAX 256
#define SIM_HELD_SIZE (1u << 20)
#define SIM_WALL_NS (INT64_C(1795219200) * NS_PER_S) /* 2026-11-21T00:00:00Z */
#define SIM_MONO_NS (1000 * NS_PER_S)
#define SIM_PERIOD_NS (1800 * NS_PER_S) /* between two re-images */
#define SIM_DELAY_NS (5 * NS_PER_MS)    /* of an event, where the test says nothing else */
#define SIM_TICK_MS 100

struct sim;

struct sim_levels {
        struct level levels[SIDES][SIM_LEVELS_MAX];
        uint32_t count[SIDES];
};

/* One symbol: a session and what its actions need. */
struct sim_symbol {
        struct sim *sim;
        char name[24];
        struct session session;
        struct record_stream *stream;
        struct event_log held;
        struct buffer tape; /* SYNC_TAPE: what is recorded, one line a run */
        bool waiting_there;
        struct image waiting;
        struct sim_levels waiting_levels;
        enum fetch_purpose purpose; /* of the newest fetch */
        uint32_t fetch;
        unsigned fetches, resubscribes, corrections;
        uint32_t differences; /* of the newest correction */
        struct link *link;    /* where the test has one */
        int member;
        void *user;
};

struct sim {
        int64_t now_ms, second_ms;
        struct store *store;
        struct recorder *recorder;
        struct sim_symbol symbols[SIM_SYMBOLS_MAX];
        size_t symbol_count;
        struct buffer trace;
        bool muted;            /* no trace */
        int64_t event_time_ns; /* 0: now less the delay */
        uint64_t random;
        /* where the test has a network; else fetches wait for sim_image */
        void (*fetch_cb)(struct sim_symbol *symbol, enum fetch_purpose purpose, uint32_t fetch);
        void (*resubscribe_cb)(struct sim_symbol *symbol, uint32_t connection);
};

/* What the input that is being stepped brought along. */
struct sim_context {
        struct sim_symbol *symbol;
        const struct event *event;
        const struct image *image;
};

static inline int64_t sim_mono(const struct sim *sim)
{
        return SIM_MONO_NS + sim->now_ms * NS_PER_MS;
}

static inline int64_t sim_wall(const struct sim *sim)
{
        return SIM_WALL_NS + sim->now_ms * NS_PER_MS;
}

/* xorshift64*, seeded by the test. */
static inline uint64_t sim_random(struct sim *sim)
{
        uint64_t x = sim->random;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        sim->random = x;
        return x * UINT64_C(0x2545f4914f6cdd1d);
}

static inline int64_t sim_between(struct sim *sim, int64_t low, int64_t high)
{
        return low + (int64_t)((sim_random(sim) >> 11) % (uint64_t)(high - low + 1));
}

static inline bool sim_chance(struct sim *sim, unsigned one_in)
{
        return one_in && sim_between(sim, 1, one_in) == 1;
}

/* ---- the trace ---- */

static inline void sim_trace(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline void sim_trace(struct sim *sim, const char *format, ...)
{
        char text[512];
        va_list args;
        if (sim->muted)
                return;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        buffer_append_text(&sim->trace, text);
}

static inline void sim_action_text(const struct session_action *action, char *ret_text, size_t size)
{
        static const char *const names[] = {[ACTION_KEEP] = "keep",
            [ACTION_BEGIN] = "begin",
            [ACTION_APPLY] = "apply",
            [ACTION_DROP] = "drop",
            [ACTION_HOLD] = "hold",
            [ACTION_FORGET_HELD] = "forget held",
            [ACTION_REPLAY_HELD] = "replay held",
            [ACTION_FETCH] = "fetch",
            [ACTION_USE_IMAGE] = "use image",
            [ACTION_WAIT_IMAGE] = "wait",
            [ACTION_CORRECT] = "correct",
            [ACTION_FORGET_IMAGE] = "forget image",
            [ACTION_GAP] = "gap",
            [ACTION_RESUBSCRIBE] = "resubscribe",
            [ACTION_LIVE] = "live"};
        const char *detail = action->new_run  ? " anew"
            : action->kind != ACTION_FETCH    ? ""
            : action->purpose == FETCH_FIRST  ? " first"
            : action->purpose == FETCH_RESYNC ? " resync"
            : action->purpose == FETCH_PROBE  ? " probe"
                                              : " refresh";
        if (action->kind == ACTION_GAP)
                snprintf(ret_text, size, "gap %s, expected %lld", session_gap_name(action->gap),
                    (long long)action->expected_id);
        else if (action->kind == ACTION_LIVE)
                snprintf(ret_text, size, "live");
        else if (action->kind == ACTION_RESUBSCRIBE && action->connection > 1)
                snprintf(ret_text, size, "resubscribe on %u (%s)", action->connection, action->why);
        else
                snprintf(ret_text, size, "%s%s (%s)", names[action->kind], detail, action->why);
}

static inline void sim_input_text(const struct session_input *input, char *ret_text, size_t size)
{
        static const char *const names[] = {[INPUT_OPENED] = "opened",
            [INPUT_SUBSCRIBED] = "subscribed",
            [INPUT_CLOSED] = "closed",
            [INPUT_LOST] = "lost",
            [INPUT_FETCH_FAILED] = "fetch failed",
            [INPUT_REFUSED] = "refused",
            [INPUT_NOT_CARRIED] = "not carried",
            [INPUT_TICK] = "tick"};
        long long first = input->first_id, last = input->last_id;
        char on[24] = "";
        if (input->connection > 1)
                snprintf(on, sizeof(on), " on %u", input->connection);
        if (input->kind == INPUT_EVENT)
                snprintf(ret_text, size, "event %lld..%lld%s", first, last, on);
        else if (input->kind == INPUT_PROOF)
                snprintf(ret_text, size, "proof %lld%s", last, on);
        else if (input->kind == INPUT_SNAPSHOT)
                snprintf(
                    ret_text, size, "snapshot%s%s", input->image_crossed ? " crossed" : "", on);
        else if (input->kind == INPUT_IMAGE)
                snprintf(ret_text, size, "image %lld%s", (long long)input->image_id,
                    input->image_crossed ? " crossed" : "");
        else if (input->kind == INPUT_CROSSED)
                snprintf(ret_text, size, "crossed by %lld..%lld%s", first, last,
                    input->kept ? " kept" : "");
        else
                snprintf(ret_text, size, "%s%s", names[input->kind], on);
}

static inline void sim_trace_step(struct sim_symbol *symbol, const struct session_input *input,
    const struct session_actions *actions)
{
        char text[128];
        struct sim *sim = symbol->sim;
        if (sim->muted || (input->kind == INPUT_TICK && !actions->count))
                return;
        sim_input_text(input, text, sizeof(text));
        sim_trace(sim, "[%4lld] binance:%s  %s", (long long)sim->now_ms, symbol->name, text);
        for (unsigned i = 0; i < actions->count; i++) {
                sim_action_text(&actions->list[i], text, sizeof(text));
                sim_trace(sim, "%s%s", i ? ", " : " -> ", text);
        }
        sim_trace(sim, "\n");
}

static inline void sim_expect(
    struct buffer *actual, const char *expected, const char *file, int line)
{
        buffer_append_byte(actual, 0);
        if (strcmp((char *)actual->data, expected) != 0) {
                print_error("expected:\n%s\nactual:\n%s\n", expected, (char *)actual->data);
                _fail(file, line);
        }
        buffer_clear(actual);
}

/* The whole trace since the last look at it. */
#define SIM_EXPECT(sim, ...) sim_expect(&(sim)->trace, "" __VA_ARGS__, __FILE__, __LINE__)

/* ---- carrying out what a session decides ---- */

static inline void sim_step(struct sim_context *context, struct session_input *input);

static inline void sim_feed(
    struct sim_symbol *symbol, uint32_t connection, const struct event *event)
{
        struct sim_context context = {.symbol = symbol, .event = event};
        sim_step(&context,
            &(struct session_input){.kind = INPUT_EVENT,
                .connection = connection,
                .first_id = event->first_id,
                .last_id = event->last_id});
}

/* A tape has no book: the trace of what is recorded stands for its record. */
static inline void sim_act_tape(struct sim_context *context, const struct session_action *action)
{
        struct buffer *tape = &context->symbol->tape;
        if (action->kind == ACTION_BEGIN)
                buffer_append_text(tape, tape->size ? "\nbegin" : "begin");
        else if (action->kind == ACTION_APPLY)
                buffer_printf(tape, " %lld", (long long)context->event->last_id);
        else
                buffer_printf(tape, " gap %s", session_gap_name(action->gap));
}

static inline void sim_act_apply(struct sim_context *context)
{
        if (record_event(context->symbol->stream, context->event))
                sim_step(context,
                    &(struct session_input){.kind = INPUT_CROSSED,
                        .first_id = context->event->first_id,
                        .last_id = context->event->last_id});
}

static inline void sim_act_keep(struct sim_context *context, bool new_run)
{
        struct sim_symbol *symbol = context->symbol;
        int64_t first, last;
        record_headless(symbol->stream, context->event, new_run);
        if (record_run_ids(symbol->stream, &first, &last))
                session_run_began(&symbol->session, first);
}

static inline void sim_act_hold(struct sim_context *context)
{
        struct sim_symbol *symbol = context->symbol;
        if (event_log_append(&symbol->held, context->event)) {
                event_log_clear(&symbol->held);
                session_held_lost(&symbol->session);
        }
}

static inline void sim_act_replay(struct sim_symbol *symbol)
{
        struct event_log held = symbol->held;
        struct event_log_cursor cursor = {0};
        struct event event;
        event_log_init(&symbol->held, SIM_HELD_SIZE);
        while (event_log_next(&held, &cursor, &event))
                sim_feed(symbol, symbol->session.primary, &event);
        event_log_deinit(&held);
}

/* The image that waited, or the one of this answer. */
static inline const struct image *sim_image_in_hand(const struct sim_context *context)
{
        const struct image *image =
            context->symbol->waiting_there ? &context->symbol->waiting : context->image;
        assert_non_null(image);
        return image;
}

static inline void sim_act_image(struct sim_context *context)
{
        struct sim_symbol *symbol = context->symbol;
        int64_t first, last;
        int code = record_image(symbol->stream, sim_image_in_hand(context));
        symbol->waiting_there = false;
        if (!code || !record_run_ids(symbol->stream, &first, &last))
                return;
        sim_step(context,
            &(struct session_input){
                .kind = INPUT_CROSSED, .first_id = first, .last_id = last, .kept = true});
}

static inline void sim_act_wait(struct sim_context *context)
{
        struct sim_symbol *symbol = context->symbol;
        symbol->waiting = *context->image;
        for (enum side s = 0; s < SIDES; s++) {
                memcpy(symbol->waiting_levels.levels[s], context->image->levels[s],
                    context->image->count[s] * sizeof(struct level));
                symbol->waiting.levels[s] = symbol->waiting_levels.levels[s];
        }
        symbol->waiting_there = true;
}

static inline void sim_act_correct(struct sim_context *context)
{
        struct sim_symbol *symbol = context->symbol;
        uint32_t differences = 0;
        if (symbol->session.sync == SYNC_SNAPSHOT)
                record_tail_begin(symbol->stream); /* the image is of now: nothing to carry */
        if (record_correct(symbol->stream, sim_image_in_hand(context), &differences)) {
                sim_step(context, &(struct session_input){.kind = INPUT_NOT_CARRIED});
        } else {
                symbol->corrections++;
                symbol->differences = differences;
        }
        symbol->waiting_there = false;
}

static inline void sim_act_gap(struct sim_context *context, const struct session_action *action)
{
        static const enum gap_cause causes[] = {[SESSION_GAP_SEQUENCE] = GAP_SEQUENCE,
            [SESSION_GAP_DISCONNECT] = GAP_DISCONNECT,
            [SESSION_GAP_CROSSED] = GAP_CROSSED,
            [SESSION_GAP_SILENT] = GAP_SILENT};
        struct sim_symbol *symbol = context->symbol;
        record_gap(symbol->stream, causes[action->gap], sim_wall(symbol->sim), action->why);
}

static inline void sim_act_fetch(struct sim_symbol *symbol, const struct session_action *action)
{
        symbol->purpose = action->purpose;
        symbol->fetch = action->fetch;
        symbol->fetches++;
        if (symbol->sim->fetch_cb)
                symbol->sim->fetch_cb(symbol, action->purpose, action->fetch);
        else if (action->purpose == FETCH_REFRESH)
                record_tail_begin(symbol->stream);
}

static inline void sim_act_resubscribe(struct sim_symbol *symbol, uint32_t connection)
{
        symbol->resubscribes++;
        if (symbol->sim->resubscribe_cb)
                symbol->sim->resubscribe_cb(symbol, connection);
}

static inline void sim_act(struct sim_context *context, const struct session_action *action)
{
        bool records = action->kind == ACTION_BEGIN || action->kind == ACTION_APPLY ||
            action->kind == ACTION_GAP;
        if (records && context->symbol->session.sync == SYNC_TAPE) {
                sim_act_tape(context, action);
                return;
        }
        switch (action->kind) {
        case ACTION_KEEP:
                sim_act_keep(context, action->new_run);
                break;
        case ACTION_APPLY:
                sim_act_apply(context);
                break;
        case ACTION_HOLD:
                sim_act_hold(context);
                break;
        case ACTION_FORGET_HELD:
                event_log_clear(&context->symbol->held);
                break;
        case ACTION_REPLAY_HELD:
                sim_act_replay(context->symbol);
                break;
        case ACTION_FETCH:
                sim_act_fetch(context->symbol, action);
                break;
        case ACTION_USE_IMAGE:
                sim_act_image(context);
                break;
        case ACTION_WAIT_IMAGE:
                sim_act_wait(context);
                break;
        case ACTION_CORRECT:
                sim_act_correct(context);
                break;
        case ACTION_FORGET_IMAGE:
                context->symbol->waiting_there = false;
                break;
        case ACTION_GAP:
                sim_act_gap(context, action);
                break;
        case ACTION_RESUBSCRIBE:
                sim_act_resubscribe(context->symbol, action->connection);
                break;
        case ACTION_BEGIN:
        case ACTION_DROP:
        case ACTION_LIVE:
                break;
        }
}

static inline void sim_step(struct sim_context *context, struct session_input *input)
{
        struct sim_symbol *symbol = context->symbol;
        struct session_actions actions;
        uint32_t primary = symbol->session.primary;
        input->now_ns = sim_mono(symbol->sim);
        session_step(&symbol->session, input, &actions);
        sim_trace_step(symbol, input, &actions);
        if (symbol->session.primary != primary && symbol->link)
                link_bridged(symbol->link, symbol->member, symbol->session.primary);
        for (unsigned i = 0; i < actions.count; i++)
                sim_act(context, &actions.list[i]);
}

/* ---- life ---- */

/* @path: of a store in a folder; for the memory store only a name. */
static inline void sim_open(
    struct sim *sim, const struct store_ops *ops, const char *path, uint64_t seed)
{
        struct store_options store = {.path = path, .mode = STORE_WRITE};
        struct record_options record = record_defaults;
        struct error error = {0};
        *sim = (struct sim){.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
        buffer_init(&sim->trace, 1u << 24);
        record.without_thread = true;
        if (ops->open(&sim->store, &store, &error) ||
            recorder_open(&sim->recorder, sim->store, &record, &error))
                fail_msg("%s", error.text);
}

static inline struct sim_symbol *sim_add(struct sim *sim, const char *name)
{
        struct sim_symbol *symbol = &sim->symbols[sim->symbol_count++];
        struct stream_name stream = {.exchange = "binance", .kind = KIND_L2, .sequenced = true};
        struct scale scale = {.price_digits = 2, .quantity_digits = 1, .tick = 1, .lot = 1};
        struct error error = {0};
        assert_true(sim->symbol_count <= SIM_SYMBOLS_MAX);
        *symbol = (struct sim_symbol){.sim = sim, .member = -1};
        snprintf(symbol->name, sizeof(symbol->name), "%s", name);
        snprintf(stream.symbol, sizeof(stream.symbol), "%s", name);
        event_log_init(&symbol->held, SIM_HELD_SIZE);
        buffer_init(&symbol->tape, 1u << 20);
        if (record_stream_open(
                sim->recorder, &stream, &scale, sim_wall(sim), &symbol->stream, &error))
                fail_msg("%s", error.text);
        session_init(&symbol->session, SYNC_BRIDGE, SIM_PERIOD_NS, sim_random(sim), sim_mono(sim));
        return symbol;
}

static inline void sim_close(struct sim *sim)
{
        struct error error = {0};
        if (recorder_close(sim->recorder, sim_wall(sim), 0, &error))
                fail_msg("%s", error.text);
        sim->store->ops->close(sim->store);
        for (size_t i = 0; i < sim->symbol_count; i++) {
                event_log_deinit(&sim->symbols[i].held);
                buffer_deinit(&sim->symbols[i].tape);
        }
        buffer_deinit(&sim->trace);
}

/* ---- inputs ---- */

static inline void sim_tick(struct sim *sim)
{
        for (size_t i = 0; i < sim->symbol_count; i++) {
                struct sim_context context = {.symbol = &sim->symbols[i]};
                sim_step(&context, &(struct session_input){.kind = INPUT_TICK});
        }
        if (sim->now_ms < sim->second_ms)
                return;
        sim->second_ms = sim->now_ms + 1000;
        recorder_tick(sim->recorder, sim_wall(sim));
}

/* Time passes until @ms, with its ticks. */
static inline void sim_at(struct sim *sim, int64_t ms)
{
        assert_true(ms >= sim->now_ms);
        while (sim->now_ms / SIM_TICK_MS < ms / SIM_TICK_MS) {
                sim->now_ms = (sim->now_ms / SIM_TICK_MS + 1) * SIM_TICK_MS;
                sim_tick(sim);
        }
        sim->now_ms = ms;
}

static inline void sim_connection(
    struct sim_symbol *symbol, enum session_input_kind kind, uint32_t connection)
{
        struct sim_context context = {.symbol = symbol};
        sim_step(&context, &(struct session_input){.kind = kind, .connection = connection});
}

/* A heartbeat: the exchange's newest id. */
static inline void sim_proof(struct sim_symbol *symbol, uint32_t connection, int64_t last_id)
{
        struct sim_context context = {.symbol = symbol};
        sim_step(&context,
            &(struct session_input){
                .kind = INPUT_PROOF, .connection = connection, .last_id = last_id});
}

static inline void sim_parse_levels(const char *text, struct sim_levels *ret_levels)
{
        *ret_levels = (struct sim_levels){0};
        for (const char *at = text; *at; at += strspn(at, " ")) {
                char *end;
                enum side side = *at == 'b' ? SIDE_BID : SIDE_ASK;
                assert_true(*at == 'b' || *at == 'a');
                struct level *level = &ret_levels->levels[side][ret_levels->count[side]++];
                level->price = strtoll(at + 1, &end, 10);
                assert_true(*end == '=');
                level->quantity = strtoll(end + 1, &end, 10);
                at = end;
        }
}

static inline void sim_event_on(
    struct sim_symbol *symbol, uint32_t connection, int64_t first, int64_t last, const char *levels)
{
        struct sim *sim = symbol->sim;
        struct sim_levels parsed;
        sim_parse_levels(levels, &parsed);
        struct event event = {.receive_time_ns = sim_wall(sim),
            .event_time_ns = sim->event_time_ns ? sim->event_time_ns : sim_wall(sim) - SIM_DELAY_NS,
            .first_id = first,
            .last_id = last};
        for (enum side s = 0; s < SIDES; s++) {
                event.count[s] = parsed.count[s];
                event.levels[s] = parsed.levels[s];
        }
        sim_feed(symbol, connection, &event);
}

static inline void sim_event(
    struct sim_symbol *symbol, int64_t first, int64_t last, const char *levels)
{
        sim_event_on(symbol, 1, first, last, levels);
}

/* The newest fetch (or the one numbered @fetch) is answered. */
static inline void sim_answer(struct sim_symbol *symbol, uint32_t fetch, const struct image *image)
{
        struct sim_context context = {.symbol = symbol, .image = image};
        bool crossed = image->count[SIDE_BID] && image->count[SIDE_ASK] &&
            image->levels[SIDE_BID][0].price >= image->levels[SIDE_ASK][0].price;
        sim_step(&context,
            &(struct session_input){.kind = INPUT_IMAGE,
                .fetch = fetch,
                .image_id = image->id,
                .image_crossed = crossed});
}

static inline void sim_image(struct sim_symbol *symbol, int64_t id, const char *levels)
{
        struct sim_levels parsed;
        sim_parse_levels(levels, &parsed);
        struct image image = {.id = id, .receive_time_ns = sim_wall(symbol->sim)};
        for (enum side s = 0; s < SIDES; s++) {
                image.count[s] = parsed.count[s];
                image.levels[s] = parsed.levels[s];
        }
        sim_answer(symbol, symbol->fetch, &image);
}

static inline void sim_fetch_failed(struct sim_symbol *symbol, uint32_t fetch, int64_t retry_ms)
{
        struct sim_context context = {.symbol = symbol};
        sim_step(&context,
            &(struct session_input){.kind = INPUT_FETCH_FAILED,
                .fetch = fetch,
                .retry_ns = retry_ms ? SIM_MONO_NS + retry_ms * NS_PER_MS : 0});
}

/* ---- what is recorded ---- */

static inline void sim_book_text(const struct book *book, struct buffer *text)
{
        for (enum side s = 0; s < SIDES; s++) {
                struct book_cursor cursor = {0};
                struct level level;
                while (book_next(book, s, &cursor, &level))
                        buffer_printf(text, "%s%c%lld=%lld", text->size ? " " : "",
                            s == SIDE_BID ? 'b' : 'a', (long long)level.price,
                            (long long)level.quantity);
        }
}

/* The live book, best levels first. */
static inline void sim_expect_book(
    struct sim_symbol *symbol, const char *expected, const char *file, int line)
{
        struct buffer text;
        buffer_init(&text, 1u << 20);
        if (record_has_book(symbol->stream))
                sim_book_text(record_book(symbol->stream), &text);
        else
                buffer_append_text(&text, "none");
        sim_expect(&text, expected, file, line);
        buffer_deinit(&text);
}

#define SIM_EXPECT_BOOK(symbol, expected) sim_expect_book(symbol, expected, __FILE__, __LINE__)

static inline void sim_frame_line(
    struct frame_cursor *cursor, uint64_t position, const char *words, struct buffer *text)
{
        buffer_printf(text, "%llu epoch %u %s%s\n", (unsigned long long)position,
            cursor->info.epoch, frame_kind_name(cursor->info.kind), words);
}

static inline void sim_frame_text(
    struct frame_cursor *cursor, struct book *book, struct buffer *text)
{
        struct decoder *decoder = &cursor->reader->decoder;
        struct event event;
        char words[80];
        uint64_t position = cursor->position;
        assert_int_equal(decoder_open(decoder, cursor->frame, &cursor->info), 0);
        const struct frame_info *info = &cursor->info;
        if (frame_is_image(info)) {
                assert_int_equal(info->kind == FRAME_IMAGE ? decoder_image(decoder, book)
                                                           : decoder_repair(decoder, book),
                    0);
                snprintf(words, sizeof(words), "%s%s %lld", info->flags & FRAME_SYNC ? " sync" : "",
                    info->flags & FRAME_CORRECTION ? " correction" : "", (long long)info->last_id);
                sim_frame_line(cursor, position, words, text);
                return;
        }
        while (decoder_next(decoder, info->kind == FRAME_HEADLESS ? NULL : book, &event) > 0) {
                snprintf(words, sizeof(words), " %lld..%lld", (long long)event.first_id,
                    (long long)event.last_id);
                sim_frame_line(cursor, position++, words, text);
        }
}

static inline void sim_gaps_text(
    struct reader *reader, const struct recon_stream *stream, struct buffer *text)
{
        struct gap_list list;
        assert_int_equal(recon_gaps(reader, stream, &list), 0);
        for (size_t i = 0; i < list.count; i++) {
                const struct gap_record *gap = &list.gaps[i];
                buffer_printf(
                    text, "gap %s from %lld", gap_cause_name(gap->cause), (long long)gap->from_id);
                if (gap->open)
                        buffer_append_text(text, ", open\n");
                else
                        buffer_printf(text, " to %lld\n", (long long)gap->to_id);
        }
        gap_list_deinit(&list);
}

static inline void sim_problem_cb(const struct recon_stream *stream, uint32_t day,
    uint64_t position, const char *text, void *user)
{
        (void)user;
        print_error("%s, day %u, position %llu: %s\n", stream->name.symbol, day,
            (unsigned long long)position, text);
}

static inline void sim_verify(struct reader *reader, const struct recon_stream *stream)
{
        struct verify_result result;
        struct error error = {0};
        if (recon_verify(reader, stream, sim_problem_cb, NULL, NULL, &result, &error))
                fail_msg("%s", error.text);
        assert_int_equal(result.problems, 0);
}

static inline const struct recon_stream *sim_read(
    struct sim_symbol *symbol, struct reader *ret_reader)
{
        struct error error = {0};
        if (reader_open(ret_reader, symbol->sim->store, &error))
                fail_msg("%s", error.text);
        const struct recon_stream *stream =
            reader_find(ret_reader, "binance", symbol->name, KIND_L2);
        assert_non_null(stream);
        return stream;
}

/* Commit what has come, then list the record: its frames' events and images by position, its gaps.
 * The record must verify. */
static inline void sim_expect_record(
    struct sim_symbol *symbol, const char *expected, const char *file, int line)
{
        struct buffer text;
        struct reader reader;
        struct frame_cursor cursor;
        struct book book;
        book_init(&book);
        recorder_tick(symbol->sim->recorder, sim_wall(symbol->sim));
        const struct recon_stream *stream = sim_read(symbol, &reader);
        buffer_init(&text, 1u << 20);
        int code = frame_seek(&cursor, &reader, stream, 0, 0, false);
        while (!code) {
                sim_frame_text(&cursor, &book, &text);
                code = frame_next(&cursor);
        }
        frame_done(&cursor);
        book_deinit(&book);
        sim_gaps_text(&reader, stream, &text);
        sim_expect(&text, expected, file, line);
        sim_verify(&reader, stream);
        buffer_deinit(&text);
        reader_close(&reader);
}

#define SIM_EXPECT_RECORD(symbol, ...) sim_expect_record(symbol, "" __VA_ARGS__, __FILE__, __LINE__)

/* ---- the two beginnings that most tests share ---- */

/* A symbol whose connection 1 is up and subscribed: its first image is asked for. */
static inline struct sim_symbol *sim_subscribed(struct sim *sim)
{
        struct sim_symbol *symbol = sim_add(sim, "BTCUSDT");
        sim_connection(symbol, INPUT_OPENED, 1);
        sim_at(sim, 40);
        sim_connection(symbol, INPUT_SUBSCRIBED, 1);
        return symbol;
}

/* ... and it is live at id 100, "b99=1 a101=1". The trace is empty. */
static inline struct sim_symbol *sim_live(struct sim *sim)
{
        struct sim_symbol *symbol = sim_subscribed(sim);
        sim_event(symbol, 100, 100, "b99=1");
        sim_at(sim, 50);
        sim_image(symbol, 100, "b99=1 a101=1");
        assert_true(record_has_book(symbol->stream));
        buffer_clear(&sim->trace);
        return symbol;
}

#endif
