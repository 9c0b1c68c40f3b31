#include "logger/app.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/log.h"
#include "logger/keep.h"
#include "ship/legacy.h"
#include "ship/ship.h"
#include "store/layout.h"
#include "store/mongo_client.h"
#include "venue/net.h"
#include "venue/sign.h"

#define CLOCK_STEP_NS (100 * NS_PER_MS)
#define TURN_NS (5 * NS_PER_MS) /* between two looks at timers and answers, under load */
#define CLOSE_WAIT_NS (5 * NS_PER_S)
#define SHIP_WAIT_NS (5 * NS_PER_S) /* of both that write to a database */
#define LEGACY_WAIT_NS (2 * NS_PER_S)
#define REFRESH_SHARE 5 /* re-images take at most a fifth of the REST budget */

static void wake_cb(void *user)
{
        struct app *app = user;
        feed_wake(app->feed);
}

static int site_urls(
    struct site *site, const struct venue *venue, struct settings *settings, struct error *error)
{
        const char *ws = settings_text(settings, venue->ws_setting);
        const char *rest = settings_text(settings, venue->rest_setting);
        ws = *ws ? ws : venue->ws_url;
        rest = *rest ? rest : venue->rest_url;
        int code = rest_url_parse(ws, &site->ws);
        if (code || strncmp(ws, "ws", 2))
                return error_set(error, ERR_USAGE,
                    "%s=%s: allowed is wss://host[:port] (ws:// only to this machine)",
                    venue->ws_setting, ws);
        code = rest_url_parse(rest, &site->rest);
        if (code || strncmp(rest, "http", 4))
                return error_set(error, ERR_USAGE,
                    "%s=%s: allowed is https://host[:port] (http:// only to this machine)",
                    venue->rest_setting, rest);
        snprintf(site->rest_base, sizeof(site->rest_base), "%s", rest);
        size_t size = strlen(site->rest_base);
        if (size && site->rest_base[size - 1] == '/')
                site->rest_base[size - 1] = '\0';
        return 0;
}

/* All of a key or nothing; empty settings are none. */
static int site_choice(struct site *site, struct settings *settings, struct error *error)
{
        static const char *const names[] = {
            "COINBASE_API_KEY", "COINBASE_API_SECRET", "COINBASE_API_PASSPHRASE"};
        struct venue_choice *choice = &site->choice;
        const char **values[] = {&choice->key, &choice->secret, &choice->passphrase};
        const char *missing = NULL;
        choice->period_ms =
            strcmp(settings_text(settings, "ORDERBOOK_UPDATEFREQUENCY"), "1000") ? 100 : 1000;
        choice->aggregate = !strcmp(settings_text(settings, "BINANCE_TRADES"), "aggtrade");
        if (strcmp(site->venue->name, "coinbase"))
                return 0;
        for (size_t i = 0; i < 3; i++) {
                const char *value = settings_text(settings, names[i]);
                *values[i] = *value ? value : NULL;
                missing = *value ? missing : names[i];
        }
        if (missing && (choice->key || choice->secret || choice->passphrase))
                return error_set(error, ERR_USAGE,
                    "%s is not set: allowed are all three of COINBASE_API_KEY, _SECRET and "
                    "_PASSPHRASE, or none",
                    missing);
        if (choice->secret && !sign_secret_is_valid(choice->secret))
                return error_set(error, ERR_USAGE,
                    "COINBASE_API_SECRET=(not shown): allowed is the base64 text that the exchange "
                    "gave");
        return 0;
}

static const struct venue *chosen_feed(const struct app *app, const struct venue *venue)
{
        const struct venue *feed = strcmp(venue->name, "coinbase")
            ? venue
            : venue_feed(venue->name, settings_text(app->settings, "COINBASE_FEED"));
        return feed ? feed : venue;
}

static struct site *site_of(struct app *app, const struct venue *venue, struct error *error)
{
        for (size_t i = 0; i < app->site_count; i++) {
                if (app->sites[i].venue == venue)
                        return &app->sites[i];
        }
        struct site *site = &app->sites[app->site_count];
        site->app = app;
        site->venue = venue;
        if (site_urls(site, venue, app->settings, error) || site_choice(site, app->settings, error))
                return NULL;
        budget_init(&site->budget, venue->weight_per_minute);
        app->site_count++;
        return site;
}

static int add_symbol(struct app *app, const char *text, struct error *error)
{
        const struct venue *venue;
        char symbol[LIMIT_SYMBOL_SIZE + 1];
        struct error why;
        if (venue_parse_symbol(text, &venue, symbol, sizeof(symbol), &why))
                return error_set(error, ERR_USAGE, "SYMBOLS: %s", why.text);
        struct site *site = site_of(app, chosen_feed(app, venue), error);
        return site ? symbol_add(site, symbol, error) : error->code;
}

