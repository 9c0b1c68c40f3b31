/* Commands that only look: list, status, book, gaps, watch. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "book/text.h"
#include "logger/commands.h"
#include "logger/gaps.h"

static bool is_book(const struct tracked *tracked)
{
        return tracked->kind != KIND_TRADES &&
            symbol_book(tracked->site, tracked->symbol) == tracked;
}

/* A row of each book, or of the one that "symbol" names. */
static void each_book(struct command *command, struct json_value request,
    void (*show)(struct command *command, const struct tracked *tracked))
{
        struct app *app = command->app;
        struct json_text text;
        if (json_member_string(request, "symbol", &text)) {
                const struct tracked *tracked = command_book(command, text);
                if (tracked)
                        show(command, tracked);
                return;
        }
        for (size_t i = 0; i < app->site_count; i++) {
                for (const struct tracked *tracked = app->sites[i].tracked; tracked;
                     tracked = tracked->next) {
                        if (is_book(tracked))
                                show(command, tracked);
                }
        }
}

static void append_number(struct buffer *row, const char *name, bool known, int64_t number)
{
        if (known)
                buffer_printf(row, ",\"%s\":%" PRId64, name, number);
        else
                buffer_printf(row, ",\"%s\":null", name);
}

static void append_text(struct buffer *row, const char *name, const char *text)
{
        buffer_printf(row, ",\"%s\":\"", name);
        buffer_append_json(row, text);
        buffer_append_text(row, "\"");
}

/* ---- list ---- */

static const char *origin_of(const struct app *app, const struct tracked *tracked)
{
        const struct rule *rule = rules_decide(&app->rules, tracked->site->venue, tracked->symbol);
        if (rule && rule_is_pattern(rule))
                return "pattern";
        return rule && rule->changed ? "added" : "settings";
}

static void list_one(struct command *command, const struct tracked *tracked)
{
        struct buffer *row = command_row_begin(command, tracked->site->venue, tracked->symbol);
        append_text(row, "kind", stream_kind_name(tracked->kind));
        append_text(row, "state", tracked_state(tracked));
        append_text(row, "origin", origin_of(command->app, tracked));
        if (tracked->refused)
                append_text(row, "error", tracked->refusal);
        buffer_append_text(row, "}");
        command_row(command);
}

static size_t count_matches(const struct app *app, const struct rule *rule)
{
        size_t count = 0;
        for (size_t i = 0; i < app->site_count; i++) {
                for (const struct tracked *tracked = app->sites[i].tracked; tracked;
                     tracked = tracked->next)
                        count += is_book(tracked) &&
                            rule_matches(rule, tracked->site->venue, tracked->symbol);
        }
        return count;
}

void command_list(struct command *command, struct json_value request)
{
        const struct app *app = command->app;
        each_book(command, request, list_one);
        for (size_t i = 0; i < app->rules.count; i++) {
                const struct rule *rule = &app->rules.list[i];
                if (!rule_is_pattern(rule) || !rule->wanted)
                        continue;
                struct buffer *row = command_row_plain(command);
                buffer_printf(row, "{\"exchange\":\"%s\"", rule->venue->name);
                append_text(row, "pattern", rule->symbol);
                buffer_printf(row, ",\"matches\":%zu}", count_matches(app, rule));
                command_row(command);
        }
}

/* ---- status ---- */

static void append_level(
    struct buffer *row, const char *name, bool there, struct level level, const struct scale *scale)
{
        char price[DECIMAL_TEXT_SIZE], quantity[DECIMAL_TEXT_SIZE];
        if (!there) {
                buffer_printf(row, ",\"%s\":null", name);
                return;
        }
        decimal_format(level.price, scale->price_digits, scale->fixed, price);
        decimal_format(level.quantity, scale->quantity_digits, scale->fixed, quantity);
        buffer_printf(row, ",\"%s\":[\"%s\",\"%s\"]", name, price, quantity);
}

/* The best of both sides of a book that is known. */
static void best_of(const struct tracked *tracked, bool has[SIDES], struct level best[SIDES])
{
        bool known = tracked->stream && record_has_book(tracked->stream);
        for (enum side s = 0; s < SIDES; s++) {
                best[s] = (struct level){0, 0};
                has[s] = known && book_best(record_book(tracked->stream), s, &best[s]);
        }
}

