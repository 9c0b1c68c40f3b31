/* A scripted exchange and the network to it, in simulated time, with faults by chance.
 *
 * Markets produce events and know their true book at every id; connections carry them with delay,
 * in order, until a fault strikes. A link, a budget, sessions and a recorder work on it as in the
 * logger. Afterwards world_check proves the record against the truth. */
#ifndef TESTS_SIM_SIM_WORLD_H
#define TESTS_SIM_SIM_WORLD_H

#include "sim.h"
#include "venue/budget.h"

#define WORLD_MARKETS 2
#define WORLD_CONNECTIONS 512
#define WORLD_DEALS_MAX 8192
#define WORLD_PACKETS_MAX 2048
#define WORLD_REQUESTS_MAX 256
#define WORLD_STEP_MS 10
#define WORLD_MID 10000
#define WORLD_WEIGHT_IMAGE 250
#define WORLD_WEIGHT_PROBE 5
#define WORLD_PERIOD_NS (60 * NS_PER_S) /* between two re-images */
#define WORLD_SILENCE_NS (60 * NS_PER_S)
#define WORLD_LIFE_NS (23 * 3600 * NS_PER_S)

/* One event of the exchange. */
struct deal {
        int64_t first_id, last_id, time_ns;
        struct sim_levels *levels;
};

struct world;

struct market {
        struct world *world;
        struct sim_symbol *symbol;
        char name[24];
        struct book truth;
        int64_t id;
        struct deal deals[WORLD_DEALS_MAX];
        size_t deal_count;
        bool crossed; /* the next event must uncross it */
        struct sim_levels cached;
        int64_t cached_id;
        bool cached_there;
};

struct connection {
        bool open, stalled;
        bool subscribed[WORLD_MARKETS], dead[WORLD_MARKETS];
        int64_t due_ms; /* of the newest packet: the next one is not earlier */
        int64_t lag_ms; /* besides the delay */
        int64_t subscribed_ms;
        int64_t alive_ms;
};

enum packet_kind {
        PACKET_OPEN,
        PACKET_CLOSE,
        PACKET_ACK,
        PACKET_PING,
        PACKET_HEARTBEAT,
        PACKET_SHUTDOWN,
        PACKET_EVENT,
        PACKET_ANSWER,
};

struct packet {
        enum packet_kind kind;
        int64_t due_ms;
        uint64_t order;
        uint32_t connection, command;
        size_t market, index; /* EVENT: the deal; ANSWER: the request */
        int64_t id;           /* HEARTBEAT: the newest */
};

struct request {
        bool used;
        struct sim_symbol *symbol;
        enum fetch_purpose purpose;
        uint32_t fetch;
        bool failing, crossed, late; /* late: seen when it is answered, not when it is asked */
        int64_t id;
        struct sim_levels levels;
};

/* Each is struck once in so many times; 0: never. */
struct faults {
        unsigned lost, doubled, swapped, dead_stream, crossing; /* of events */
        unsigned closed, stalled, shutdown;                     /* of connections, a second */
        unsigned refused, unanswered;                           /* of attempts, of commands */
        unsigned failed, stale, crossed_image, blocked;         /* of REST requests */
        unsigned lost_once; /* of events, on one connection alone */
};

struct world {
        struct sim sim;
        struct market markets[WORLD_MARKETS];
        struct link link;
        struct budget budget;
        struct connection connections[WORLD_CONNECTIONS];
        uint32_t connection_count;
        struct packet packets[WORLD_PACKETS_MAX];
        size_t packet_count;
        uint64_t packet_order;
        struct request requests[WORLD_REQUESTS_MAX];
        struct faults faults;
        bool still;      /* the markets do nothing */
        bool heartbeats; /* each second the exchange tells its newest ids */
};

static inline struct world *world_of(struct sim_symbol *symbol)
{
        return ((struct market *)symbol->user)->world;
}

static inline int64_t world_delay(struct world *world)
{
        return sim_between(&world->sim, 5, 60);
}

static inline void world_send(struct world *world, struct packet packet)
{
        assert_true(world->packet_count < WORLD_PACKETS_MAX);
        packet.order = world->packet_order++;
        world->packets[world->packet_count++] = packet;
}

