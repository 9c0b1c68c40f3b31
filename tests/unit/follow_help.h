/* What the tests of following share: a recorder of several streams driven by chance, a store whose
 * commits do what a database's may, and what must hold of a copy at any time. */
#ifndef TESTS_UNIT_FOLLOW_HELP_H
#define TESTS_UNIT_FOLLOW_HELP_H

#include "ship/follow.h"
#include "tests/unit/record_help.h"

#define BOOKS 2   /* streams of levels */
#define STREAMS 4 /* ... one of orders, one of trades */
#define RECORD_MAX ((size_t)256 << 20)

static const struct stream_name desk_names[STREAMS] = {
    {"binance", "BTCUSDT", KIND_L2, true},
    {"binance", "ETHUSDT", KIND_L2, true},
    {"coinbase", "BTC-USD", KIND_L3, true},
    {"coinbase", "BTC-USD", KIND_TRADES, true},
};

/* ---- a store in front of another one: its commits fail while the test says so, and something may
 * happen right after a reader has begun ---- */

struct front {
        struct store store;
        struct store *inner;
        void (*begun_cb)(uint32_t place, void *user);
        void *user;
};

static struct store_ops front_ops;
static bool commits_fail;

static inline struct front *front_of(struct store *store)
{
        return (struct front *)store;
}

static inline int front_begin(
    struct store *store, uint32_t place, bool write, struct store_txn *txn, struct error *error)
{
        struct front *front = front_of(store);
        int code = front->inner->ops->begin(front->inner, place, write, txn, error);
        void (*begun_cb)(uint32_t, void *) = front->begun_cb;
        if (!code && !write && begun_cb) {
                front->begun_cb = NULL; /* what it does itself is not watched */
                begun_cb(place, front->user);
                front->begun_cb = front->begun_cb ? front->begun_cb : begun_cb;
        }
        return code;
}

static inline int front_commit(struct store_txn *txn, struct error *error)
{
        if (!commits_fail)
                return txn->store->ops->commit(txn, error);
        txn->store->ops->abort(txn);
        return error_set(error, ERR_FULL, "the disk is full");
}

static inline int front_days(struct store *store, uint32_t **ret_days, size_t *ret_count)
{
        struct store *inner = front_of(store)->inner;
        return inner->ops->days(inner, ret_days, ret_count);
}

static inline int front_drop(struct store *store, uint32_t day, struct error *error)
{
        struct store *inner = front_of(store)->inner;
        return inner->ops->drop(inner, day, error);
}

static inline const char *front_uuid(struct store *store)
{
        struct store *inner = front_of(store)->inner;
        return inner->ops->uuid(inner);
}

static inline void front_close(struct store *store)
{
        struct store *inner = front_of(store)->inner;
        inner->ops->close(inner);
        free(store);
}

static inline struct store *front_new(struct store *inner)
{
        struct front *front = memory_new(sizeof(*front));
        *front = (struct front){.inner = inner};
        front_ops = *inner->ops;
        front_ops.begin = front_begin;
        front_ops.commit = front_commit;
        front_ops.days = front_days;
        front_ops.drop = front_drop;
        front_ops.uuid = front_uuid;
        front_ops.close = front_close;
        front->store.ops = &front_ops;
        return &front->store;
}

/* ---- the recorder and its streams ---- */

struct desk {
        struct chance chance;
        struct store *store;
        struct record_options options;
        struct recorder *recorder;
        struct feed feeds[BOOKS];
        struct record_stream *orders, *trades;
        int64_t now_ns, order_id, trade_id;
        uint64_t order_count, symbols;
};

static inline struct store *memory_store(const char *kind, uint64_t seed)
{
        static unsigned stores;
        char name[64];
        snprintf(name, sizeof(name), "%s-%u-%u", kind, (unsigned)seed, ++stores);
        return feed_store(&store_memory, name);
}

static inline void desk_begin(struct desk *desk, uint64_t seed, struct store *store)
{
        *desk = (struct desk){.chance = {seed}, .store = store, .order_id = 1, .trade_id = 1};
        for (unsigned i = 0; i < BOOKS; i++)
                feed_begin(&desk->feeds[i], seed * 7 + i, store);
        desk->options = desk->feeds[0].options;
        desk->now_ns = T0 + NS_PER_DAY - 120 * NS_PER_S;
}

