/* What the tests of merged records share: a market of chance is told to recorders that miss some of
 * it each; the full list of its events, with the book behind each, is kept beside them. */
#ifndef TESTS_UNIT_MERGE_HELP_H
#define TESTS_UNIT_MERGE_HELP_H

#include "recon/merge.h"

#include "tests/unit/record_help.h"

#define LOGGERS_MAX 4
#define LOST_MAX 8
#define LEVELS_MAX 8

/* An event of the market, and the book behind it. */
struct told {
        struct event event;
        struct level levels[SIDES][LEVELS_MAX];
        struct order_message order;
        struct book book;
        int64_t before_id;
};

struct market {
        struct chance chance;
        uint8_t kind;
        bool sequenced, steady; /* steady: times never fall back, nor stand still */
        size_t pause_at;        /* half a minute passes before this event */
        const char *feed;
        int64_t now_ns, id;
        struct book book;
        struct told *told;
        size_t count;
        uint64_t orders; /* ids given */
};

enum loss {
        LOSS_GAP,      /* the connection was lost; an image comes with the first event behind */
        LOSS_HEADLESS, /* ... and behind the first one */
        LOSS_STOP,     /* the recorder was stopped, and started again */
        LOSSES,
};

struct lost {
        size_t from, to; /* events of the market */
        enum loss how;
};

struct logger {
        const char *name, *feed;
        size_t begin, end; /* it records only these */
        struct lost lost[LOST_MAX];
        size_t lost_count;
        int64_t skew_ns; /* of its clock */

        struct store *store;
        struct recorder *recorder;
        struct record_stream *stream;
        struct record_options options;
        bool synced;
        int64_t counted; /* events without ids of the exchange */
};

struct fleet {
        struct market market;
        struct logger loggers[LOGGERS_MAX];
        size_t count;
        struct reader readers[LOGGERS_MAX];
        struct merge merge;
};

static const struct scale scale = {2, 8, true, 1, 1};

/* ---- the market ---- */

static inline struct told *market_next(struct market *market)
{
        market->told = memory_resize(market->told, (market->count + 1) * sizeof(*market->told));
        struct told *told = &market->told[market->count];
        *told = (struct told){.before_id = market->id};
        int64_t back = 0;
        market->now_ns += NS_PER_MS + (int64_t)chance_below(&market->chance, 400) * NS_PER_MS;
        if (market->pause_at && market->count == market->pause_at)
                market->now_ns += 30 * NS_PER_S;
        if (!market->steady && chance_one_in(&market->chance, 4))
                back = (int64_t)chance_below(&market->chance, 3000) * NS_PER_MS;
        if (!market->steady && chance_one_in(&market->chance, 8) && market->count)
                market->now_ns = told[-1].event.receive_time_ns; /* twice the same time */
        told->event.receive_time_ns = market->now_ns;
        told->event.event_time_ns = market->now_ns - 20 * NS_PER_MS - back;
        told->event.first_id = market->id + 1;
        return told;
}

static inline void make_levels(struct market *market, struct told *told)
{
        struct event *event = &told->event;
        event->last_id = event->first_id + (int64_t)chance_below(&market->chance, 5);
        for (enum side s = 0; s < SIDES; s++) {
                event->count[s] = (uint32_t)chance_below(&market->chance, 4);
                for (uint32_t i = 0; i < event->count[s]; i++) {
                        int64_t price = (s == SIDE_BID ? 961 : 1001) +
                            (int64_t)chance_below(&market->chance, 39);
                        int64_t quantity = chance_one_in(&market->chance, 3)
                            ? 0
                            : 1 + (int64_t)chance_below(&market->chance, 100000);
                        told->levels[s][i] = (struct level){price, quantity};
                }
        }
}