static void append_book(struct buffer *row, const struct tracked *tracked)
{
        static const struct scale none = {0};
        bool known = tracked->stream && record_has_book(tracked->stream), has[SIDES];
        const struct scale *scale = known ? record_scale(tracked->stream) : &none;
        const struct book *book = known ? record_book(tracked->stream) : NULL;
        struct level best[SIDES];
        char spread[DECIMAL_TEXT_SIZE];
        best_of(tracked, has, best);
        append_level(row, "bid", has[SIDE_BID], best[SIDE_BID], scale);
        append_level(row, "ask", has[SIDE_ASK], best[SIDE_ASK], scale);
        if (has[SIDE_BID] && has[SIDE_ASK]) {
                decimal_format(best[SIDE_ASK].price - best[SIDE_BID].price, scale->price_digits,
                    scale->fixed, spread);
                append_text(row, "spread", spread);
        } else {
                buffer_append_text(row, ",\"spread\":null");
        }
        buffer_printf(row, ",\"levels\":[%zu,%zu]", book ? book_count(book, SIDE_BID) : 0,
            book ? book_count(book, SIDE_ASK) : 0);
}

static void append_counts(struct buffer *row, const struct tracked *tracked)
{
        struct site *site = tracked->site;
        const struct tracked *trades =
            tracked_find(site, tracked->symbol, strlen(tracked->symbol), KIND_TRADES);
        buffer_printf(row,
            ",\"events\":%" PRIu64 ",\"trades\":%" PRIu64 ",\"gaps\":%" PRIu64
            ",\"resyncs\":%" PRIu64 ",\"corrections\":%" PRIu64,
            tracked->events, trades ? trades->events : 0,
            tracked->stream ? record_gap_count(tracked->stream) : 0, tracked->resyncs,
            tracked->corrections);
}

static void status_one(struct command *command, const struct tracked *tracked)
{
        const struct site *site = tracked->site;
        struct buffer *row = command_row_begin(command, site->venue, tracked->symbol);
        bool came = tracked->events, live = tracked->live_since_ns;
        int64_t now_ns = command->app->wall_ns;
        append_text(row, "kind", stream_kind_name(tracked->kind));
        append_text(row, "state", tracked_state(tracked));
        append_text(row, "feed", site->venue->source(tracked->kind, &site->choice));
        append_text(row, "note", tracked->note);
        append_text(row, "status", tracked->info.status);
        append_book(row, tracked);
        append_counts(row, tracked);
        append_number(row, "last_id", came, tracked->last_id);
        append_number(row, "last_event_time_ns", came, tracked->last_event_ns);
        append_number(row, "last_receive_time_ns", came, tracked->last_receive_ns);
        append_number(row, "lag_ns", came, now_ns - tracked->last_receive_ns);
        append_number(row, "live_since_ns", live, tracked->live_since_ns);
        if (tracked->refused)
                append_text(row, "error", tracked->refusal);
        buffer_append_text(row, "}");
        command_row(command);
}

void command_status(struct command *command, struct json_value request)
{
        each_book(command, request, status_one);
}

/* ---- book ---- */

static void append_horizon(
    struct buffer *row, const struct book *book, const struct scale *scale, enum side side)
{
        char price[DECIMAL_TEXT_SIZE];
        decimal_format(book->horizon[side], scale->price_digits, scale->fixed, price);
        if (book->bounded[side])
                buffer_printf(row, "\"%s\"", price);
        else
                buffer_append_text(row, "null");
}

static void show_book(struct command *command, const struct tracked *tracked, size_t depth)
{
        const struct venue *venue = tracked->site->venue;
        const struct book *book = record_book(tracked->stream);
        const struct scale *scale = record_scale(tracked->stream);
        bool sequenced = tracked->session.sync != SYNC_SNAPSHOT || venue->counts_messages;
        struct buffer *row = command_row_begin(command, venue, tracked->symbol);
        append_text(row, "kind", stream_kind_name(tracked->kind));
        append_number(row, "at", true, command->app->wall_ns);
        append_number(row, "event_time_ns", tracked->events, tracked->last_event_ns);
        append_number(row, "receive_time_ns", tracked->events, tracked->last_receive_ns);
        append_number(row, "last_id", true, book->id);
        append_number(row, "epoch", true, record_epoch(tracked->stream));
        append_text(row, "status", "ok");
        append_text(row, "proof", sequenced ? "sequence" : "none");
        buffer_append_text(row, ",\"horizon\":{\"bid\":");
        append_horizon(row, book, scale, SIDE_BID);
        buffer_append_text(row, ",\"ask\":");
        append_horizon(row, book, scale, SIDE_ASK);
        buffer_append_text(row, "},\"bids\":");
        book_side_json(book, SIDE_BID, scale, depth, row);
        buffer_append_text(row, ",\"asks\":");
        book_side_json(book, SIDE_ASK, scale, depth, row);
        buffer_append_text(row, "}");
        command_row(command);
}

