/* What the tests of the metrics share: a logger without a network, put together by hand over a
 * store in memory, whose commits fail when the test says so; and its text, line by line. */
#ifndef TESTS_UNIT_METRICS_HELP_H
#define TESTS_UNIT_METRICS_HELP_H

#include "base/clock.h"
#include "logger/app.h"
#include "logger/metrics.h"
#include "tests/unit/help.h"

#define T0 (INT64_C(1723161600) * NS_PER_S)

struct world {
        struct app app;
        struct site sites[2];
        struct store *store;
        struct buffer text;
};

static bool commits_fail;
static struct store_ops world_ops;

static inline int world_commit(struct store_txn *txn, struct error *error)
{
        if (!commits_fail)
                return store_memory.commit(txn, error);
        store_memory.abort(txn);
        return error_set(error, ERR_FULL, "the disk is full");
}

static inline void world_begin(struct world *world, const char *store_name, size_t queue_size)
{
        struct store_options options = {.path = store_name, .mode = STORE_WRITE};
        struct record_options record = record_defaults;
        struct error error = {0};
        *world = (struct world){0};
        commits_fail = false;
        record.without_thread = true;
        record.queue_size = queue_size;
        assert_int_equal(store_memory.open(&world->store, &options, &error), 0);
        world_ops = store_memory;
        world_ops.commit = world_commit;
        world->store->ops = &world_ops;
        assert_int_equal(recorder_open(&world->app.recorder, world->store, &record, &error), 0);
        world->app.sites = world->sites;
        world->app.site_count = 2;
        world->app.mono_ns = 500 * NS_PER_S;
        world->app.started_mono_ns = 100 * NS_PER_S;
        world->app.start_offset_ns = T0 - world->app.mono_ns;
        for (size_t i = 0; i < 2; i++) {
                world->sites[i].app = &world->app;
                world->sites[i].venue = i ? &venue_coinbase : &venue_binance;
                budget_init(&world->sites[i].budget, i ? 600 : 6000);
        }
        buffer_init(&world->text, METRICS_SIZE);
}

static inline void world_end(struct world *world)
{
        struct error error = {0};
        commits_fail = false;
        recorder_close(world->app.recorder, T0 + 60 * NS_PER_S, 0, &error);
        for (size_t i = 0; i < 2; i++) {
                for (struct tracked *tracked = world->sites[i].tracked, *next; tracked;
                     tracked = next) {
                        next = tracked->next;
                        free(tracked);
                }
                budget_deinit(&world->sites[i].budget);
        }
        store_memory.close(world->store);
        buffer_deinit(&world->text);
}

/* A stream that the exchange has not told of yet. */
static inline struct tracked *world_add(
    struct world *world, size_t site, const char *symbol, uint8_t kind)
{
        struct tracked *tracked = memory_new(sizeof(*tracked));
        struct site *at = &world->sites[site];
        tracked->site = at;
        tracked->kind = kind;
        snprintf(tracked->symbol, sizeof(tracked->symbol), "%s", symbol);
        snprintf(tracked->name, sizeof(tracked->name), "%s:%s%s", at->venue->name, symbol,
            kind == KIND_TRADES ? " trades" : "");
        tracked->next = at->tracked;
        at->tracked = tracked;
        at->tracked_count++;
        return tracked;
}

static inline void world_confirm(struct world *world, struct tracked *tracked)
{
        struct stream_name name = {.kind = tracked->kind, .sequenced = true};
        struct scale scale = {2, 8, true, 1, 1};
        struct error error = {0};
        snprintf(name.exchange, sizeof(name.exchange), "%s", tracked->site->venue->name);
        snprintf(name.symbol, sizeof(name.symbol), "%s", tracked->symbol);
        assert_int_equal(
            record_stream_open(world->app.recorder, &name, &scale, T0, &tracked->stream, &error),
            0);
}

/* A book of three levels, two bids and an ask: 61837.63, 61000.00 / 61838.00. */
static inline void world_image(struct tracked *tracked, int64_t id)
{
        static const struct level bids[] = {{6183763, 100}, {6100000, 200}};
        static const struct level asks[] = {{6183800, 300}};
        static const struct order_id ids[] = {{{1}}, {{2}}, {{3}}};
        struct image image = {.kind = tracked->kind,
            .id = id,
            .receive_time_ns = T0,
            .count = {2, 1},
            .levels = {bids, asks},
            .orders = {ids, ids + 2}};
        assert_int_equal(record_image(tracked->stream, &image), 0);
}

static inline void world_event(struct tracked *tracked, int64_t id, int64_t receive_time_ns)
{
        struct level level = {6183000, id};
        struct event event = {.event_time_ns = receive_time_ns - 5 * NS_PER_MS,
            .receive_time_ns = receive_time_ns,
            .first_id = id,
            .last_id = id,
            .count = {1, 0},
            .levels = {&level, &level + 1}};
        assert_int_equal(record_event(tracked->stream, &event), 0);
}

static inline const char *world_write(struct world *world)
{
        buffer_clear(&world->text);
        metrics_write(&world->app, &world->text);
        buffer_append_byte(&world->text, 0);
        assert_false(world->text.failed);
        return (const char *)world->text.data;
}

static inline bool has_line(const char *text, const char *line)
{
        size_t size = strlen(line);
        for (const char *at = text; (at = strstr(at, line)); at++) {
                if ((at == text || at[-1] == '\n') && at[size] == '\n')
                        return true;
        }
        return false;
}

/* The family that @line belongs to, as it is. */
static inline void fail_line(const char *text, const char *line)
{
        size_t size = strcspn(line, "{ ");
        for (const char *at = text; at; at = strchr(at, '\n')) {
                at += *at == '\n';
                if (!strncmp(at, line, size))
                        print_message("has  %.*s\n", (int)strcspn(at, "\n"), at);
        }
        fail_msg("no line %s", line);
}

#define assert_line(text, line)                                                                    \
        do {                                                                                       \
                if (!has_line(text, line))                                                         \
                        fail_line(text, line);                                                     \
        } while (0)

#endif