static inline void make_trade(struct market *market, struct told *told)
{
        struct event *event = &told->event;
        enum side maker = chance_below(&market->chance, 2) ? SIDE_ASK : SIDE_BID;
        event->last_id = event->first_id;
        event->type = TYPE_TRADE;
        event->count[maker] = 1;
        told->levels[maker][0] = (struct level){990 + (int64_t)chance_below(&market->chance, 20),
            1 + (int64_t)chance_below(&market->chance, 100000)};
}

static inline struct order_id order_named(uint64_t number)
{
        struct order_id id = {0};
        order_id_set_half(&id, 0, 77);
        order_id_set_half(&id, 1, number);
        return id;
}

/* A new order, or the end of one that may still be there. */
static inline void make_order(struct market *market, struct told *told)
{
        struct event *event = &told->event;
        struct order_message *order = &told->order;
        event->last_id = event->first_id;
        event->type = TYPE_ORDER;
        if (market->orders > 5 && chance_one_in(&market->chance, 3)) {
                uint64_t number = 1 + chance_below(&market->chance, market->orders);
                order->type = ORDER_DONE;
                order->reason = REASON_CANCELED;
                order->id = order_named(number);
                order->side = number % 2;
                return;
        }
        uint64_t number = ++market->orders;
        order->type = ORDER_OPEN;
        order->id = order_named(number);
        order->side = number % 2;
        order->has = ORDER_HAS_PRICE | ORDER_HAS_SIZE;
        order->price =
            (order->side == SIDE_BID ? 961 : 1001) + (int64_t)chance_below(&market->chance, 39);
        order->size = 1 + (int64_t)chance_below(&market->chance, 100000);
}

/* Arrays of an event that is kept in a list that moves. */
static const struct event *event_of(struct told *told)
{
        for (enum side s = 0; s < SIDES; s++)
                told->event.levels[s] = told->levels[s];
        told->event.order = told->event.type == TYPE_ORDER ? &told->order : NULL;
        return &told->event;
}

static inline void market_tell(struct market *market)
{
        struct told *told = market_next(market);
        if (market->kind == KIND_TRADES)
                make_trade(market, told);
        else if (market->kind == KIND_L3)
                make_order(market, told);
        else
                make_levels(market, told);
        market->id = told->event.last_id;
}

static inline void market_apply(struct market *market)
{
        struct told *told = &market->told[market->count++];
        assert_int_equal(book_apply(&market->book, event_of(told)), 0);
        book_init(&told->book);
        book_copy(&told->book, &market->book);
}

/* ---- recorders ---- */

static inline void logger_open(struct logger *logger, const struct market *market)
{
        struct error error = {0};
        struct stream_name name = {"test", "BTCUSDT", market->kind, market->sequenced};
        if (recorder_open(&logger->recorder, logger->store, &logger->options, &error) ||
            record_stream_open(
                logger->recorder, &name, &scale, market->now_ns, &logger->stream, &error))
                fail_msg("recorder: %s", error.text);
        record_set_source(logger->stream, logger->feed ? logger->feed : market->feed, "");
        logger->synced = false;
}

static inline void logger_close(struct logger *logger, const struct market *market)
{
        struct error error = {0};
        if (recorder_close(logger->recorder, market->now_ns, NS_PER_S, &error))
                fail_msg("close: %s", error.text);
        logger->recorder = NULL;
}

/* The market's book, before or behind the newest event, as an image. */
static inline void logger_image(struct logger *logger, const struct market *market, int64_t id)
{
        static struct level levels[SIDES][4096];
        static struct order_id ids[SIDES][4096];
        struct image image = {.kind = market->kind == KIND_L3 ? KIND_L3 : KIND_L2,
            .id = id,
            .receive_time_ns = market->now_ns + logger->skew_ns};
        for (enum side s = 0; s < SIDES; s++) {
                struct order_cursor cursor = {0};
                const struct order *order;
                image.levels[s] = levels[s];
                image.orders[s] = ids[s];
                image.count[s] = (uint32_t)book_count(&market->book, s);
                assert_true(image.count[s] < 4096);
                book_levels(&market->book, s, levels[s]);
                if (!market->book.by_order)
                        continue;
                image.count[s] = 0;
                while ((order = book_next_order(&market->book, s, &cursor))) {
                        ids[s][image.count[s]] = order->id;
                        levels[s][image.count[s]++] = (struct level){order->price, order->size};
                }
        }
        assert_int_equal(record_image(logger->stream, &image), 0);
        logger->synced = true;
}

