#include "logger/app.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/log.h"
#include "logger/doors.h"
#include "logger/gaps.h"
#include "logger/keep.h"
#include "logger/notes.h"
#include "logger/service.h"
#include "ship/legacy.h"
#include "ship/ship.h"
#include "store/layout.h"

#define CLOCK_STEP_NS (100 * NS_PER_MS)
#define TURN_NS (5 * NS_PER_MS) /* between two looks at timers and answers, under load */
#define CLOSE_WAIT_NS (5 * NS_PER_S)
#define SHIP_WAIT_NS (5 * NS_PER_S) /* of both that write to a database */
#define LEGACY_WAIT_NS (2 * NS_PER_S)

void app_look_at_clock(struct app *app)
{
        app->network->ops->now(app->network, &app->mono_ns, &app->wall_ns);
}

/* What SYMBOLS names: rules, and what is no pattern is begun at once. */
static int add_setting(struct app *app, const char *text, struct error *error)
{
        struct rule rule;
        struct error why;
        if (rule_parse(text, &rule, &why))
                return error_set(error, ERR_USAGE, "SYMBOLS: %s", why.text);
        const struct rule *known = rules_decide(&app->rules, rule.venue, rule.symbol);
        if (known && !strcmp(known->symbol, rule.symbol))
                return error_set(error, ERR_USAGE, "SYMBOLS: %s:%s is named twice",
                    rule.venue->name, rule.symbol);
        if (!site_open(app, rule.venue, error))
                return error->code;
        return rules_add(&app->rules, &rule, error);
}

static int add_settings(struct app *app, struct error *error)
{
        char *list = memory_text(settings_text(app->settings, "SYMBOLS")), *rest = list, *word;
        int code = 0;
        while (!code && (word = strsep(&rest, ", \t"))) {
                if (*word)
                        code = add_setting(app, word, error);
        }
        free(list);
        return code;
}

/* Every symbol that a rule names and the last one wants. */
static int begin_symbols(struct app *app, struct error *error)
{
        for (size_t i = 0; i < app->rules.count; i++) {
                const struct rule *rule = &app->rules.list[i];
                struct site *site = site_open(app, rule->venue, error);
                if (!site)
                        return error->code;
                if (rule_is_pattern(rule) || symbol_book(site, rule->symbol))
                        continue;
                if (!rules_decide(&app->rules, rule->venue, rule->symbol)->wanted)
                        log_info("%s:%s: not recorded, obmanage removed it", rule->venue->name,
                            rule->symbol);
                else if (symbol_add(site, rule->symbol, error))
                        return error->code;
        }
        return 0;
}

const struct network_past *app_past(const struct app *app)
{
        struct network *network = app->network;
        return network && network->ops->past ? network->ops->past(network) : NULL;
}

/* SYMBOLS, and the changes to it that the store keeps. */
static int add_symbols(struct app *app, struct error *error)
{
        size_t venues = 0;
        struct error why;
        while (venue_at(venues))
                venues++;
        app->sites = memory_new(venues * sizeof(struct site));
        snprintf(app->rules_path, sizeof(app->rules_path), "%s/" RULES_FILE,
            settings_text(app->settings, "STORE"));
        int code = add_settings(app, error);
        const struct network_past *past = app_past(app);
        if (!code && past)
                code = rules_parse(&app->rules, past->rules, "the changes", error);
        else if (!code)
                code = rules_load(&app->rules, app->rules_path, error);
        if (code)
                return code;
        code = begin_symbols(app, &why);
        return code ? error_set(error, code, "SYMBOLS: %s", why.text) : 0;
}

/* What is there to be shipped, and where to; without a sink nothing waits for one. */
static int open_sink(struct app *app, struct error *error)
{
        const struct settings *settings = app->settings;
        struct shipper_options options = {.path = settings_text(settings, "STORE"),
            .ops = &store_mongo,
            .sink = {.path = settings_text_or_null(settings, "MONGODB_ENDPOINT"),
                .database = settings_text(settings, "MONGODB_DATABASE"),
                .password = settings_text_or_null(settings, "MONGODB_PASSWORD"),
                .recorder = settings_text(settings, "RECORDER")}};
        return options.sink.path ? shipper_open(&app->shipper, &options, error)
                                 : shipper_forget(options.path, SINK_MONGODB, error);
}

