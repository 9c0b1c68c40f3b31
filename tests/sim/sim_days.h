/* Two days of four symbols on a recorder, second by second, and what the books truly were.
 *
 * BUSY runs through; QUIET says nothing over midnight; HEADLESS has no book over midnight though
 * its events come; GAP is disconnected over midnight. Each is handed to another connection after 23
 * hours and re-imaged every half hour, when the exchange turns out to hold one more level. */
#ifndef TESTS_SIM_SIM_DAYS_H
#define TESTS_SIM_SIM_DAYS_H

#include "sim.h"

#define DAYS_SECONDS (2 * 86400)
#define DAYS_PRODUCTS 4
#define DAYS_TICK_S 60
#define DAYS_ROTS_MAX 256
#define DAYS_MID 10000
#define DAYS_CLOCK(hour, minute, second) ((hour)*3600 + (minute)*60 + (second))
#define DAYS_DOWN_FROM DAYS_CLOCK(23, 59, 30) /* of a restart */
#define DAYS_DOWN_TO DAYS_CLOCK(24, 0, 40)

enum days_product {
        DAYS_BUSY,
        DAYS_QUIET,
        DAYS_HEADLESS,
        DAYS_GAP,
};

enum days_restart {
        RESTART_NONE,
        RESTART_CLEAN,
        RESTART_CRASH,
};

/* Before event @index the exchange turned out to hold this level. */
struct rot {
        size_t index;
        struct level level;
};

struct days;

struct product {
        struct days *days;
        struct sim_symbol *symbol;
        uint64_t number;
        struct book truth;
        int64_t *times_ns; /* of its events; ids follow from the index */
        bool *good;        /* recorded with a book */
        size_t count, committed;
        struct rot rots[DAYS_ROTS_MAX];
        size_t rot_count;
        bool asked;
        enum fetch_purpose purpose;
        uint32_t fetch;
        uint32_t connection;
};

struct days {
        struct sim sim;
        const struct store_ops *ops;
        const char *path;
        enum days_restart restart;
        struct product products[DAYS_PRODUCTS];
        bool up;
};

/* Recorders that were never closed, kept in sight so that only true leaks are leaks. */
static struct recorder *days_abandoned[4];
static size_t days_abandoned_count;

static const char *const days_names[DAYS_PRODUCTS] = {"BUSY", "QUIET", "HEADLESS", "GAP"};

static inline uint64_t days_hash(uint64_t a, uint64_t b)
{
        uint64_t x = a * UINT64_C(0x9e3779b97f4a7c15) + b * UINT64_C(0xc2b2ae3d27d4eb4f) + 1;
        x ^= x >> 29;
        x *= UINT64_C(0xbf58476d1ce4e5b9);
        return x ^ x >> 32;
}

/* Event @index of a product: the same at any time. @levels: of two. */
static inline struct event days_event(
    const struct product *product, size_t index, struct level *levels)
{
        struct event event = {.event_time_ns = product->times_ns[index],
            .receive_time_ns = product->times_ns[index] + SIM_DELAY_NS,
            .first_id = 1001 + 2 * (int64_t)index,
            .last_id = 1002 + 2 * (int64_t)index};
        for (enum side s = 0; s < SIDES; s++) {
                uint64_t hash = days_hash(product->number * 2 + s, index);
                int64_t away = 1 + (int64_t)(hash % 40);
                levels[s].price = s == SIDE_BID ? DAYS_MID - away : DAYS_MID + away;
                levels[s].quantity = (int64_t)(hash / 64 % 10);
                event.count[s] = hash / 1024 % 4 != 0;
                event.levels[s] = &levels[s];
        }
        return event;
}

/* ---- images ---- */

static inline void days_fetch_cb(
    struct sim_symbol *symbol, enum fetch_purpose purpose, uint32_t fetch)
{
        struct product *product = symbol->user;
        product->asked = true;
        product->purpose = purpose;
        product->fetch = fetch;
        if (purpose == FETCH_REFRESH)
                record_tail_begin(symbol->stream);
}