/* The event as this recorder gets it. */
static inline struct event logger_event(
    struct logger *logger, const struct market *market, struct told *told)
{
        struct event event = *event_of(told);
        event.receive_time_ns += logger->skew_ns;
        if (!market->sequenced || !strcmp(market->feed, "advanced"))
                event.first_id = event.last_id = ++logger->counted;
        return event;
}

static const struct lost *lost_at(const struct logger *logger, size_t index)
{
        for (size_t i = 0; i < logger->lost_count; i++) {
                if (index >= logger->lost[i].from && index < logger->lost[i].to)
                        return &logger->lost[i];
        }
        return NULL;
}

static inline void logger_lose(
    struct logger *logger, const struct market *market, const struct lost *lost)
{
        bool first = market->count == lost->from;
        if (!first || !logger->recorder)
                return;
        logger->synced = false;
        if (lost->how == LOSS_STOP)
                logger_close(logger, market);
        else
                record_gap(logger->stream, GAP_DISCONNECT, market->now_ns, "test");
}

/* Does the event come behind a gap and before the image that ends it? */
static inline bool is_headless(const struct logger *logger, size_t index)
{
        const struct lost *back = index ? lost_at(logger, index - 1) : NULL;
        return back && back->how == LOSS_HEADLESS;
}

/* Stopped and started again between two events. */
static inline void logger_pause(struct logger *logger, const struct market *market)
{
        for (size_t i = 0; i < logger->lost_count; i++) {
                if (logger->lost[i].from == market->count && logger->lost[i].to == market->count)
                        logger_close(logger, market);
        }
}

static inline void logger_take(
    struct logger *logger, const struct market *market, struct told *told)
{
        logger_pause(logger, market);
        if (!logger->recorder)
                logger_open(logger, market);
        bool headless = is_headless(logger, market->count);
        if (headless && !logger->synced) { /* the image comes with the event behind this one */
                struct event event = logger_event(logger, market, told);
                record_headless(logger->stream, &event, true);
                return;
        }
        bool own = !market->sequenced || !strcmp(market->feed, "advanced");
        if (!logger->synced)
                logger_image(logger, market, own ? logger->counted : told->before_id);
        struct event event = logger_event(logger, market, told);
        assert_int_equal(record_event(logger->stream, &event), 0);
        if (chance_one_in(&(struct chance){(uint64_t)event.event_time_ns}, 3))
                recorder_tick(logger->recorder, market->now_ns);
        record_alive(logger->stream, event.receive_time_ns);
}

static inline void logger_step(
    struct logger *logger, const struct market *market, struct told *told)
{
        const struct lost *lost = lost_at(logger, market->count);
        if (market->count < logger->begin)
                return;
        if (market->count == logger->end && logger->recorder)
                logger_close(logger, market);
        if (market->count >= logger->end)
                return;
        if (lost)
                logger_lose(logger, market, lost);
        else
                logger_take(logger, market, told);
}

/* ---- all of them ---- */

static inline void fleet_begin(struct fleet *fleet, uint64_t seed, uint8_t kind)
{
        *fleet = (struct fleet){.market = {.chance = {seed},
                                    .kind = kind,
                                    .sequenced = true,
                                    .feed = kind == KIND_TRADES ? "trade" : "spot",
                                    .now_ns = T0 + 3600 * NS_PER_S,
                                    .id = 1000}};
        book_init(&fleet->market.book);
        if (kind == KIND_L3)
                book_begin_orders(&fleet->market.book);
}

