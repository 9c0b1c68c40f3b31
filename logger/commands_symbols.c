/* Commands that change what is recorded: add, remove, snapshot. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "logger/commands.h"

static void append_seconds(const struct command *command, struct buffer *row)
{
        int64_t ms = (command->app->mono_ns - command->since_ns) / NS_PER_MS;
        buffer_printf(row, ",\"seconds\":%" PRId64 ".%03d", ms / 1000, (int)(ms % 1000));
}

static void fail_symbol(struct command *command, const struct venue *venue, const char *symbol,
    const char *state, const char *why)
{
        struct buffer *row = command_row_begin(command, venue, symbol);
        buffer_printf(row, ",\"state\":\"%s\",\"error\":\"", state);
        buffer_append_json(row, why);
        buffer_append_text(row, "\"}");
        command_row(command);
        command_fail(command, 1, "%s:%s: %s", venue->name, symbol, why);
}

static void tell_pattern(
    struct command *command, const struct venue *venue, const char *pattern, const char *rest)
{
        struct buffer *row = command_row_plain(command);
        buffer_printf(row, "{\"exchange\":\"%s\",\"pattern\":\"", venue->name);
        buffer_append_json(row, pattern);
        buffer_printf(row, "\",%s}", rest);
        command_row(command);
}

static void save_rules(struct command *command)
{
        struct error error;
        if (commands_save(command->app, &error))
                command_fail(
                    command, 1, "done, but it lasts until the next start alone: %s", error.text);
}

/* What is named twice counts once. */
static int take_named(struct rules *named, const char *text, struct error *error)
{
        struct rule rule;
        int code = rule_parse(text, &rule, error);
        if (code)
                return code;
        rule.changed = true;
        return rules_add(named, &rule, error);
}

/* The rules that "symbols" names, all of them or (the command has failed) none. */
static struct rules named_rules(struct command *command, struct json_value request)
{
        struct rules named = {0};
        struct json_value list, item;
        struct json_cursor cursor;
        struct json_text text;
        struct error error;
        if (!json_member(request, "symbols", &list) || !json_array_begin(list, &cursor)) {
                command_fail(command, 2, "\"symbols\" is missing: a list of texts");
                return named;
        }
        while (!command->code && json_array_next(&cursor, &item)) {
                if (!json_string(item, &text))
                        command_fail(command, 2, "\"symbols\": a list of texts");
                else if (take_named(&named, text.data, &error))
                        command_fail(command, 2, "%s", error.text);
        }
        if (!command->code && !named.count)
                command_fail(command, 2, "\"symbols\" is empty");
        if (command->code)
                rules_deinit(&named);
        return named;
}

/* ---- what is awaited ---- */

/* Something is asked of an exchange, one after the other: so long patience lasts. */
static size_t requests_waiting(const struct command *command)
{
        size_t count = command->awaited_count;
        for (size_t i = 0; i < command->app->site_count; i++) {
                for (int p = 0; p < BUDGET_PRIORITIES; p++)
                        count +=
                            budget_waiting(&command->app->sites[i].budget, (enum budget_priority)p);
        }
        return count;
}

static void give_up(struct command *command)
{
        for (size_t i = 0; i < command->awaited_count; i++) {
                const struct awaited *awaited = &command->awaited[i];
                const struct site *site = awaited->site;
                const struct tracked *tracked = symbol_book(awaited->site, awaited->symbol);
                char why[400];
                if (awaited->done)
                        continue;
                snprintf(why, sizeof(why),
                    "no news for %d s%s%s; it goes on in the background, see obmanage status",
                    (int)(COMMAND_PATIENCE_NS / NS_PER_S), *site->trouble ? ", " : "",
                    site->trouble);
                fail_symbol(command, site->venue, awaited->symbol,
                    tracked ? tracked_state(tracked) : "asking", why);
        }
        command_leave(command);
}

/* Ask @done_one of each that is left, and end when none is. It may add more. */
static void await_all(
    struct command *command, bool (*done_one)(struct command *command, struct awaited *awaited))
{
        size_t left = 0, waiting = requests_waiting(command);
        for (size_t i = 0; i < command->awaited_count; i++) { /* those added meanwhile too */
                struct awaited awaited = command->awaited[i];
                if (awaited.done)
                        continue;
                bool done = done_one(command, &awaited); /* the list may move */
                command->awaited[i].done = done;
                left += !done;
                if (done)
                        command->news_ns = command->app->mono_ns;
        }
        if (waiting != command->waiting)
                command->news_ns = command->app->mono_ns;
        command->waiting = waiting;
        if (!left)
                command->tick = NULL;
        else if (command->id && command->app->mono_ns - command->news_ns > COMMAND_PATIENCE_NS)
                give_up(command);
}