static inline struct record_stream *desk_stream(struct desk *desk, unsigned index)
{
        struct record_stream *stream;
        struct error error = {0};
        struct scale scale = index < BOOKS ? desk->feeds[index].scale : desk->feeds[0].scale;
        if (index >= BOOKS)
                scale = (struct scale){2, 8, true, 1, 1};
        if (record_stream_open(
                desk->recorder, &desk_names[index], &scale, desk->now_ns, &stream, &error))
                fail_msg("stream: %s", error.text);
        record_set_source(stream, index % 2 ? "other" : "", "");
        return stream;
}

static inline void desk_open(struct desk *desk)
{
        struct error error = {0};
        if (recorder_open(&desk->recorder, desk->store, &desk->options, &error))
                fail_msg("recorder: %s", error.text);
        for (unsigned i = 0; i < BOOKS; i++) {
                desk->feeds[i].recorder = desk->recorder;
                desk->feeds[i].stream = desk_stream(desk, i);
                desk->feeds[i].tail = false;
        }
        desk->orders = desk_stream(desk, 2);
        desk->trades = desk_stream(desk, 3);
}

static inline void desk_close(struct desk *desk)
{
        struct error error = {0};
        if (recorder_close(desk->recorder, desk->now_ns, NS_PER_S, &error))
                fail_msg("close: %s", error.text);
        desk->recorder = NULL;
}

/* It ends without a word: open frames stay. */
static inline void desk_crash(struct desk *desk)
{
        struct error error = {0};
        commits_fail = true;
        recorder_close(desk->recorder, desk->now_ns, 0, &error);
        commits_fail = false;
        desk->recorder = NULL;
}

static inline void desk_restart(struct desk *desk, bool crash)
{
        if (crash)
                desk_crash(desk);
        else
                desk_close(desk);
        desk->now_ns += (int64_t)chance_below(&desk->chance, 20) * NS_PER_S;
        desk_open(desk);
}

static inline void desk_end(struct desk *desk)
{
        for (unsigned i = 0; i < BOOKS; i++) {
                desk->feeds[i].store = front_new(memory_store("none", 0)); /* shared: closed once */
                feed_end(&desk->feeds[i]);
        }
        desk->store->ops->close(desk->store);
}

/* ---- what happens to them ---- */

static inline struct event desk_event(struct desk *desk, int64_t id)
{
        desk->now_ns += (int64_t)chance_below(&desk->chance, 200) * NS_PER_MS +
            (int64_t)chance_below(&desk->chance, 1000);
        int64_t back = chance_one_in(&desk->chance, 4)
            ? (int64_t)chance_below(&desk->chance, 3000) * NS_PER_MS
            : 0;
        return (struct event){.receive_time_ns = desk->now_ns,
            .event_time_ns = desk->now_ns - 20 * NS_PER_MS - back,
            .first_id = id,
            .last_id = id};
}

static inline struct order_id desk_order_id(uint64_t number)
{
        struct order_id id = {0};
        order_id_set_half(&id, 0, 77);
        order_id_set_half(&id, 1, number);
        return id;
}

/* An order comes, or goes. */
static inline void desk_order(struct desk *desk)
{
        struct order_message order = {.type = ORDER_OPEN,
            .side = desk->order_count % 2,
            .has = ORDER_HAS_PRICE | ORDER_HAS_SIZE,
            .id = desk_order_id(++desk->order_count),
            .size = 1 + (int64_t)chance_below(&desk->chance, 100000)};
        order.price =
            (order.side == SIDE_BID ? 961 : 1001) + (int64_t)chance_below(&desk->chance, 39);
        if (desk->order_count > 9 && chance_one_in(&desk->chance, 3))
                order = (struct order_message){.type = ORDER_DONE,
                    .reason = REASON_CANCELED,
                    .side = desk->order_count % 2,
                    .id = desk_order_id(desk->order_count - 2 * chance_below(&desk->chance, 4))};
        struct event event = desk_event(desk, desk->order_id++);
        event.type = TYPE_ORDER;
        event.order = &order;
        if (record_has_book(desk->orders))
                assert_int_equal(record_event(desk->orders, &event), 0);
        else
                record_headless(desk->orders, &event, false);
}