static inline struct logger *fleet_add(struct fleet *fleet, const char *name)
{
        static unsigned stores;
        char path[32];
        struct logger *logger = &fleet->loggers[fleet->count];
        snprintf(path, sizeof(path), "merge-%u", ++stores);
        *logger = (struct logger){.name = name,
            .end = SIZE_MAX,
            .skew_ns = (int64_t)fleet->count * 3 * NS_PER_MS,
            .options = record_defaults};
        logger->store = feed_store(&store_memory, path);
        logger->options.without_thread = true;
        logger->options.image_min_ns = 2 * NS_PER_S;
        logger->options.image_factor = 3;
        logger->options.seal_after_ns = 5 * NS_PER_S;
        logger->options.seal_levels = 100;
        fleet->count++;
        return logger;
}

static inline void lose(struct logger *logger, size_t from, size_t to, enum loss how)
{
        assert_true(logger->lost_count < LOST_MAX);
        logger->lost[logger->lost_count++] = (struct lost){from, to, how};
}

static inline void fleet_merge(struct fleet *fleet)
{
        merge_init(&fleet->merge);
        for (size_t j = 0; j < fleet->count; j++) {
                const struct recon_stream *stream =
                    reader_find(&fleet->readers[j], "test", "BTCUSDT", fleet->market.kind);
                assert_non_null(stream);
                merge_add(&fleet->merge, &fleet->readers[j], fleet->loggers[j].name, stream);
        }
}

static inline void fleet_run(struct fleet *fleet, size_t events)
{
        struct market *market = &fleet->market;
        for (size_t i = 0; i < events; i++) {
                market_tell(market);
                for (size_t j = 0; j < fleet->count; j++)
                        logger_step(&fleet->loggers[j], market, &market->told[market->count]);
                market_apply(market);
        }
        for (size_t j = 0; j < fleet->count; j++) {
                struct logger *logger = &fleet->loggers[j];
                if (logger->recorder)
                        logger_close(logger, market);
                fleet->readers[j] = reader_must(logger->store);
        }
        fleet_merge(fleet);
}

static inline void fleet_end(struct fleet *fleet)
{
        struct market *market = &fleet->market;
        merge_deinit(&fleet->merge);
        for (size_t j = 0; j < fleet->count; j++) {
                reader_close(&fleet->readers[j]);
                fleet->loggers[j].store->ops->close(fleet->loggers[j].store);
        }
        for (size_t i = 0; i < market->count; i++)
                book_deinit(&market->told[i].book);
        free(market->told);
        book_deinit(&market->book);
}

/* Does that recorder have the event in its record, behind an image? */
static inline bool logger_has(const struct logger *logger, size_t index)
{
        bool headless = is_headless(logger, index);
        return index >= logger->begin && index < logger->end && !lost_at(logger, index) &&
            !headless;
}

static inline bool anybody_has(const struct fleet *fleet, size_t index)
{
        for (size_t j = 0; j < fleet->count; j++) {
                if (logger_has(&fleet->loggers[j], index))
                        return true;
        }
        return false;
}

/* ---- replay ---- */

#define STOPPED 77

struct played {
        const struct fleet *fleet;
        size_t index;   /* of the market's next event */
        size_t *source; /* by event: whose it was */
        size_t now;     /* from whom they come now */
        size_t joints;
        uint64_t sum; /* kept by what the callbacks tell */
        bool has_sum;
        size_t events, stop_at;
        int64_t from_ns, to_ns; /* by the clock of the replay */
        enum recon_clock clock;
};

static inline void played_update(
    struct played *played, const struct event *event, const int64_t *befores)
{
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < event->count[s] && !event_is_trade(event); i++) {
                        struct level now = event->levels[s][i], before = {now.price, *befores++};
                        if (before.quantity)
                                played->sum -= digest_level(s, before, &scale);
                        if (now.quantity)
                                played->sum += digest_level(s, now, &scale);
                }
        }
}