static int add_symbols(struct app *app, struct error *error)
{
        char *list = memory_text(settings_text(app->settings, "SYMBOLS")), *rest = list, *word;
        int code = 0;
        size_t venues = 0;
        while (venue_at(venues))
                venues++;
        app->sites = memory_new(venues * sizeof(struct site));
        while (!code && (word = strsep(&rest, ", \t"))) {
                if (*word)
                        code = add_symbol(app, word, error);
        }
        free(list);
        if (!code && !app->site_count)
                code = error_set(error, ERR_USAGE,
                    "SYMBOLS is empty: name what to record, like SYMBOLS=binance:BTCUSDT");
        return code;
}

static int check_files(struct settings *settings, struct error *error)
{
        const char *ca = settings_text(settings, "CA_FILE"),
                   *keep = settings_text(settings, "STORE_KEEP");
        struct error why;
        if (*ca && net_trust_check(ca, &why))
                return error_set(error, ERR_USAGE, "CA_FILE: %s", why.text);
        if (settings_number(settings, "IMAGE_MIN") > settings_number(settings, "IMAGE_MAX"))
                return error_set(error, ERR_USAGE, "IMAGE_MIN=%s: allowed is at most IMAGE_MAX=%s",
                    settings_text(settings, "IMAGE_MIN"), settings_text(settings, "IMAGE_MAX"));
        if (strspn(keep, "0123456789") != strlen(keep) || strlen(keep) > 5 || !strcmp(keep, "0"))
                return error_set(error, ERR_USAGE,
                    "STORE_KEEP=%s: allowed is a number of days from 1, or empty", keep);
        return 0;
}

static const char *text_or_null(const struct settings *settings, const char *name)
{
        const char *text = settings_text(settings, name);
        return *text ? text : NULL;
}

/* Is the address one? Nothing is connected. */
static int check_sink(const struct settings *settings, struct error *error)
{
        struct mongo_options options = {.uri = text_or_null(settings, "MONGODB_ENDPOINT"),
            .password = text_or_null(settings, "MONGODB_PASSWORD"),
            .database = settings_text(settings, "MONGODB_DATABASE")};
        struct error why;
        if (options.database[strcspn(options.database, "/\\. \"$*<>:|?")])
                return error_set(error, ERR_USAGE,
                    "MONGODB_DATABASE=%s: allowed is a name without blanks and /\\.\"$*<>:|?",
                    options.database);
        if (!options.uri)
                return 0;
        if (mongo_check(&options, &why))
                return error_set(error, ERR_USAGE,
                    "MONGODB_ENDPOINT=(not shown): %s; allowed is host:port or a mongodb:// URI",
                    why.text);
        return 0;
}

/* What is there to be shipped, and where to; without a sink nothing waits for one. */
static int open_sink(struct app *app, struct error *error)
{
        const struct settings *settings = app->settings;
        struct shipper_options options = {.path = settings_text(settings, "STORE"),
            .ops = &store_mongo,
            .sink = {.path = text_or_null(settings, "MONGODB_ENDPOINT"),
                .database = settings_text(settings, "MONGODB_DATABASE"),
                .password = text_or_null(settings, "MONGODB_PASSWORD"),
                .recorder = settings_text(settings, "RECORDER")}};
        return options.sink.path ? shipper_open(&app->shipper, &options, error)
                                 : shipper_forget(options.path, SINK_MONGODB, error);
}

/* The older system's documents, besides. */
static int open_legacy(struct app *app, struct error *error)
{
        const struct settings *settings = app->settings;
        struct legacy_options options = {.store = settings_text(settings, "STORE"),
            .endpoint = text_or_null(settings, "MONGODB_ENDPOINT"),
            .password = text_or_null(settings, "MONGODB_PASSWORD"),
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
                for (struct tracked *tracked = site->tracked, *next; tracked; tracked = next) {
                        next = tracked->next;
                        tracked_free(tracked);
                }
                for (size_t l = 0; l < site->link_count; l++)
                        free(site->links[l]);
                free(site->by_name);
                budget_deinit(&site->budget);
        }
        free(app->sites);
        app->sites = NULL;
        app->site_count = 0;
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
        app->mono_ns = clock_mono_ns();
        app->wall_ns = clock_wall_ns();
        app->start_offset_ns = app->clock_offset_ns = app->wall_ns - app->mono_ns;
        app->second_ns = app->mono_ns;
}