/* Over a connection packets stay in order, unless @hurry or delay is added by a fault. */
static inline void world_send_on(struct world *world, uint32_t number, struct packet packet)
{
        struct connection *connection = &world->connections[number];
        if (connection->stalled)
                return;
        packet.connection = number;
        packet.due_ms = world->sim.now_ms + connection->lag_ms + world_delay(world);
        if (packet.due_ms < connection->due_ms)
                packet.due_ms = connection->due_ms;
        connection->due_ms = packet.due_ms;
        world_send(world, packet);
}

/* ---- markets ---- */

static inline void market_set(
    struct sim_levels *levels, enum side side, int64_t price, int64_t quantity)
{
        levels->levels[side][levels->count[side]++] = (struct level){price, quantity};
}

static inline void market_fill(struct market *market, struct sim_levels *levels)
{
        struct sim *sim = &market->world->sim;
        int64_t count = sim_between(sim, 1, 4);
        if (market->crossed) {
                market_set(levels, SIDE_BID, WORLD_MID + 5, 0);
                market->crossed = false;
                return;
        }
        for (int64_t i = 0; i < count; i++) {
                enum side side = sim_chance(sim, 2) ? SIDE_BID : SIDE_ASK;
                int64_t away = sim_between(sim, 1, 30);
                market_set(levels, side, side == SIDE_BID ? WORLD_MID - away : WORLD_MID + away,
                    sim_between(sim, 0, 9));
        }
        if (!sim_chance(sim, market->world->faults.crossing))
                return;
        market_set(levels, SIDE_BID, WORLD_MID + 5, 1);
        market_set(levels, SIDE_ASK, WORLD_MID + 3, 1);
        market->crossed = true;
}

static inline struct event deal_event(const struct deal *deal, int64_t receive_time_ns)
{
        struct event event = {.event_time_ns = deal->time_ns,
            .receive_time_ns = receive_time_ns,
            .first_id = deal->first_id,
            .last_id = deal->last_id};
        for (enum side s = 0; s < SIDES; s++) {
                event.count[s] = deal->levels->count[s];
                event.levels[s] = deal->levels->levels[s];
        }
        return event;
}

static inline void market_deliver(struct market *market, uint32_t number, size_t index)
{
        struct world *world = market->world;
        struct sim *sim = &world->sim;
        struct connection *connection = &world->connections[number];
        size_t place = (size_t)(market - world->markets);
        struct packet packet = {.kind = PACKET_EVENT, .market = place, .index = index};
        if (!connection->open || !connection->subscribed[place])
                return;
        if (sim_chance(sim, world->faults.dead_stream))
                connection->dead[place] = true;
        if (connection->dead[place] || sim_chance(sim, world->faults.lost))
                return;
        if (sim_chance(sim, world->faults.swapped)) {
                packet.connection = number;
                packet.due_ms = sim->now_ms + 500;
                world_send(world, packet);
                return;
        }
        world_send_on(world, number, packet);
        if (sim_chance(sim, world->faults.doubled))
                world_send_on(world, number, packet);
}

/* A connection that loses the event that all others bring, or 0. */
static inline uint32_t world_one_that_loses(struct world *world)
{
        uint32_t number = 0;
        unsigned open = 0;
        if (!sim_chance(&world->sim, world->faults.lost_once))
                return 0;
        for (uint32_t i = 1; i <= world->connection_count; i++) {
                if (world->connections[i].open && sim_chance(&world->sim, ++open))
                        number = i;
        }
        return number;
}

static inline void market_trade(struct market *market)
{
        struct world *world = market->world;
        assert_true(market->deal_count < WORLD_DEALS_MAX);
        struct deal *deal = &market->deals[market->deal_count];
        deal->levels = memory_new(sizeof(*deal->levels));
        market_fill(market, deal->levels);
        deal->first_id = market->id + 1;
        deal->last_id = market->id + sim_between(&world->sim, 1, 3);
        deal->time_ns = sim_wall(&world->sim);
        market->id = deal->last_id;
        struct event event = deal_event(deal, 0);
        book_apply(&market->truth, &event);
        market->deal_count++;
        uint32_t without = world_one_that_loses(world);
        for (uint32_t i = 1; i <= world->connection_count; i++) {
                if (i != without)
                        market_deliver(market, i, market->deal_count - 1);
        }
}