static inline bool is_played(const struct played *played, size_t index)
{
        const struct event *event = &played->fleet->market.told[index].event;
        int64_t time = event->event_time_ns;
        return anybody_has(played->fleet, index) && time >= played->from_ns && time < played->to_ns;
}

static inline void assert_same_levels(const struct event *event, const struct event *expected)
{
        for (enum side s = 0; s < SIDES && event->type != TYPE_ORDER; s++) {
                assert_int_equal(event->count[s], expected->count[s]);
                for (uint32_t i = 0; i < event->count[s]; i++) {
                        assert_int_equal(event->levels[s][i].price, expected->levels[s][i].price);
                        assert_int_equal(
                            event->levels[s][i].quantity, expected->levels[s][i].quantity);
                }
        }
        assert_int_equal(event->order != NULL, expected->order != NULL);
        assert_true(!event->order || order_message_equal(event->order, expected->order));
}

static inline int play_event(const struct event *event, const int64_t *befores,
    const struct scale *own, const struct book *book, uint32_t epoch, void *user)
{
        struct played *played = user;
        const struct market *market = &played->fleet->market;
        (void)epoch;
        assert_true(scale_equal(own, &scale));
        while (played->index < market->count && !is_played(played, played->index))
                played->index++;
        if (played->index == market->count)
                fail_msg("id %lld is one too many", (long long)event->last_id);
        struct told *told = &market->told[played->index];
        const struct event *expected = event_of(told);
        if (event->event_time_ns != expected->event_time_ns)
                fail_msg("id %lld comes where id %lld should", (long long)event->last_id,
                    (long long)expected->last_id);
        assert_same_levels(event, expected);
        const struct logger *logger = &played->fleet->loggers[played->now];
        assert_true(logger_has(logger, played->index));
        assert_int_equal(event->receive_time_ns, expected->receive_time_ns + logger->skew_ns);
        if (played->fleet->merge.by_id)
                assert_int_equal(event->last_id, expected->last_id);
        if (market->kind != KIND_TRADES)
                assert_true(book_equal(book, &told->book));
        assert_true(played->has_sum);
        played_update(played, event, befores);
        assert_int_equal(played->sum, digest_book(book, &scale));
        if (played->source)
                played->source[played->index] = played->now;
        played->index++;
        return ++played->events == played->stop_at ? STOPPED : 0;
}

static inline int play_pass(const struct event *event, const int64_t *befores,
    const struct scale *own, const struct book *book, uint32_t epoch, void *user)
{
        struct played *played = user;
        (void)own, (void)epoch;
        played_update(played, event, befores);
        assert_int_equal(played->sum, digest_book(book, &scale));
        return 0;
}

static inline void play_image(const struct book *book, const struct scale *own, void *user)
{
        struct played *played = user;
        assert_true(scale_equal(own, &scale));
        played->sum = digest_book(book, &scale);
        played->has_sum = true;
}

static inline void play_source(size_t source, void *user)
{
        struct played *played = user;
        played->now = source;
        played->joints++;
        played->has_sum = false; /* an image must come first */
}

static inline int play(struct fleet *fleet, struct played *played, struct error *error)
{
        struct replay_options options = {played->from_ns, played->to_ns, CLOCK_EXCHANGE};
        struct merge_callbacks callbacks = {
            {play_event, play_pass, play_image, played}, play_source};
        played->fleet = fleet;
        return merge_replay(&fleet->merge, &options, &callbacks, error);
}