/* An image of some orders, behind @waiting events that came before it. */
static inline void desk_orders_image(struct desk *desk, unsigned waiting)
{
        struct level levels[SIDES][8];
        struct order_id ids[SIDES][8];
        struct image image = {
            .kind = KIND_L3, .id = desk->order_id - 1, .receive_time_ns = desk->now_ns};
        for (unsigned i = 0; i < waiting; i++)
                desk_order(desk);
        image.id += waiting / 2;
        for (enum side s = 0; s < SIDES; s++) {
                image.count[s] = 8;
                image.levels[s] = levels[s];
                image.orders[s] = ids[s];
                for (unsigned i = 0; i < image.count[s]; i++) {
                        desk->order_count += 2;
                        ids[s][i] = desk_order_id(desk->order_count + (desk->order_count % 2 != s));
                        levels[s][i] = (struct level){s == SIDE_BID ? 960 - i : 1040 + i, 5 + i};
                }
        }
        desk->order_count += 2;
        assert_int_equal(record_image(desk->orders, &image), 0);
}

static inline void desk_step_orders(struct desk *desk)
{
        if (!record_has_book(desk->orders))
                desk_orders_image(desk, (unsigned)chance_below(&desk->chance, 6));
        else if (chance_one_in(&desk->chance, 60))
                record_gap(desk->orders, GAP_DISCONNECT, desk->now_ns, "orders");
        else
                desk_order(desk);
}

static inline void desk_step_trades(struct desk *desk)
{
        struct event event = desk_event(desk, desk->trade_id);
        enum side side = chance_below(&desk->chance, 2) ? SIDE_ASK : SIDE_BID;
        struct level level = {990 + (int64_t)chance_below(&desk->chance, 20), 7};
        if (!record_has_book(desk->trades)) {
                struct image image = {.id = desk->trade_id - 1, .receive_time_ns = desk->now_ns};
                assert_int_equal(record_image(desk->trades, &image), 0);
        } else if (chance_one_in(&desk->chance, 70)) {
                record_gap(desk->trades, GAP_DISCONNECT, desk->now_ns, "trades");
                desk->trade_id += 5;
                return;
        }
        event.type = TYPE_TRADE;
        event.count[side] = 1;
        event.levels[SIDE_BID] = event.levels[SIDE_ASK] = &level;
        assert_int_equal(record_event(desk->trades, &event), 0);
        desk->trade_id++;
}

static inline void desk_symbol(struct desk *desk)
{
        struct symbol_record record = {.valid_from_ns = desk->now_ns, .trading = true};
        const struct stream_name *name = &desk_names[chance_below(&desk->chance, STREAMS)];
        snprintf(record.exchange, sizeof(record.exchange), "%s", name->exchange);
        snprintf(record.symbol, sizeof(record.symbol), "%s", name->symbol);
        snprintf(record.tick, sizeof(record.tick), "0.%02u", (unsigned)(++desk->symbols % 90) + 1);
        assert_true(record_symbol(desk->recorder, &record));
}

/* What obaudit found, beside the recorder. */
static inline void desk_audit(struct desk *desk)
{
        const struct store_ops *ops = desk->store->ops;
        uint32_t stream = 1 + (uint32_t)chance_below(&desk->chance, STREAMS);
        struct audit_record audit = {.time_ns = desk->now_ns, .score = 77};
        struct store_txn meta;
        struct buffer value;
        buffer_init(&value, 65536);
        audit_write(&value, &audit);
        if (!ops->begin(desk->store, STORE_META, true, &meta, NULL)) {
                ops->put(
                    &meta, STORE_AUDITS, key_audit(stream, desk->now_ns), buffer_bytes(&value));
                (void)ops->commit(&meta, NULL);
        }
        buffer_deinit(&value);
}

static inline void desk_step_book(struct desk *desk, struct feed *feed)
{
        feed->now_ns = desk->now_ns;
        feed_step(feed);
        desk->now_ns = feed->now_ns;
}

/* One of all that can happen to one of the streams, mostly an event. */
static inline void desk_step(struct desk *desk)
{
        uint64_t dice = chance_below(&desk->chance, 300);
        if (dice == 0)
                desk_symbol(desk);
        else if (dice == 1)
                recorder_note_clock_step(desk->recorder, desk->now_ns, 12345);
        else if (dice == 2)
                desk_audit(desk);
        else if (dice < 60)
                desk_step_orders(desk);
        else if (dice < 100)
                desk_step_trades(desk);
        else
                desk_step_book(desk, &desk->feeds[dice % BOOKS]);
        if (chance_one_in(&desk->chance, 4))
                recorder_tick(desk->recorder, desk->now_ns);
}