static inline void market_capture(struct market *market, struct request *request)
{
        struct world *world = market->world;
        if (market->cached_there && sim_chance(&world->sim, world->faults.stale)) {
                request->levels = market->cached;
                request->id = market->cached_id;
        } else {
                for (enum side s = 0; s < SIDES; s++) {
                        request->levels.count[s] = (uint32_t)book_count(&market->truth, s);
                        assert_true(request->levels.count[s] < SIM_LEVELS_MAX);
                        book_levels(&market->truth, s, request->levels.levels[s]);
                }
                request->id = market->id;
        }
        market->cached = request->levels;
        market->cached_id = request->id;
        market->cached_there = true;
}

/* ---- REST ---- */

static inline void world_fetch_cb(
    struct sim_symbol *symbol, enum fetch_purpose purpose, uint32_t fetch)
{
        static const enum budget_priority priorities[FETCH_PURPOSES] = {
            [FETCH_FIRST] = BUDGET_FIRST,
            [FETCH_RESYNC] = BUDGET_RESYNC,
            [FETCH_REFRESH] = BUDGET_REFRESH,
            [FETCH_PROBE] = BUDGET_PROBE};
        struct world *world = world_of(symbol);
        size_t place = 0;
        while (world->requests[place].used)
                place++;
        assert_true(place < WORLD_REQUESTS_MAX);
        world->requests[place] =
            (struct request){.used = true, .symbol = symbol, .purpose = purpose, .fetch = fetch};
        budget_add(&world->budget, priorities[purpose], place,
            purpose == FETCH_PROBE ? WORLD_WEIGHT_PROBE : WORLD_WEIGHT_IMAGE);
}

static inline void world_ask(struct world *world, size_t place)
{
        struct request *request = &world->requests[place];
        const struct session *session = &request->symbol->session;
        struct sim *sim = &world->sim;
        if (!session->fetching || session->fetch != request->fetch) {
                request->used = false;
                return;
        }
        if (request->purpose == FETCH_REFRESH)
                record_tail_begin(request->symbol->stream);
        request->failing = sim_chance(sim, world->faults.failed);
        request->crossed = sim_chance(sim, world->faults.crossed_image);
        request->late = sim_chance(sim, 2);
        if (!request->late)
                market_capture(request->symbol->user, request);
        world_send(world,
            (struct packet){.kind = PACKET_ANSWER,
                .index = place,
                .due_ms = sim->now_ms + sim_between(sim, 20, 800)});
}

static inline void world_answer(struct world *world, struct request *request)
{
        struct sim *sim = &world->sim;
        struct image image = {.receive_time_ns = sim_wall(sim)};
        request->used = false;
        if (request->failing) {
                bool blocked = sim_chance(sim, world->faults.blocked);
                if (blocked)
                        budget_block(&world->budget, sim_wall(sim), 10);
                sim_fetch_failed(
                    request->symbol, request->fetch, blocked ? sim->now_ms + 10000 : 0);
                return;
        }
        if (request->late)
                market_capture(request->symbol->user, request);
        image.id = request->id;
        if (request->crossed && request->levels.count[SIDE_ASK])
                request->levels.levels[SIDE_ASK][0].price = 1;
        for (enum side s = 0; s < SIDES; s++) {
                image.count[s] = request->levels.count[s];
                image.levels[s] = request->levels.levels[s];
        }
        sim_answer(request->symbol, request->fetch, &image);
}

/* ---- connections ---- */

static inline void world_connect(struct world *world)
{
        uint32_t number = ++world->connection_count;
        bool refused = sim_chance(&world->sim, world->faults.refused);
        assert_true(number < WORLD_CONNECTIONS);
        link_connecting(&world->link, number, sim_mono(&world->sim));
        world_send_on(world, number, (struct packet){.kind = refused ? PACKET_CLOSE : PACKET_OPEN});
}

/* What is under way on it is lost. */
static inline void world_close(struct world *world, uint32_t number)
{
        size_t kept = 0;
        for (size_t i = 0; i < world->packet_count; i++) {
                if (world->packets[i].kind == PACKET_ANSWER ||
                    world->packets[i].connection != number)
                        world->packets[kept++] = world->packets[i];
        }
        world->packet_count = kept;
        world->connections[number].open = false;
        world->connections[number].stalled = false;
        world->connections[number].due_ms = 0;
        world_send_on(world, number, (struct packet){.kind = PACKET_CLOSE});
}