void command_show_book(struct command *command, struct json_value request)
{
        struct json_text text;
        struct json_value member;
        int64_t depth = INT64_MAX;
        if (!command_text(command, request, "symbol", &text))
                return;
        if (json_member(request, "depth", &member) && (!json_int(member, &depth) || depth < 1)) {
                command_fail(command, 2, "\"depth\": allowed is a number from 1");
                return;
        }
        const struct tracked *tracked = command_book(command, text);
        if (tracked && tracked->stream && record_has_book(tracked->stream))
                show_book(command, tracked, (size_t)depth);
        else if (tracked)
                command_fail(command, 1, "%s: there is no book now, it is %s", tracked->name,
                    tracked_state(tracked));
}

/* ---- gaps ---- */

static void show_gap(struct command *command, const struct listed_gap *listed)
{
        const struct gap_record *gap = &listed->gap;
        struct buffer *row = command_row_begin(command, listed->venue, listed->symbol);
        append_text(row, "kind", stream_kind_name(listed->kind));
        append_text(row, "cause", gap_cause_name(gap->cause));
        append_number(row, "from_id", true, gap->from_id);
        append_number(row, "from_time_ns", true, gap->from_time_ns);
        append_number(row, "to_id", !gap->open, gap->to_id);
        append_number(row, "to_time_ns", !gap->open, gap->to_time_ns);
        append_text(row, "detail", gap->detail);
        buffer_append_text(row, "}");
        command_row(command);
}

void command_gaps(struct command *command, struct json_value request)
{
        struct json_text text;
        struct rule rule = {0};
        const struct listed_gap *listed;
        bool one = json_member_string(request, "symbol", &text);
        if (one && !command_book(command, text))
                return;
        if (one)
                (void)rule_parse(text.data, &rule, NULL);
        for (size_t i = 0; (listed = gaps_at(command->app, i)); i++) {
                if (!one || rule_matches(&rule, listed->venue, listed->symbol))
                        show_gap(command, listed);
        }
}

/* ---- watch ---- */

static bool best_changed(
    const struct command *command, const bool has[SIDES], const struct level best[SIDES])
{
        for (enum side s = 0; s < SIDES; s++) {
                if (has[s] != command->has_best[s] || best[s].price != command->best[s].price ||
                    best[s].quantity != command->best[s].quantity)
                        return true;
        }
        return !command->told;
}

static void tell_best(struct command *command, const struct tracked *tracked, const bool has[SIDES],
    const struct level best[SIDES])
{
        static const struct scale none = {0};
        const struct scale *scale = tracked->stream ? record_scale(tracked->stream) : &none;
        struct buffer *row = command_row_begin(command, tracked->site->venue, tracked->symbol);
        bool came = tracked->events;
        append_number(row, "time_ns", came, tracked->last_event_ns);
        append_level(row, "bid", has[SIDE_BID], best[SIDE_BID], scale);
        append_level(row, "ask", has[SIDE_ASK], best[SIDE_ASK], scale);
        buffer_append_text(row, "}");
        if (!command_row(command)) /* a slow reader gets the next one */
                return;
        command->told = true;
        for (enum side s = 0; s < SIDES; s++) {
                command->has_best[s] = has[s];
                command->best[s] = best[s];
        }
}

static void watch_tick(struct command *command)
{
        const struct awaited *awaited = &command->awaited[0];
        const struct tracked *tracked = symbol_book(awaited->site, awaited->symbol);
        bool has[SIDES];
        struct level best[SIDES];
        if (!tracked || tracked->refused) {
                command_fail(command, 1, "%s:%s is not recorded any more",
                    awaited->site->venue->name, awaited->symbol);
                command->tick = NULL;
                return;
        }
        best_of(tracked, has, best);
        if (best_changed(command, has, best))
                tell_best(command, tracked, has, best);
}

void command_watch(struct command *command, struct json_value request)
{
        struct json_text text;
        struct tracked *tracked =
            command_text(command, request, "symbol", &text) ? command_book(command, text) : NULL;
        if (!tracked)
                return;
        command_await(command, tracked->site, tracked->symbol);
        command->tick = watch_tick;
        watch_tick(command);
}