/* ---- add ---- */

static void tell_live(struct command *command, const struct tracked *tracked)
{
        struct buffer *row = command_row_begin(command, tracked->site->venue, tracked->symbol);
        buffer_append_text(row, ",\"state\":\"live\"");
        append_seconds(command, row);
        buffer_append_text(row, "}");
        command_row(command);
}

/* It will not be asked for again at the next start. */
static void forget_refused(struct command *command, const struct awaited *awaited)
{
        struct rule rule = {.venue = awaited->site->venue, .changed = true};
        struct error error;
        snprintf(rule.symbol, sizeof(rule.symbol), "%s", awaited->symbol);
        symbol_drop(awaited->site, awaited->symbol);
        if (!rules_add(&command->app->rules, &rule, &error))
                command->app->rules_changed = true;
}

static bool symbol_done(struct command *command, struct awaited *awaited)
{
        const struct tracked *tracked = symbol_book(awaited->site, awaited->symbol);
        const struct venue *venue = awaited->site->venue;
        if (!tracked) {
                fail_symbol(command, venue, awaited->symbol, "removed", "it was removed meanwhile");
        } else if (tracked->refused) {
                fail_symbol(command, venue, awaited->symbol, "refused", tracked->refusal);
                if (awaited->new_rule)
                        forget_refused(command, awaited);
        } else if (tracked->stream && tracked->session.state == SESSION_LIVE &&
            record_has_book(tracked->stream)) {
                tell_live(command, tracked);
        } else {
                return false;
        }
        return true;
}

static bool pattern_done(struct command *command, struct awaited *awaited)
{
        struct site *site = awaited->site;
        struct rule rule = {.venue = site->venue};
        char text[40];
        size_t before = command->awaited_count;
        if (site->listings == awaited->listings)
                return false;
        snprintf(rule.symbol, sizeof(rule.symbol), "%s", awaited->symbol);
        for (const struct tracked *tracked = site->tracked; tracked; tracked = tracked->next) {
                if (tracked->kind != KIND_TRADES && !tracked->refused &&
                    rule_matches(&rule, site->venue, tracked->symbol))
                        command_await(command, site, tracked->symbol);
        }
        snprintf(text, sizeof(text), "\"matches\":%zu", command->awaited_count - before);
        tell_pattern(command, site->venue, awaited->symbol, text);
        return true;
}

static bool add_done(struct command *command, struct awaited *awaited)
{
        return strchr(awaited->symbol, '*') ? pattern_done(command, awaited)
                                            : symbol_done(command, awaited);
}

static void add_tick(struct command *command)
{
        await_all(command, add_done);
}

/* What was refused once is asked about anew. */
static int begin_symbol(struct site *site, const char *symbol, struct error *error)
{
        const struct tracked *tracked = symbol_book(site, symbol);
        if (tracked && tracked->refused)
                symbol_drop(site, symbol);
        else if (tracked)
                return 0;
        return symbol_add(site, symbol, error);
}

static void add_one(struct command *command, struct rule *rule)
{
        struct app *app = command->app;
        struct error error;
        struct site *site = site_open(app, rule->venue, &error);
        const struct rule *before = rules_decide(&app->rules, rule->venue, rule->symbol);
        bool pattern = rule_is_pattern(rule), new_rule = !before || !before->wanted;
        rule->changed = true;
        bool there = site && symbol_book(site, rule->symbol);
        if (!site || (!pattern && begin_symbol(site, rule->symbol, &error))) {
                fail_symbol(command, rule->venue, rule->symbol, "refused", error.text);
                return;
        }
        if (rules_add(&app->rules, rule, &error)) {
                if (!pattern && !there)
                        symbol_drop(site, rule->symbol);
                fail_symbol(command, rule->venue, rule->symbol, "refused", error.text);
                return;
        }
        struct awaited *awaited = command_await(command, site, rule->symbol);
        awaited->new_rule = new_rule && !pattern;
        command->lasting |= awaited->new_rule;
        awaited->listings = site->listings;
}

void command_add(struct command *command, struct json_value request)
{
        struct rules named = named_rules(command, request);
        for (size_t i = 0; i < named.count; i++)
                add_one(command, &named.list[i]);
        if (!command->awaited_count) {
                rules_deinit(&named);
                return;
        }
        save_rules(command);
        for (size_t i = 0; i < command->app->site_count; i++)
                symbols_ask_new(&command->app->sites[i]);
        command->tick = add_tick;
        rules_deinit(&named);
}

/* ---- remove ---- */

static void remove_symbol(struct command *command, struct site *site, const char *symbol)
{
        struct buffer *row = command_row_begin(command, site->venue, symbol);
        buffer_append_text(row, ",\"state\":\"removed\"}");
        command_row(command);
        symbol_drop(site, symbol);
}