static inline void world_command(struct world *world, const struct link_action *action)
{
        struct connection *connection = &world->connections[action->connection];
        bool subscribe = action->kind == LINK_SUBSCRIBE;
        for (size_t i = 0; i < action->name_count; i++) {
                for (size_t m = 0; m < WORLD_MARKETS; m++) {
                        if (strcmp(world->markets[m].name, action->names[i]) != 0)
                                continue;
                        connection->subscribed[m] = subscribe;
                        connection->subscribed_ms = world->sim.now_ms;
                        connection->dead[m] = false;
                }
        }
        if (!sim_chance(&world->sim, world->faults.unanswered))
                world_send_on(world, action->connection,
                    (struct packet){.kind = PACKET_ACK, .command = action->command_id});
}

static inline void world_link(struct world *world)
{
        static const enum session_input_kind inputs[] = {[LINK_OPENED] = INPUT_OPENED,
            [LINK_SUBSCRIBED] = INPUT_SUBSCRIBED,
            [LINK_CLOSED] = INPUT_CLOSED};
        struct link_action action = {0};
        while (link_next(&world->link, sim_mono(&world->sim), &action)) {
                sim_trace(&world->sim, "[%4lld] link %d connection %u %s\n",
                    (long long)world->sim.now_ms, (int)action.kind, action.connection,
                    action.kind == LINK_DISCONNECT ? action.why : "");
                switch (action.kind) {
                case LINK_CONNECT:
                        world_connect(world);
                        break;
                case LINK_DISCONNECT:
                        world_close(world, action.connection);
                        break;
                case LINK_SUBSCRIBE:
                case LINK_UNSUBSCRIBE:
                        world_command(world, &action);
                        break;
                case LINK_OPENED:
                case LINK_SUBSCRIBED:
                case LINK_CLOSED:
                        sim_connection(action.user, inputs[action.kind], action.connection);
                        break;
                }
        }
}

static inline void world_take(struct world *world, const struct packet *packet)
{
        struct sim *sim = &world->sim;
        struct connection *connection = &world->connections[packet->connection];
        struct market *market = &world->markets[packet->market];
        connection->alive_ms = sim->now_ms;
        if (packet->kind != PACKET_ANSWER)
                link_alive(&world->link, packet->connection, sim_mono(sim));
        if (packet->kind == PACKET_OPEN) {
                connection->open = true;
                link_opened(&world->link, packet->connection, sim_mono(sim));
        } else if (packet->kind == PACKET_CLOSE) {
                connection->open = false;
                link_closed(&world->link, packet->connection, sim_mono(sim));
        } else if (packet->kind == PACKET_ACK) {
                link_answered(
                    &world->link, packet->connection, packet->command, false, sim_mono(sim));
        } else if (packet->kind == PACKET_SHUTDOWN) {
                link_shutdown(&world->link, packet->connection);
        } else if (packet->kind == PACKET_HEARTBEAT) {
                sim_proof(market->symbol, packet->connection, packet->id);
        } else if (packet->kind == PACKET_EVENT) {
                struct event event = deal_event(&market->deals[packet->index], sim_wall(sim));
                sim_feed(market->symbol, packet->connection, &event);
        } else if (packet->kind == PACKET_ANSWER) {
                world_answer(world, &world->requests[packet->index]);
        }
        world_link(world);
}

/* The next packet whose time has come. */
static inline bool world_receive(struct world *world)
{
        size_t best = world->packet_count;
        for (size_t i = 0; i < world->packet_count; i++) {
                const struct packet *packet = &world->packets[i], *other = &world->packets[best];
                if (packet->due_ms <= world->sim.now_ms &&
                    (best == world->packet_count || packet->due_ms < other->due_ms ||
                        (packet->due_ms == other->due_ms && packet->order < other->order)))
                        best = i;
        }
        if (best == world->packet_count)
                return false;
        struct packet packet = world->packets[best];
        world->packets[best] = world->packets[--world->packet_count];
        world_take(world, &packet);
        return true;
}

/* ---- time ---- */