/* ... and what happens more rarely: midnight, restarts. */
static inline void desk_live(struct desk *desk)
{
        uint64_t dice = chance_below(&desk->chance, 150);
        int64_t midnight = day_start_ns(day_of_time(desk->now_ns) + 1);
        if (dice < 2)
                desk_restart(desk, dice);
        else if (dice == 2 && desk->now_ns < midnight - 3 * NS_PER_S)
                desk->now_ns = midnight - 3 * NS_PER_S;
        else if (dice == 3 && chance_one_in(&desk->chance, 2)) /* quiet books open the day alone */
                recorder_tick(desk->recorder, desk->now_ns = midnight + 130 * NS_PER_S);
        else
                desk_step(desk);
}

static inline void desk_steps(struct desk *desk, unsigned steps)
{
        for (unsigned i = 0; i < steps; i++)
                desk_step(desk);
        recorder_tick(desk->recorder, desk->now_ns);
}

/* ---- following ---- */

static inline struct follow *follow_new(struct store *source, struct store *target)
{
        struct follow *follow;
        struct follow_options options = {.source = source, .target = target};
        follow_open(&follow, &options);
        return follow;
}

static inline int follow_must(struct follow *follow)
{
        struct error error = {0};
        int more = follow_step(follow, &error);
        if (more < 0)
                fail_msg("follow: %d %s", more, error.text);
        return more;
}

/* Until nothing is left that is final. */
static inline void follow_all(struct follow *follow)
{
        unsigned steps = 0;
        while (follow_must(follow))
                assert_true(++steps < 10000);
}

/* ---- whole contents ---- */

static inline void list_table(
    struct store *store, uint32_t place, enum store_table table, struct buffer *out)
{
        struct store_txn txn;
        struct store_cursor cursor;
        if (store->ops->begin(store, place, false, &txn, NULL))
                return;
        int code = store->ops->seek(&txn, table, (struct store_key){0, INT64_MIN, 0}, &cursor);
        for (; !code; code = store->ops->next(&cursor)) {
                buffer_printf(out, "place %u table %d key %u %lld %llu:", place, table,
                    cursor.key.stream, (long long)cursor.key.major,
                    (unsigned long long)cursor.key.minor);
                for (size_t i = 0; i < cursor.value.size; i++)
                        buffer_printf(out, "%02x", cursor.value.data[i]);
                buffer_append_byte(out, '\n');
        }
        assert_int_equal(code, ERR_NOT_FOUND);
        store->ops->done(&cursor);
        store->ops->abort(&txn);
}

/* All that a record holds, a line a key; without what the store says of itself, and of sinks. */
static inline struct buffer list_store(struct store *store)
{
        struct buffer out;
        uint32_t *days;
        size_t count;
        buffer_init(&out, RECORD_MAX);
        for (enum store_table table = STORE_STREAMS; table <= STORE_AUDITS; table++) {
                if (table != STORE_SINKS)
                        list_table(store, STORE_META, table, &out);
        }
        assert_int_equal(store->ops->days(store, &days, &count), 0);
        for (size_t i = 0; i < count; i++) {
                for (enum store_table table = STORE_FRAMES; table < STORE_TABLES; table++)
                        list_table(store, days[i], table, &out);
        }
        free(days);
        assert_false(out.failed);
        buffer_append_byte(&out, 0);
        return out;
}

/* The first law. */
static inline void assert_same_store(struct store *source, struct store *copy)
{
        struct buffer a = list_store(source), b = list_store(copy);
        size_t at = 0, line = 0;
        while (at < a.size && at < b.size && a.data[at] == b.data[at]) {
                if (a.data[at++] == '\n')
                        line = at;
        }
        if (at < a.size || at < b.size)
                fail_msg("the copy has\n%.200s\n instead of\n%.200s", (const char *)b.data + line,
                    (const char *)a.data + line);
        buffer_deinit(&a);
        buffer_deinit(&b);
}

/* ---- what a reader of the copy sees ---- */

static inline const struct recon_stream *find_stream(const struct reader *reader, unsigned index)
{
        const struct stream_name *name = &desk_names[index];
        return reader_find(reader, name->exchange, name->symbol, name->kind);
}