/* The older system's documents, besides. */
static int open_legacy(struct app *app, struct error *error)
{
        const struct settings *settings = app->settings;
        struct legacy_options options = {.store = settings_text(settings, "STORE"),
            .endpoint = settings_text_or_null(settings, "MONGODB_ENDPOINT"),
            .password = settings_text_or_null(settings, "MONGODB_PASSWORD"),
            .database = settings_text(settings, "MONGODB_DATABASE"),
            .recorder = settings_text(settings, "RECORDER")};
        bool wanted = strstr(settings_text(settings, "MONGODB_LAYOUT"), "legacy");
        return wanted && options.endpoint ? legacy_open(&app->legacy, &options, error)
                                          : shipper_forget(options.store, SINK_LEGACY, error);
}

static void app_forget_symbols(struct app *app)
{
        for (size_t i = 0; i < app->site_count; i++) {
                struct site *site = &app->sites[i];
                symbols_free(site);
                for (size_t l = 0; l < site->link_count; l++)
                        free(site->links[l]);
                budget_deinit(&site->budget);
        }
        free(app->sites);
        app->sites = NULL;
        app->site_count = 0;
        rules_deinit(&app->rules);
}

static void app_read_settings(struct app *app, struct settings *settings)
{
        app->settings = settings;
        app->trades = !strcmp(settings_text(settings, "TRADES"), "on");
        app->order_ids = !strcmp(settings_text(settings, "L3_IDS"), "on");
        app->names_period_ns = settings_number(settings, "SYMBOLS_EVERY");
        app->depth = (uint32_t)settings_number(settings, "IMAGE_DEPTH");
        app->receive_unit_ns =
            strcmp(settings_text(settings, "RECEIVE_UNIT"), "ns") ? NS_PER_US : 1;
        app->refresh_period_ns = settings_number(settings, "RESYNC_EVERY");
}

static void app_read_clock(struct app *app)
{
        app_look_at_clock(app);
        app->start_offset_ns = app->clock_offset_ns = app->wall_ns - app->mono_ns;
        app->second_ns = app->started_mono_ns = app->mono_ns;
}

int app_check(struct settings *settings, struct error *error)
{
        struct app app = {0};
        app_read_settings(&app, settings);
        int code = settings_check(settings, error);
        if (!code)
                code = add_symbols(&app, error);
        app_forget_symbols(&app);
        return code;
}

static int open_store(struct app *app, struct error *error)
{
        const struct settings *settings = app->settings;
        struct store_options options = {.path = settings_text(settings, "STORE"),
            .mode = STORE_WRITE,
            .recorder = settings_text(settings, "RECORDER"),
            .uuid = app_past(app) ? app_past(app)->uuid : NULL};
        struct record_options record = {.seal_after_ns = settings_number(settings, "SEAL_AFTER"),
            .seal_levels = (uint32_t)settings_number(settings, "SEAL_LEVELS"),
            .image_factor = (uint32_t)settings_number(settings, "IMAGE_FACTOR"),
            .image_min_ns = settings_number(settings, "IMAGE_MIN"),
            .image_max_ns = settings_number(settings, "IMAGE_MAX"),
            .without_thread = !app->network->ops->live};
        int code = store_lmdb.open(&app->store, &options, error);
        if (!code)
                code = recorder_open(&app->recorder, app->store, &record, error);
        if (code || !app->network->ops->live)
                return code;
        code = open_sink(app, error);
        code = code ? code : open_legacy(app, error);
        unsigned keep = (unsigned)strtoul(settings_text(settings, "STORE_KEEP"), NULL, 10);
        if (!code && keep) /* only now: the sink has claimed what it has not got */
                code = keeper_open(&app->keeper, options.path, keep, error);
        return code;
}

static int open_network(struct app *app, const struct network_ops *network, struct error *error)
{
        struct network_options options = {
            .ca_file = settings_text_or_null(app->settings, "CA_FILE"),
            .capture = settings_text_or_null(app->settings, "RAW_CAPTURE"),
            .callbacks = &connections_callbacks,
            .user = app};
        if (network == &network_sockets && options.capture)
                network = &network_capturing;
        int code = network->open(&app->network, &options, error);
        if (!code)
                app_read_clock(app);
        return code;
}

void app_note(struct app *app, enum capture_kind kind, int64_t number, struct bytes text)
{
        const struct network_ops *ops = app->network->ops;
        if (ops->note)
                ops->note(app->network, kind, number, text);
}