static inline void days_answer(struct product *product)
{
        struct sim_levels levels;
        struct sim_symbol *symbol = product->symbol;
        struct rot *rot = &product->rots[product->rot_count];
        struct image image = {
            .id = 1000 + 2 * (int64_t)product->count, .receive_time_ns = sim_wall(symbol->sim)};
        unsigned corrections = symbol->corrections;
        bool refresh = product->purpose == FETCH_REFRESH;
        assert_true(product->rot_count < DAYS_ROTS_MAX);
        *rot = (struct rot){product->count, {9000 + (int64_t)product->rot_count % 20, 1}};
        rot->level.quantity += (int64_t)product->rot_count;
        if (refresh)
                book_set(&product->truth, SIDE_BID, rot->level.price, rot->level.quantity);
        for (enum side s = 0; s < SIDES; s++) {
                image.count[s] = (uint32_t)book_count(&product->truth, s);
                book_levels(&product->truth, s, levels.levels[s]);
                image.levels[s] = levels.levels[s];
        }
        product->asked = false;
        sim_answer(symbol, product->fetch, &image);
        if (!refresh)
                return;
        assert_int_equal(symbol->corrections, corrections + 1);
        assert_int_equal(symbol->differences, 1);
        product->rot_count++;
}

/* ---- up and down ---- */

static inline void days_begin(struct days *days, int64_t second)
{
        struct sim *sim = &days->sim;
        sim_open(sim, days->ops, days->path, 1);
        sim->muted = true;
        sim->now_ms = second * 1000;
        sim->fetch_cb = days_fetch_cb;
        for (size_t i = 0; i < DAYS_PRODUCTS; i++) {
                struct product *product = &days->products[i];
                product->symbol = sim_add(sim, days_names[i]);
                product->symbol->user = product;
                product->connection++;
                product->asked = false;
                sim_connection(product->symbol, INPUT_OPENED, product->connection);
                sim_connection(product->symbol, INPUT_SUBSCRIBED, product->connection);
        }
        days->up = true;
}

/* What a kill leaves behind: the store as of the last commit. */
static inline void days_crash(struct days *days)
{
        struct sim *sim = &days->sim;
        assert_true(days_abandoned_count < 4);
        days_abandoned[days_abandoned_count++] = sim->recorder;
        sim->store->ops->close(sim->store);
        for (size_t i = 0; i < sim->symbol_count; i++)
                event_log_deinit(&sim->symbols[i].held);
        buffer_deinit(&sim->trace);
        for (size_t i = 0; i < DAYS_PRODUCTS; i++) {
                struct product *product = &days->products[i];
                for (size_t k = product->committed; k < product->count; k++)
                        product->good[k] = false;
        }
}

static inline void days_end(struct days *days)
{
        if (days->restart == RESTART_CRASH && days->sim.now_ms < 86400000)
                days_crash(days);
        else
                sim_close(&days->sim);
        days->up = false;
}

/* ---- one second ---- */

static inline bool days_is_between(int64_t second, int64_t from, int64_t to)
{
        return second >= from && second < to;
}

static inline void days_produce(struct product *product, int64_t second)
{
        struct level levels[SIDES];
        struct days *days = product->days;
        size_t index = product->count++;
        product->times_ns[index] =
            SIM_WALL_NS + second * NS_PER_S + (int64_t)(days_hash(99, index) % 700) * NS_PER_MS;
        struct event event = days_event(product, index, levels);
        book_apply(&product->truth, &event);
        bool lost = product->number == DAYS_HEADLESS && second == DAYS_CLOCK(23, 50, 0);
        if (!days->up || lost || !product->connection)
                return;
        days->sim.now_ms = (event.receive_time_ns - SIM_WALL_NS) / NS_PER_MS;
        sim_feed(product->symbol, product->connection, &event);
        product->good[index] = record_has_book(product->symbol->stream) &&
            record_book(product->symbol->stream)->id == event.last_id;
}