static inline void assert_stream_sound(struct reader *reader, const struct recon_stream *stream)
{
        struct problems problems = {0};
        struct verify_result result;
        struct error error = {0};
        if (recon_verify(reader, stream, problem_note, NULL, &problems, &result, &error))
                fail_msg("verify: %s", error.text);
        if (problems.count)
                fail_msg("%s %s, %zu problems: %s", stream->name.symbol,
                    stream_kind_name(stream->name.kind), problems.count, problems.text[0]);
        assert_int_equal(result.events, stream->mark.events);
}

static inline bool same_gap(const struct gap_record *a, const struct gap_record *b)
{
        struct buffer left, right;
        buffer_init(&left, 4096);
        buffer_init(&right, 4096);
        gap_write(&left, a);
        gap_write(&right, b);
        bool same = left.size == right.size && !memcmp(left.data, right.data, left.size);
        buffer_deinit(&left);
        buffer_deinit(&right);
        return same;
}

static inline bool has_gap(const struct gap_list *gaps, const struct gap_record *gap)
{
        for (size_t i = 0; i < gaps->count; i++) {
                const struct gap_record *other = &gaps->gaps[i];
                if (other->cause == gap->cause && other->epoch == gap->epoch &&
                    other->from_position == gap->from_position && other->from_id == gap->from_id &&
                    other->from_time_ns == gap->from_time_ns && (gap->open || same_gap(other, gap)))
                        return true;
        }
        return false;
}

/* No hole that the source has not: neither a gap, nor frames that are missing. */
static inline void assert_gaps_are_known(struct reader *source, struct reader *copy, unsigned index)
{
        struct gap_list there;
        struct coverage here;
        struct error error = {0};
        assert_int_equal(recon_gaps(source, find_stream(source, index), &there), 0);
        assert_int_equal(
            recon_coverage(copy, find_stream(copy, index), INT64_MIN, INT64_MAX, &here, &error), 0);
        for (size_t i = 0; i < here.gaps.count; i++) {
                const struct gap_record *gap = &here.gaps.gaps[i];
                if (!has_gap(&there, gap))
                        fail_msg("%s: a gap (%s, open %d, behind position %llu) that the source "
                                 "has not",
                            desk_names[index].symbol, gap_cause_name(gap->cause), gap->open,
                            (unsigned long long)gap->from_position);
        }
        gap_list_deinit(&there);
        gap_list_deinit(&here.gaps);
}

static inline bool same_book(const struct recon_book *a, const struct recon_book *b)
{
        return a->last_id == b->last_id && a->event_time_ns == b->event_time_ns &&
            a->receive_time_ns == b->receive_time_ns && a->epoch == b->epoch &&
            scale_equal(&a->scale, &b->scale) && book_equal(&a->book, &b->book);
}

/* Where the two differ the copy's record ends, or the source's answer is an event beyond it. */
static inline void assert_same_book_at(struct reader *source, struct reader *copy, unsigned index,
    int64_t at_ns, enum recon_clock clock)
{
        const struct recon_stream *stream = find_stream(copy, index);
        struct recon_book there, here;
        struct error error = {0};
        recon_book_init(&there);
        recon_book_init(&here);
        int code = recon_book_at(source, find_stream(source, index), at_ns, clock, &there, &error);
        if (code)
                fail_msg("book of the source at %lld: %s", (long long)at_ns, error.text);
        if (recon_book_at(copy, stream, at_ns, clock, &here, &error))
                fail_msg(
                    "book of the copy at %lld (clock %d): %s", (long long)at_ns, clock, error.text);
        bool within = at_ns <= recon_end(stream, clock);
        bool beyond = there.receive_time_ns > stream->mark.last_receive_ns;
        bool same = same_book(&there, &here);
        if (!same && !(clock == CLOCK_RECEIVE ? !within : beyond))
                fail_msg("%s: another book at %lld: %s id %lld instead of %s id %lld (clock %d)",
                    desk_names[index].symbol, (long long)at_ns, book_status_name(here.status),
                    (long long)here.last_id, book_status_name(there.status),
                    (long long)there.last_id, clock);
        bool newer = there.status == STATUS_GAP && !stream->mark.gap_open &&
            here.receive_time_ns == stream->mark.last_receive_ns; /* a gap that began since */
        if (within && same && there.status != here.status && !newer)
                fail_msg("%s: %s instead of %s at %lld (clock %d)", desk_names[index].symbol,
                    book_status_name(here.status), book_status_name(there.status), (long long)at_ns,
                    clock);
        if (!within && here.status == STATUS_OK && !same)
                fail_msg(
                    "%s: ok beyond the end at %lld", desk_names[index].symbol, (long long)at_ns);
        recon_book_deinit(&there);
        recon_book_deinit(&here);
}