/* All that decides what comes of the same input; no secret, but whether it is there. */
static void note_start(struct app *app)
{
        struct buffer text;
        buffer_init(&text, LIMIT_FILE_SIZE);
        for (size_t i = 0; i < settings_count; i++) {
                const struct setting *setting = &settings_table[i];
                const char *value = settings_text(app->settings, setting->name);
                if (*value)
                        buffer_printf(&text, "%s=%s\n", setting->name,
                            setting->kind == SETTING_SECRET ? CAPTURE_SECRET : value);
        }
        buffer_printf(&text, CAPTURE_UUID "=%s\n", app->store->ops->uuid(app->store));
        app_note(app, CAPTURE_START, 0, buffer_bytes(&text));
        buffer_clear(&text);
        rules_print(&app->rules, &text);
        app_note(app, CAPTURE_RULES, 0, buffer_bytes(&text));
        buffer_deinit(&text);
}

int app_open(struct app *app, struct settings *settings, const struct network_ops *network,
    struct error *error)
{
        *app = (struct app){0};
        app_read_settings(app, settings);
        app->parser = json_new();
        int code = settings_check(settings, error);
        code = code ? code : open_network(app, network, error);
        if (!code)
                code = add_symbols(app, error);
        if (!code)
                code = open_store(app, error);
        if (!code)
                code = doors_open(app, error);
        if (code)
                return code;
        app->started = true;
        note_start(app);
        return 0;
}

/* The monotonic clock drives all timers; a step of the wall clock is told and stored. */
static void watch_clock(struct app *app)
{
        int64_t offset = app->wall_ns - app->mono_ns, step = offset - app->clock_offset_ns;
        app->clock_offset_ns = offset;
        if (step < CLOCK_STEP_NS && step > -CLOCK_STEP_NS)
                return;
        app->clock_steps++;
        log_warning("the wall clock stepped by %" PRId64
                    " ms; receive times before and after do not compare",
            step / NS_PER_MS);
        recorder_note_clock_step(app->recorder, app->wall_ns, step);
}

/* What every live book may claim: its connection was alive, and nothing is in doubt. */
static void note_alive(struct app *app, struct tracked *tracked)
{
        struct site *site;
        const struct session *session = &tracked->session;
        struct live_connection *connection = connection_find(app, session->primary, &site);
        if (!connection || !session->has_book || !session->subscribed || session->unconfirmed ||
            session->probe_pending || session->behind)
                return;
        int64_t alive_ns = session->sync == SYNC_TAPE
            ? tracked->proved_wall_ns    /* no frame proves */
            : connection->alive_wall_ns; /* a trade */
        if (alive_ns)
                record_alive(tracked->stream, cut_receive_time(app, alive_ns));
}

/* All that was wanted is refused: somebody has to look. With nothing wanted it waits for obmanage.
 */
static bool all_refused(const struct app *app)
{
        size_t count = 0;
        for (size_t i = 0; i < app->rules.count; i++) {
                const struct rule *rule = &app->rules.list[i];
                if (rule->wanted && (rule->changed || rule_is_pattern(rule)))
                        return false; /* more may come, or somebody is there who adds */
        }
        for (size_t i = 0; i < app->site_count; i++) {
                for (const struct tracked *tracked = app->sites[i].tracked; tracked;
                     tracked = tracked->next) {
                        if (!tracked->refused)
                                return false;
                        count++;
                }
        }
        return count;
}

/* How far the database is behind, for the status line. */
static void append_sink(const struct app *app, char *line, size_t size)
{
        size_t used = strlen(line);
        if (!app->shipper || used >= size)
                return;
        struct shipper_stats stats = shipper_stats(app->shipper);
        snprintf(line + used, size - used, "  MongoDB %s%" PRIu64 " events, %" PRIu64 " s behind",
            stats.state == SHIPPER_SHIPPING ? "" : "waits, ", stats.events_behind,
            (uint64_t)(stats.behind_ns / NS_PER_S));
}