static inline void world_strike(struct world *world, uint32_t number)
{
        struct sim *sim = &world->sim;
        struct connection *connection = &world->connections[number];
        if (!connection->open)
                return;
        if (sim->now_ms % 20000 == 0)
                world_send_on(world, number, (struct packet){.kind = PACKET_PING});
        for (size_t m = 0; m < WORLD_MARKETS && world->heartbeats; m++)
                world_send_on(world, number,
                    (struct packet){
                        .kind = PACKET_HEARTBEAT, .market = m, .id = world->markets[m].id});
        if (sim_chance(sim, world->faults.closed))
                world_close(world, number);
        else if (sim_chance(sim, world->faults.stalled))
                connection->stalled = true;
        else if (sim_chance(sim, world->faults.shutdown))
                world_send_on(world, number, (struct packet){.kind = PACKET_SHUTDOWN});
}

/* What every live book may claim, as the logger has it. */
static inline void world_note_alive(struct world *world, struct sim_symbol *symbol)
{
        const struct session *session = &symbol->session;
        const struct connection *connection = &world->connections[session->primary];
        if (session->primary && session->has_book && session->subscribed && !session->unconfirmed &&
            !session->probe_pending)
                record_alive(symbol->stream, SIM_WALL_NS + connection->alive_ms * NS_PER_MS);
}

static inline void world_second(struct world *world)
{
        for (uint32_t i = 1; i <= world->connection_count; i++)
                world_strike(world, i);
        for (size_t m = 0; m < WORLD_MARKETS; m++)
                world_note_alive(world, world->markets[m].symbol);
        recorder_tick(world->sim.recorder, sim_wall(&world->sim));
}

static inline void world_until(struct world *world, int64_t ms)
{
        struct sim *sim = &world->sim;
        struct budget_request next;
        while (sim->now_ms < ms) {
                sim->now_ms += WORLD_STEP_MS;
                for (size_t m = 0; m < WORLD_MARKETS && !world->still; m++) {
                        if (sim_chance(sim, m ? 80 : 30))
                                market_trade(&world->markets[m]);
                }
                while (world_receive(world))
                        continue;
                world_link(world);
                for (size_t m = 0; m < WORLD_MARKETS; m++) {
                        struct sim_context context = {.symbol = world->markets[m].symbol};
                        sim_step(&context, &(struct session_input){.kind = INPUT_TICK});
                }
                while (budget_next(&world->budget, sim_wall(sim), &next))
                        world_ask(world, next.id);
                if (sim->now_ms % 1000 == 0)
                        world_second(world);
        }
}

static inline void world_resubscribe_cb(struct sim_symbol *symbol, uint32_t connection)
{
        if (connection)
                link_resubscribe_on(symbol->link, symbol->member, connection);
        else
                link_resubscribe(symbol->link, symbol->member);
}

static inline struct world *world_open(const char *store, uint64_t seed)
{
        static const char *const names[WORLD_MARKETS] = {"BTCUSDT", "ETHUSDT"};
        struct world *world = memory_new(sizeof(*world));
        struct sim *sim = &world->sim;
        sim_open(sim, &store_memory, store, seed);
        sim->fetch_cb = world_fetch_cb;
        sim->resubscribe_cb = world_resubscribe_cb;
        link_init(&world->link, seed, WORLD_SILENCE_NS, WORLD_LIFE_NS, sim_mono(sim));
        budget_init(&world->budget, 6000);
        for (size_t m = 0; m < WORLD_MARKETS; m++) {
                struct market *market = &world->markets[m];
                market->world = world;
                market->id = 1000 * (int64_t)(m + 1);
                snprintf(market->name, sizeof(market->name), "%s", names[m]);
                book_init(&market->truth);
                market->symbol = sim_add(sim, names[m]);
                session_init(&market->symbol->session, SYNC_BRIDGE, WORLD_PERIOD_NS,
                    sim_random(sim), sim_mono(sim));
                market->symbol->user = market;
                market->symbol->link = &world->link;
                market->symbol->member = link_add(&world->link, market->name, market->symbol);
        }
        return world;
}

static inline void world_free(struct world *world)
{
        sim_close(&world->sim);
        budget_deinit(&world->budget);
        for (size_t m = 0; m < WORLD_MARKETS; m++) {
                struct market *market = &world->markets[m];
                for (size_t i = 0; i < market->deal_count; i++)
                        free(market->deals[i].levels);
                book_deinit(&market->truth);
        }
        free(world);
}

#endif