static void remove_matches(struct command *command, struct site *site, const struct rule *rule)
{
        char symbol[LIMIT_SYMBOL_SIZE + 1];
        for (struct tracked *tracked = site->tracked; tracked;) {
                if (!rule_matches(rule, site->venue, tracked->symbol)) {
                        tracked = tracked->next;
                        continue;
                }
                snprintf(symbol, sizeof(symbol), "%s", tracked->symbol);
                remove_symbol(command, site, symbol);
                tracked = site->tracked; /* several streams are gone */
        }
}

/* Is anything recorded, or wanted, that the rule names? */
static bool anything_named(const struct app *app, const struct site *site, const struct rule *rule)
{
        for (const struct tracked *tracked = site->tracked; tracked; tracked = tracked->next) {
                if (rule_matches(rule, site->venue, tracked->symbol))
                        return true;
        }
        for (size_t i = 0; i < app->rules.count; i++) {
                const struct rule *known = &app->rules.list[i];
                if (rule_matches(rule, known->venue, known->symbol) &&
                    rules_decide(&app->rules, known->venue, known->symbol)->wanted)
                        return true;
        }
        return false;
}

static void remove_one(struct command *command, struct rule *rule)
{
        struct app *app = command->app;
        struct error error;
        struct site *site = site_open(app, rule->venue, &error);
        if (site && !anything_named(app, site, rule)) {
                fail_symbol(command, rule->venue, rule->symbol, "unknown", "it is not recorded");
                return;
        }
        rule->changed = true;
        rule->wanted = false;
        if (!site || rules_add(&app->rules, rule, &error)) {
                fail_symbol(command, rule->venue, rule->symbol, "unchanged", error.text);
                return;
        }
        if (rule_is_pattern(rule))
                tell_pattern(command, rule->venue, rule->symbol, "\"state\":\"removed\"");
        remove_matches(command, site, rule);
}

void command_remove(struct command *command, struct json_value request)
{
        struct rules named = named_rules(command, request);
        for (size_t i = 0; i < named.count; i++)
                remove_one(command, &named.list[i]);
        if (named.count)
                save_rules(command);
        rules_deinit(&named);
}

/* ---- snapshot ---- */

static bool snapshot_done(struct command *command, struct awaited *awaited)
{
        const struct tracked *tracked = symbol_book(awaited->site, awaited->symbol);
        if (!tracked || tracked->refused) {
                fail_symbol(command, awaited->site->venue, awaited->symbol, "refused",
                    tracked ? tracked->refusal : "it was removed meanwhile");
                return true;
        }
        if (tracked->images == awaited->images)
                return false;
        struct buffer *row = command_row_begin(command, awaited->site->venue, awaited->symbol);
        buffer_printf(row, ",\"state\":\"%s\",\"corrections\":%" PRIu64, tracked_state(tracked),
            tracked->corrections);
        append_seconds(command, row);
        buffer_append_text(row, "}");
        command_row(command);
        return true;
}

static void snapshot_tick(struct command *command)
{
        await_all(command, snapshot_done);
}

static void ask_image(struct command *command, struct tracked *tracked)
{
        struct site *site = tracked->site;
        if (tracked->refused || !tracked->stream || !record_has_book(tracked->stream)) {
                fail_symbol(command, site->venue, tracked->symbol, tracked_state(tracked),
                    "there is no book to compare an image with");
                return;
        }
        if (tracked->numbers) {
                fail_symbol(command, site->venue, tracked->symbol, tracked_state(tracked),
                    "with L3_IDS=off its book is never compared with an image");
                return;
        }
        if (tracked->session.sync == SYNC_SNAPSHOT) /* the stream brings it, if asked for anew */
                connections_resubscribe(tracked, tracked->session.primary);
        else
                session_refresh_soon(&tracked->session, command->app->mono_ns);
        command_await(command, site, tracked->symbol)->images = tracked->images;
}

static void ask_all_images(struct command *command)
{
        struct app *app = command->app;
        for (size_t i = 0; i < app->site_count; i++) {
                for (struct tracked *tracked = app->sites[i].tracked; tracked;
                     tracked = tracked->next) {
                        if (tracked->kind != KIND_TRADES && !tracked->refused)
                                ask_image(command, tracked);
                }
        }
}

void command_snapshot(struct command *command, struct json_value request)
{
        struct json_text text;
        if (!command_text(command, request, "symbol", &text))
                return;
        struct tracked *tracked = json_text_is(text, "all") ? NULL : command_book(command, text);
        if (tracked)
                ask_image(command, tracked);
        else if (!command->code)
                ask_all_images(command);
        command->tick = command->awaited_count ? snapshot_tick : NULL;
}