static void show_status(struct app *app)
{
        char line[256], bid_text[DECIMAL_TEXT_SIZE], ask_text[DECIMAL_TEXT_SIZE];
        size_t books = 0;
        uint64_t gaps = 0;
        const struct tracked *shown = NULL;
        struct level bid, ask;
        for (size_t i = 0; i < app->site_count; i++) {
                for (const struct tracked *tracked = app->sites[i].tracked; tracked;
                     tracked = tracked->next) {
                        if (!tracked->stream)
                                continue;
                        gaps += record_gap_count(tracked->stream);
                        if (tracked->kind == KIND_TRADES || !record_has_book(tracked->stream))
                                continue;
                        books++;
                        shown = tracked;
                }
        }
        int size = snprintf(line, sizeof(line), "%" PRIu64 " msg/s  %zu books  %" PRIu64 " gaps",
            app->messages - app->shown_messages, books, gaps);
        app->shown_messages = app->messages;
        if (shown && book_best(record_book(shown->stream), SIDE_BID, &bid) &&
            book_best(record_book(shown->stream), SIDE_ASK, &ask)) {
                const struct scale *scale = record_scale(shown->stream);
                decimal_format(bid.price, scale->price_digits, false, bid_text);
                decimal_format(ask.price, scale->price_digits, false, ask_text);
                snprintf(line + size, sizeof(line) - (size_t)size, "  %s %s / %s", shown->symbol,
                    bid_text, ask_text);
        }
        append_sink(app, line, sizeof(line));
        log_status(line);
}

static void second_turn(struct app *app)
{
        app->second_ns = app->mono_ns + NS_PER_S;
        watch_clock(app);
        for (size_t i = 0; i < app->site_count; i++) {
                symbols_tick(&app->sites[i]);
                for (struct tracked *tracked = app->sites[i].tracked; tracked;
                     tracked = tracked->next) {
                        if (!tracked->stream)
                                continue;
                        note_alive(app, tracked);
                        gaps_note(tracked);
                }
        }
        symbols_plan_refresh(app);
        notes_second(app);
        recorder_tick(app->recorder, app->wall_ns);
        service_second(app);
        if (!settings_bool(app->settings, "AS_SERVICE"))
                show_status(app);
        if (all_refused(app)) {
                log_error("no symbol is left to record");
                app->failed = true;
        }
}

void app_turn(struct app *app)
{
        app_look_at_clock(app);
        if (!app->network->ops->woken(app->network) && app->mono_ns < app->turn_ns)
                return;
        app->turn_ns = app->mono_ns + TURN_NS;
        app_note(app, CAPTURE_TURN, 0, (struct bytes){NULL, 0});
        requests_answers(app);
        for (size_t i = 0; i < app->site_count; i++) {
                connections_tick(&app->sites[i]);
                for (struct tracked *tracked = app->sites[i].tracked; tracked;
                     tracked = tracked->next) {
                        if (tracked->stream)
                                tracked_tick(tracked);
                }
        }
        requests_tick(app);
        doors_tick(app);
        if (app->mono_ns >= app->second_ns)
                second_turn(app);
}

int app_run(struct app *app, const bool volatile *stop)
{
        int code = 0;
        while (!*stop && !app->stop_wanted && !app->failed && !code) {
                app_turn(app);
                code = app->network->ops->run(app->network);
        }
        return app->failed ? ERR_DENIED : code;
}

int app_close(struct app *app, struct error *error)
{
        int code = 0;
        log_status(NULL);
        doors_close(app);
        if (app->network) {
                app_look_at_clock(app);
                if (app->started)
                        app_note(app, CAPTURE_END, 0, (struct bytes){NULL, 0});
                app->network->ops->close(app->network);
        }
        keeper_close(app->keeper);
        if (app->recorder && !app->abandoned)
                notes_end_all(app);
        if (app->recorder && app->abandoned)
                recorder_abandon(app->recorder);
        else if (app->recorder)
                code = recorder_close(app->recorder, app->wall_ns, CLOSE_WAIT_NS, error);
        int64_t until_ns = clock_mono_ns() + SHIP_WAIT_NS;
        app->left_behind = !legacy_close(app->legacy, LEGACY_WAIT_NS);
        int64_t left_ns = until_ns - clock_mono_ns();
        app->left_behind |= !shipper_close(app->shipper, left_ns > 0 ? left_ns : 0);
        if (app->store) /* only now another program may write there */
                store_lmdb.close(app->store);
        app_forget_symbols(app);
        gaps_free(app);
        requests_free(app);
        level_list_deinit(&app->list);
        json_free(app->parser);
        return code;
}