/* Every event that anybody has, once, in order, with its book; and whose each was. */
static inline size_t assert_replay(struct fleet *fleet, size_t *source)
{
        struct error error = {0};
        struct played played = {.from_ns = INT64_MIN, .to_ns = INT64_MAX, .source = source};
        int code = play(fleet, &played, &error);
        if (code)
                fail_msg("replay: %d %s", code, error.text);
        for (size_t i = played.index; i < fleet->market.count; i++) {
                if (anybody_has(fleet, i))
                        fail_msg("event %zu of %zu did not come", i, fleet->market.count);
        }
        return played.joints;
}

static inline void assert_ranges(struct fleet *fleet, unsigned rounds)
{
        struct market *market = &fleet->market;
        for (unsigned round = 0; round < rounds; round++) {
                size_t at = chance_below(&market->chance, market->count);
                int64_t from = market->told[at].event.event_time_ns;
                struct played played = {.from_ns = from,
                    .to_ns = from + (int64_t)chance_below(&market->chance, 40000) * NS_PER_MS};
                struct error error = {0};
                int code = play(fleet, &played, &error);
                if (code)
                        fail_msg("range: %d %s", code, error.text);
                for (size_t i = played.index; i < market->count; i++)
                        assert_false(is_played(&played, i));
        }
}

/* ---- damage ---- */

/* No gap of the record is told of any more. */
static inline void erase_gaps(struct logger *logger)
{
        const struct store_ops *ops = logger->store->ops;
        struct store_txn txn;
        uint32_t day = day_of_time(T0 + 3600 * NS_PER_S);
        assert_int_equal(ops->begin(logger->store, day, true, &txn, NULL), 0);
        ops->erase(&txn, STORE_GAPS, (struct store_key){0, INT64_MIN, 0},
            (struct store_key){UINT32_MAX, INT64_MAX, UINT64_MAX}, NULL);
        assert_int_equal(ops->commit(&txn, NULL), 0);
}

/* One frame of changes is gone without a word, or one bit of it has turned. */
static inline void hurt_frame(struct logger *logger, unsigned index, bool remove_it)
{
        const struct store_ops *ops = logger->store->ops;
        struct store_txn txn;
        struct store_cursor cursor;
        struct buffer frame;
        struct frame_info info;
        buffer_init(&frame, LIMIT_BLOCK_SIZE);
        assert_int_equal(
            ops->begin(logger->store, day_of_time(T0 + 3600 * NS_PER_S), true, &txn, NULL), 0);
        int code = ops->seek(&txn, STORE_FRAMES, (struct store_key){1, INT64_MIN, 0}, &cursor);
        for (;; code = ops->next(&cursor)) {
                assert_int_equal(code, 0);
                assert_int_equal(frame_read(cursor.value, &info), 0);
                if (info.kind == FRAME_CHANGES && !index--)
                        break;
        }
        buffer_append(&frame, cursor.value.data, cursor.value.size);
        struct store_key key = cursor.key;
        ops->done(&cursor);
        frame.data[frame.size - 1] ^= 4;
        if (remove_it)
                ops->erase(&txn, STORE_FRAMES, key, key, NULL);
        else
                ops->put(&txn, STORE_FRAMES, key, buffer_bytes(&frame));
        assert_int_equal(ops->commit(&txn, NULL), 0);
        buffer_deinit(&frame);
}

static inline unsigned count_frames(struct logger *logger)
{
        const struct store_ops *ops = logger->store->ops;
        struct store_txn txn;
        struct store_cursor cursor;
        struct frame_info info;
        unsigned count = 0;
        uint32_t day = day_of_time(T0 + 3600 * NS_PER_S);
        assert_int_equal(ops->begin(logger->store, day, false, &txn, NULL), 0);
        int code = ops->seek(&txn, STORE_FRAMES, (struct store_key){1, INT64_MIN, 0}, &cursor);
        for (; !code; code = ops->next(&cursor)) {
                assert_int_equal(frame_read(cursor.value, &info), 0);
                count += info.kind == FRAME_CHANGES;
        }
        ops->done(&cursor);
        ops->abort(&txn);
        return count;
}

#endif