static inline void assert_same_books(
    struct reader *source, struct reader *copy, unsigned index, struct chance *chance)
{
        const struct recon_stream *here = find_stream(copy, index);
        const struct recon_stream *all = find_stream(source, index);
        int64_t begin = all->mark.first_event_time_ns - NS_PER_S;
        if (!all->mark.events || index == 3)
                return;
        for (enum recon_clock clock = 0; clock < 2; clock++) {
                int64_t end = recon_end(all, clock);
                end = (end > begin ? end : begin) + 5 * NS_PER_S;
                for (unsigned i = 0; i < 6; i++)
                        assert_same_book_at(source, copy, index,
                            begin + (int64_t)chance_below(chance, (uint64_t)(end - begin)), clock);
                for (int64_t shift = -1; shift <= 1; shift++)
                        assert_same_book_at(
                            source, copy, index, recon_end(here, clock) + shift, clock);
        }
}

/* The second law: the copy is a whole, shorter record. */
static inline void assert_whole(struct store *source_store, struct store *copy_store)
{
        static struct chance chance = {4711};
        struct reader source = reader_must(source_store), copy = reader_must(copy_store);
        for (unsigned i = 0; i < STREAMS; i++) {
                const struct recon_stream *stream = find_stream(&copy, i);
                if (!stream || !stream->recorded)
                        continue;
                assert_true(
                    find_stream(&source, i)->mark.next_position >= stream->mark.next_position);
                assert_stream_sound(&copy, stream);
                assert_gaps_are_known(&source, &copy, i);
                assert_same_books(&source, &copy, i, &chance);
        }
        reader_close(&source);
        reader_close(&copy);
}

/* ---- what was seen once ---- */

struct seen {
        uint32_t day;
        struct store_key key;
        uint64_t sum;
        bool met;
};

struct seen_list {
        struct seen *list;
        size_t count;
};

static inline uint64_t sum_bytes(struct bytes bytes)
{
        uint64_t sum = UINT64_C(0xcbf29ce484222325);
        for (size_t i = 0; i < bytes.size; i++)
                sum = (sum ^ bytes.data[i]) * UINT64_C(0x100000001b3);
        return sum;
}

static inline void seen_take(
    struct seen_list *seen, uint32_t day, struct store_key key, uint64_t sum)
{
        for (size_t i = 0; i < seen->count; i++) {
                struct seen *old = &seen->list[i];
                if (old->day != day || old->key.stream != key.stream ||
                    old->key.major != key.major || old->key.minor != key.minor)
                        continue;
                if (old->sum != sum)
                        fail_msg("the frame at position %lld has changed", (long long)key.major);
                old->met = true;
                return;
        }
        seen->list = memory_resize(seen->list, (seen->count + 1) * sizeof(struct seen));
        struct seen *news = &seen->list[seen->count++];
        memset(news, 0, sizeof(*news));
        news->day = day;
        news->key = key;
        news->sum = sum;
        news->met = true;
}

/* The third law: what is there stays as it is. */
static inline void assert_unchanged(struct seen_list *seen, struct store *copy)
{
        uint32_t *days;
        size_t count;
        for (size_t i = 0; i < seen->count; i++)
                seen->list[i].met = false;
        assert_int_equal(copy->ops->days(copy, &days, &count), 0);
        for (size_t i = 0; i < count; i++) {
                struct store_txn txn;
                struct store_cursor cursor;
                assert_int_equal(copy->ops->begin(copy, days[i], false, &txn, NULL), 0);
                int code = copy->ops->seek(&txn, STORE_FRAMES, (struct store_key){0}, &cursor);
                for (; !code; code = copy->ops->next(&cursor))
                        seen_take(seen, days[i], cursor.key, sum_bytes(cursor.value));
                copy->ops->done(&cursor);
                copy->ops->abort(&txn);
        }
        free(days);
        for (size_t i = 0; i < seen->count; i++)
                assert_true(seen->list[i].met);
}

#endif