int app_check(struct settings *settings, struct error *error)
{
        struct app app = {0};
        app_read_settings(&app, settings);
        int code = check_files(settings, error);
        code = code ? code : check_sink(settings, error);
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
            .recorder = settings_text(settings, "RECORDER")};
        struct record_options record = {.seal_after_ns = settings_number(settings, "SEAL_AFTER"),
            .seal_levels = (uint32_t)settings_number(settings, "SEAL_LEVELS"),
            .image_factor = (uint32_t)settings_number(settings, "IMAGE_FACTOR"),
            .image_min_ns = settings_number(settings, "IMAGE_MIN"),
            .image_max_ns = settings_number(settings, "IMAGE_MAX")};
        int code = store_lmdb.open(&app->store, &options, error);
        if (!code)
                code = recorder_open(&app->recorder, app->store, &record, error);
        code = code ? code : open_sink(app, error);
        code = code ? code : open_legacy(app, error);
        unsigned keep = (unsigned)strtoul(settings_text(settings, "STORE_KEEP"), NULL, 10);
        if (!code && keep) /* only now: the sink has claimed what it has not got */
                code = keeper_open(&app->keeper, options.path, keep, error);
        return code;
}

static int open_network(struct app *app, struct error *error)
{
        const char *ca = settings_text(app->settings, "CA_FILE");
        struct feed_callbacks callbacks = connections_callbacks;
        callbacks.user = app;
        struct feed_options feed = {.ca_file = *ca ? ca : NULL};
        struct rest_options rest = {.ca_file = *ca ? ca : NULL, .wake_cb = wake_cb, .user = app};
        int code = feed_open(&app->feed, &feed, &callbacks, error);
        return code ? code : rest_open(&app->rest, &rest, error);
}

/* Re-images of all symbols must fit into their share of the budget. */
static void plan_refresh_period(struct app *app)
{
        for (size_t i = 0; i < app->site_count; i++) {
                struct site *site = &app->sites[i];
                int64_t weight = 0;
                for (const struct tracked *tracked = site->tracked; tracked;
                     tracked = tracked->next) {
                        if (site->venue->sync(tracked->kind) == SYNC_BRIDGE)
                                weight += site->venue->image_weight(tracked->kind, app->depth);
                }
                int64_t share = site->budget.weight_per_minute / REFRESH_SHARE;
                int64_t needed = weight * 60 * NS_PER_S / (share ? share : 1);
                if (needed > app->refresh_period_ns)
                        app->refresh_period_ns = needed;
        }
}

int app_open(struct app *app, struct settings *settings, struct error *error)
{
        *app = (struct app){0};
        app_read_settings(app, settings);
        app->parser = json_new();
        int code = check_files(settings, error);
        code = code ? code : check_sink(settings, error);
        if (!code)
                code = add_symbols(app, error);
        if (!code)
                code = open_store(app, error);
        if (!code)
                code = open_network(app, error);
        if (code)
                return code;
        plan_refresh_period(app);
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

static bool anything_left(const struct app *app)
{
        for (size_t i = 0; i < app->site_count; i++) {
                for (const struct tracked *tracked = app->sites[i].tracked; tracked;
                     tracked = tracked->next) {
                        if (!tracked->refused)
                                return true;
                }
        }
        return false;
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
                        if (tracked->stream)
                                note_alive(app, tracked);
                }
        }
        recorder_tick(app->recorder, app->wall_ns);
        if (!settings_bool(app->settings, "AS_SERVICE"))
                show_status(app);
        if (!anything_left(app)) {
                log_error("no symbol is left to record");
                app->failed = true;
        }
}

static void turn(struct app *app)
{
        app->mono_ns = clock_mono_ns();
        if (app->mono_ns < app->turn_ns)
                return;
        app->turn_ns = app->mono_ns + TURN_NS;
        app->wall_ns = clock_wall_ns();
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
        if (app->mono_ns >= app->second_ns)
                second_turn(app);
}

int app_run(struct app *app, const bool volatile *stop)
{
        int code = 0;
        while (!*stop && !app->failed && !code) {
                turn(app);
                code = feed_run(app->feed);
        }
        return app->failed ? ERR_DENIED : code;
}

int app_close(struct app *app, struct error *error)
{
        int code = 0;
        log_status(NULL);
        if (app->feed)
                feed_close(app->feed);
        if (app->rest)
                rest_close(app->rest);
        keeper_close(app->keeper);
        if (app->recorder)
                code = recorder_close(app->recorder, clock_wall_ns(), CLOSE_WAIT_NS, error);
        int64_t until_ns = clock_mono_ns() + SHIP_WAIT_NS;
        app->left_behind = !legacy_close(app->legacy, LEGACY_WAIT_NS);
        int64_t left_ns = until_ns - clock_mono_ns();
        app->left_behind |= !shipper_close(app->shipper, left_ns > 0 ? left_ns : 0);
        if (app->store) /* only now another program may write there */
                store_lmdb.close(app->store);
        app_forget_symbols(app);
        requests_free(app);
        level_list_deinit(&app->list);
        json_free(app->parser);
        return code;
}