static inline void days_connections(struct product *product, int64_t second)
{
        struct sim_symbol *symbol = product->symbol;
        bool cut = product->number == DAYS_GAP;
        if (second == DAYS_CLOCK(23, 0, 0)) {
                sim_connection(symbol, INPUT_OPENED, product->connection + 1);
                sim_connection(symbol, INPUT_SUBSCRIBED, product->connection + 1);
        } else if (second == DAYS_CLOCK(23, 0, 5)) {
                product->connection++;
        } else if (second == DAYS_CLOCK(23, 0, 10)) {
                sim_connection(symbol, INPUT_CLOSED, product->connection - 1);
        } else if (cut && second == DAYS_CLOCK(23, 50, 0)) {
                sim_connection(symbol, INPUT_CLOSED, product->connection);
                product->connection = 0;
        } else if (cut && second == DAYS_CLOCK(24, 15, 0)) {
                if (product->connection)
                        return; /* a restart has connected it already */
                product->connection = 77;
                sim_connection(symbol, INPUT_OPENED, 77);
                sim_connection(symbol, INPUT_SUBSCRIBED, 77);
        }
}

static inline void days_note_alive(struct product *product)
{
        const struct session *session = &product->symbol->session;
        if (session->has_book && session->subscribed && !session->unconfirmed &&
            !session->probe_pending)
                record_alive(product->symbol->stream, sim_wall(&product->days->sim));
}

static inline void days_product_second(struct product *product, int64_t second)
{
        struct days *days = product->days;
        bool quiet = product->number == DAYS_QUIET &&
            days_is_between(second, DAYS_CLOCK(23, 30, 0), DAYS_CLOCK(24, 45, 0));
        bool unanswered = product->number == DAYS_HEADLESS &&
            days_is_between(second, DAYS_CLOCK(23, 50, 0), DAYS_CLOCK(24, 20, 0));
        if (days->up)
                days_connections(product, second);
        if (!quiet)
                days_produce(product, second);
        if (!days->up)
                return;
        days->sim.now_ms = second * 1000 + 800;
        if (product->asked && !unanswered)
                days_answer(product);
        days_note_alive(product);
}

static inline void days_second(struct days *days, int64_t second)
{
        struct sim *sim = &days->sim;
        for (size_t i = 0; i < DAYS_PRODUCTS; i++)
                days_product_second(&days->products[i], second);
        if (!days->up)
                return;
        sim->now_ms = second * 1000 + 900;
        sim->second_ms = INT64_MAX;
        sim_tick(sim);
        if (second % DAYS_TICK_S)
                return;
        recorder_tick(sim->recorder, sim_wall(sim));
        for (size_t i = 0; i < DAYS_PRODUCTS; i++)
                days->products[i].committed = days->products[i].count;
}

/* Both days are recorded in the store of @path when this returns, and the store is closed. */
static inline struct days *days_run(
    const struct store_ops *ops, const char *path, enum days_restart restart)
{
        struct days *days = memory_new(sizeof(*days));
        *days = (struct days){.ops = ops, .path = path, .restart = restart};
        for (size_t i = 0; i < DAYS_PRODUCTS; i++) {
                struct product *product = &days->products[i];
                product->days = days;
                product->number = i;
                book_init(&product->truth);
                product->times_ns = memory_new(DAYS_SECONDS * sizeof(int64_t));
                product->good = memory_new(DAYS_SECONDS * sizeof(bool));
        }
        days_begin(days, 0);
        for (int64_t second = 0; second < DAYS_SECONDS; second++) {
                if (restart && second == DAYS_DOWN_FROM)
                        days_end(days);
                if (restart && second == DAYS_DOWN_TO)
                        days_begin(days, second);
                days_second(days, second);
        }
        days_end(days);
        return days;
}

static inline void days_free(struct days *days)
{
        for (size_t i = 0; i < DAYS_PRODUCTS; i++) {
                book_deinit(&days->products[i].truth);
                free(days->products[i].times_ns);
                free(days->products[i].good);
        }
        free(days);
}

/* ---- the truth, walked along ---- */

struct days_walk {
        const struct product *product;
        struct book book;
        size_t next, rot;
};

static inline void days_walk_to(struct days_walk *walk, size_t next)
{
        const struct product *product = walk->product;
        struct level levels[SIDES];
        for (; walk->next < next; walk->next++) {
                for (;
                     walk->rot < product->rot_count && product->rots[walk->rot].index <= walk->next;
                     walk->rot++)
                        book_set(&walk->book, SIDE_BID, product->rots[walk->rot].level.price,
                            product->rots[walk->rot].level.quantity);
                struct event event = days_event(product, walk->next, levels);
                book_apply(&walk->book, &event);
        }
}

#endif
