/* Following some days or streams only, days that were pruned, frames that are damaged or missing,
 * and stores that cannot be read for a moment. */
#include "recon/prune.h"
#include "tests/unit/follow_help.h"

static struct desk desk;
static struct store *source;
static uint32_t first_day; /* of the streams of levels */

/* Four days with restarts and gaps; the streams of orders and of trades come on the second one. */
static void record_days(uint64_t seed)
{
        source = front_new(memory_store("source", seed));
        desk_begin(&desk, seed, source);
        first_day = day_of_time(desk.now_ns);
        desk_open(&desk);
        for (unsigned day = 0; day < 4; day++) {
                if (day == 1) /* what has no record yet begins in the day of its opening */
                        desk_restart(&desk, false);
                for (unsigned i = 0; i < 60; i++) {
                        if (day)
                                desk_step(&desk);
                        else
                                desk_step_book(&desk, &desk.feeds[i % BOOKS]);
                }
                desk_restart(&desk, day % 2);
                desk_steps(&desk, day ? 20 : 0);
                desk_symbol(&desk);
                desk.now_ns = day_start_ns(first_day + day + 1) + 130 * NS_PER_S;
                recorder_tick(desk.recorder, desk.now_ns);
        }
        desk_steps(&desk, 60);
        desk_close(&desk);
}

static void copy_days(struct store *target, uint32_t from, uint32_t to,
    bool (*wants_cb)(const struct stream_name *, void *))
{
        struct follow *follow;
        struct follow_options options = {.source = source,
            .target = target,
            .final = true,
            .from_day = from,
            .to_day = to,
            .wants_cb = wants_cb};
        follow_open(&follow, &options);
        follow_all(follow);
        follow_close(follow);
}

static bool day_mark_of(
    struct store *store, uint32_t number, uint32_t day, struct mark_record *ret_mark)
{
        struct store_txn txn;
        struct bytes value;
        if (store->ops->begin(store, day, false, &txn, NULL))
                return false;
        bool has = !store->ops->get(&txn, STORE_MARKS, key_mark(number), &value) &&
            !mark_read(value, ret_mark);
        store->ops->abort(&txn);
        return has;
}

/* In what is stored of them. */
static bool same_mark(const struct mark_record *a, const struct mark_record *b)
{
        struct buffer left, right;
        buffer_init(&left, 4096);
        buffer_init(&right, 4096);
        mark_write(&left, a);
        mark_write(&right, b);
        bool same = left.size == right.size && !memcmp(left.data, right.data, left.size);
        buffer_deinit(&left);
        buffer_deinit(&right);
        return same;
}

static bool is_pruned(
    struct store *store, uint32_t number, uint32_t day, struct gap_record *ret_gap)
{
        struct store_txn txn;
        struct bytes value;
        assert_int_equal(store->ops->begin(store, STORE_META, false, &txn, NULL), 0);
        bool is = !store->ops->get(&txn, STORE_PRUNED, key_day(number, day), &value);
        if (is)
                assert_int_equal(gap_read(value, ret_gap), 0);
        store->ops->abort(&txn);
        return is;
}

/* Each day of each stream is there whole, or told to be pruned by what the source says of it. */
static void assert_days(struct store *target, uint32_t from, uint32_t to)
{
        for (uint32_t number = 1; number <= STREAMS; number++) {
                for (uint32_t day = first_day; day < first_day + 5; day++) {
                        struct mark_record whole, there;
                        struct gap_record gap;
                        if (!day_mark_of(source, number, day, &whole))
                                continue;
                        bool wanted = day >= from && day < to;
                        assert_int_equal(day_mark_of(target, number, day, &there), wanted);
                        bool told = is_pruned(target, number, day, &gap);
                        if (wanted) {
                                assert_false(told);
                                assert_true(same_mark(&there, &whole));
                                continue;
                        }
                        assert_int_equal(told, whole.next_position > whole.first_position);
                        if (!told)
                                continue;
                        assert_int_equal(gap.cause, GAP_PRUNED);
                        assert_int_equal(gap.to_position, whole.next_position);
                        assert_int_equal(gap.from_position, whole.first_position);
                        assert_int_equal(gap.to_id, whole.last_id);
                        assert_int_equal(gap.epoch, whole.epoch);
                }
        }
}

static void days_that_are_not_wanted_are_told_to_be_pruned(void **state)
{
        (void)state;
        record_days(1);
        for (uint32_t from = 0; from < 5; from++) {
                for (uint32_t to = from + 1; to < 6; to++) {
                        struct store *target = memory_store("copy", 1);
                        copy_days(target, first_day + from, first_day + to, NULL);
                        assert_days(target, first_day + from, first_day + to);
                        copy_days(target, 0, 0, NULL);
                        assert_days(target, 0, UINT32_MAX);
                        assert_same_store(source, target);
                        assert_whole(source, target);
                        target->ops->close(target);
                }
        }
        desk_end(&desk);
}

static bool wants_orders(const struct stream_name *name, void *user)
{
        (void)user;
        return name->kind == KIND_L3;
}

static void streams_that_are_not_wanted_are_not_there(void **state)
{
        (void)state;
        record_days(2);
        struct store *target = memory_store("copy", 2);
        copy_days(target, 0, 0, wants_orders);
        struct reader reader = reader_must(target);
        struct symbol_list list;
        struct error error = {0};
        assert_int_equal(reader.stream_count, 1);
        assert_stream_sound(&reader, find_stream(&reader, 2));
        assert_int_equal(recon_symbols(&reader, NULL, NULL, &list, &error), 0);
        assert_true(list.count > 0);
        for (size_t i = 0; i < list.count; i++)
                assert_string_equal(list.versions[i].record.symbol, "BTC-USD");
        symbol_list_deinit(&list);
        reader_close(&reader);
        copy_days(target, 0, 0, NULL);
        assert_same_store(source, target);
        target->ops->close(target);
        desk_end(&desk);
}

/* ---- days that were pruned ---- */

static void prune(uint32_t before)
{
        struct reader reader = reader_must(source);
        struct prune_result result;
        struct error error = {0};
        if (recon_prune(&reader, before, &result, &error))
                fail_msg("prune: %s", error.text);
        assert_true(result.dropped > 0);
        reader_close(&reader);
}

static void days_pruned_before_are_told_so(void **state)
{
        (void)state;
        record_days(3);
        prune(first_day + 2);
        struct store *target = memory_store("copy", 3);
        copy_days(target, 0, 0, NULL);
        assert_same_store(source, target);
        assert_whole(source, target);
        target->ops->close(target);
        desk_end(&desk);
}

static void days_pruned_later_stay(void **state)
{
        (void)state;
        record_days(4);
        struct store *target = memory_store("copy", 4);
        struct follow *follow = follow_new(source, target);
        follow_all(follow);
        struct buffer before = list_store(target), after;
        prune(first_day + 3);
        follow_all(follow);
        follow_reload(follow);
        follow_all(follow);
        follow_close(follow);
        copy_days(target, 0, 0, NULL);
        after = list_store(target);
        assert_string_equal((const char *)before.data, (const char *)after.data);
        buffer_deinit(&before);
        buffer_deinit(&after);
        target->ops->close(target);
        desk_end(&desk);
}

/* The follower has come to some day, and the next ones are gone before it gets there. */
static void days_pruned_ahead_of_it_are_told_so(void **state)
{
        (void)state;
        for (unsigned steps = 0; steps < 4; steps++) {
                record_days(5);
                struct store *target = memory_store("copy", 5);
                struct follow *follow = follow_new(source, target);
                struct gap_record gap;
                struct mark_record mark;
                for (unsigned i = 0; i < steps; i++)
                        follow_must(follow);
                prune(first_day + 3);
                follow_all(follow);
                for (uint32_t number = 1; number <= STREAMS; number++) {
                        for (uint32_t day = first_day; day < first_day + 3; day++)
                                assert_true(day_mark_of(target, number, day, &mark) !=
                                        is_pruned(target, number, day, &gap) ||
                                    !is_pruned(source, number, day, &gap));
                        for (uint32_t day = first_day + 3; day < first_day + 5; day++)
                                assert_int_equal(day_mark_of(target, number, day, &mark),
                                    day_mark_of(source, number, day, &mark));
                }
                follow_close(follow);
                target->ops->close(target);
                desk_end(&desk);
        }
}

/* ---- damage ---- */

struct spot {
        uint32_t day;
        struct store_key key;
};

/* A frame by chance. */
static struct spot choose_frame(struct chance *chance)
{
        struct spot places[1024];
        size_t count = 0;
        for (uint32_t day = first_day; day < first_day + 5; day++) {
                struct store_txn txn;
                struct store_cursor cursor;
                if (source->ops->begin(source, day, false, &txn, NULL))
                        continue;
                int code = source->ops->seek(&txn, STORE_FRAMES, (struct store_key){0}, &cursor);
                for (; !code && count < 1024; code = source->ops->next(&cursor))
                        places[count++] = (struct spot){day, cursor.key};
                source->ops->done(&cursor);
                source->ops->abort(&txn);
        }
        return places[chance_below(chance, count)];
}

static void put_frame(const struct spot *place, const struct buffer *bytes)
{
        struct store_txn txn;
        assert_int_equal(source->ops->begin(source, place->day, true, &txn, NULL), 0);
        if (bytes)
                source->ops->put(&txn, STORE_FRAMES, place->key, buffer_bytes(bytes));
        else
                source->ops->erase(&txn, STORE_FRAMES, place->key, place->key, NULL);
        assert_int_equal(source->ops->commit(&txn, NULL), 0);
}

static struct buffer get_frame(const struct spot *place)
{
        struct store_txn txn;
        struct bytes value;
        struct buffer bytes;
        buffer_init(&bytes, RECORD_MAX);
        assert_int_equal(source->ops->begin(source, place->day, false, &txn, NULL), 0);
        assert_int_equal(source->ops->get(&txn, STORE_FRAMES, place->key, &value), 0);
        buffer_append(&bytes, value.data, value.size);
        source->ops->abort(&txn);
        return bytes;
}

/* A bit of the head, mostly; or there is not even a head. */
static void damage_frame(struct chance *chance, struct buffer *bytes)
{
        size_t head = bytes->size < 90 ? bytes->size : 90;
        if (chance_one_in(chance, 4))
                bytes->size = chance_below(chance, 20);
        else
                bytes->data[chance_below(chance, chance_one_in(chance, 5) ? bytes->size : head)] ^=
                    (uint8_t)(1u << chance_below(chance, 8));
}

static void assert_same_table(struct store *target, enum store_table table)
{
        struct buffer a, b;
        buffer_init(&a, RECORD_MAX);
        buffer_init(&b, RECORD_MAX);
        for (uint32_t day = first_day; day < first_day + 5; day++) {
                uint32_t place = store_table_is_meta(table) ? STORE_META : day;
                list_table(source, place, table, &a);
                list_table(target, place, table, &b);
        }
        buffer_append_byte(&a, 0);
        buffer_append_byte(&b, 0);
        assert_string_equal((const char *)b.data, (const char *)a.data);
        buffer_deinit(&a);
        buffer_deinit(&b);
}

/* But for the counters of frames, which tell of those that can be read. */
static void assert_same_marks(struct store *target)
{
        for (uint32_t number = 1; number <= STREAMS; number++) {
                for (uint32_t day = first_day; day < first_day + 5; day++) {
                        struct mark_record whole, there;
                        if (!day_mark_of(source, number, day, &whole))
                                continue;
                        assert_true(day_mark_of(target, number, day, &there));
                        there.images = whole.images;
                        there.image_bytes = whole.image_bytes;
                        there.change_bytes = whole.change_bytes;
                        assert_true(same_mark(&there, &whole));
                }
        }
}

static void assert_same_but_counters(struct store *target)
{
        for (enum store_table table = STORE_STREAMS; table < STORE_TABLES; table++) {
                if (table != STORE_MARKS && table != STORE_SINKS)
                        assert_same_table(target, table);
        }
        assert_same_marks(target);
}

static void a_damaged_frame_is_copied_and_told(void **state)
{
        (void)state;
        struct chance chance = {6};
        record_days(6);
        for (unsigned round = 0; round < 150; round++) {
                struct store *target = memory_store("copy", 6);
                struct follow *follow = follow_new(source, target);
                struct spot place = choose_frame(&chance);
                struct buffer good = get_frame(&place), bad = get_frame(&place);
                char told[64];
                damage_frame(&chance, &bad);
                put_frame(&place, &bad);
                follow_all(follow);
                const struct follow_stats *stats = follow_stats(follow);
                assert_int_equal(stats->damaged, 1);
                snprintf(told, sizeof(told), "frame at position %lld", (long long)place.key.major);
                assert_non_null(strstr(stats->damage, told));
                assert_non_null(strstr(stats->damage, desk_names[place.key.stream - 1].symbol));
                assert_same_but_counters(target);
                put_frame(&place, &good);
                follow_close(follow);
                target->ops->close(target);
                buffer_deinit(&good);
                buffer_deinit(&bad);
        }
        desk_end(&desk);
}

/* The newest frame is damaged while the recorder goes on: what follows comes, each frame once. */
static void damage_holds_nothing_up(void **state)
{
        (void)state;
        struct chance chance = {7};
        for (unsigned round = 0; round < 20; round++) {
                record_days(7);
                desk_open(&desk);
                struct store *target = memory_store("copy", 7);
                struct follow *follow = follow_new(source, target);
                struct spot place = choose_frame(&chance);
                struct buffer bad = get_frame(&place);
                damage_frame(&chance, &bad);
                put_frame(&place, &bad);
                for (unsigned i = 0; i < 20; i++) {
                        desk_steps(&desk, 10);
                        follow_must(follow);
                        follow_must(follow);
                        assert_in_range(follow_stats(follow)->damaged, 0, 1);
                }
                desk_close(&desk);
                follow_all(follow);
                assert_int_equal(follow_stats(follow)->damaged, 1);
                assert_same_but_counters(target);
                follow_close(follow);
                target->ops->close(target);
                buffer_deinit(&bad);
                desk_end(&desk);
        }
}

static void frames_that_are_missing_hold_nothing_up(void **state)
{
        (void)state;
        struct chance chance = {8};
        record_days(8);
        for (unsigned round = 0; round < 60; round++) {
                struct store *target = memory_store("copy", 8);
                struct spot place = choose_frame(&chance);
                struct buffer good = get_frame(&place);
                put_frame(&place, NULL);
                copy_days(target, 0, 0, NULL);
                assert_same_table(target, STORE_FRAMES);
                assert_same_marks(target);
                put_frame(&place, &good);
                target->ops->close(target);
                buffer_deinit(&good);
        }
        desk_end(&desk);
}

/* ---- a store that cannot be read for a moment ---- */

struct flaky {
        struct store store;
        struct store *inner;
        unsigned reads_left; /* until one fails */
        unsigned failed;
};

static struct store_ops flaky_ops;

static struct flaky *flaky_of(struct store *store)
{
        return (struct flaky *)store;
}

static int flaky_begin(
    struct store *store, uint32_t place, bool write, struct store_txn *txn, struct error *error)
{
        struct store *inner = flaky_of(store)->inner;
        int code = inner->ops->begin(inner, place, write, txn, error);
        txn->store = code ? NULL : store;
        return code;
}

static bool read_fails(struct store_txn *txn)
{
        struct flaky *flaky = flaky_of(txn->store);
        if (flaky->reads_left-- != 0)
                return false;
        flaky->failed++;
        return true;
}

static int flaky_get(
    struct store_txn *txn, enum store_table table, struct store_key key, struct bytes *ret_value)
{
        return read_fails(txn) ? ERR_IO : store_memory.get(txn, table, key, ret_value);
}

static int flaky_seek(struct store_txn *txn, enum store_table table, struct store_key key,
    struct store_cursor *cursor)
{
        *cursor = (struct store_cursor){.txn = txn, .table = table};
        return read_fails(txn) ? ERR_IO : store_memory.seek(txn, table, key, cursor);
}

static int flaky_seek_back(struct store_txn *txn, enum store_table table, struct store_key key,
    struct store_cursor *cursor)
{
        *cursor = (struct store_cursor){.txn = txn, .table = table};
        return read_fails(txn) ? ERR_IO : store_memory.seek_back(txn, table, key, cursor);
}

static int flaky_next(struct store_cursor *cursor)
{
        return read_fails(cursor->txn) ? ERR_IO : store_memory.next(cursor);
}

static int flaky_commit(struct store_txn *txn, struct error *error)
{
        txn->store = flaky_of(txn->store)->inner;
        return store_memory.commit(txn, error);
}

static void flaky_abort(struct store_txn *txn)
{
        txn->store = flaky_of(txn->store)->inner;
        store_memory.abort(txn);
}

static struct flaky flaky_around(struct store *inner, unsigned reads)
{
        flaky_ops = store_memory;
        flaky_ops.begin = flaky_begin;
        flaky_ops.get = flaky_get;
        flaky_ops.seek = flaky_seek;
        flaky_ops.seek_back = flaky_seek_back;
        flaky_ops.next = flaky_next;
        flaky_ops.commit = flaky_commit;
        flaky_ops.abort = flaky_abort;
        return (struct flaky){.store.ops = &flaky_ops, .inner = inner, .reads_left = reads};
}

/* Whatever read it is that fails: when the follower says that all is there, it is. */
static void reads_fail(bool in_target, uint32_t from, uint32_t to)
{
        struct chance chance = {9};
        unsigned failed = 1;
        for (unsigned reads = 0; failed; reads += 1 + (unsigned)chance_below(&chance, 25)) {
                struct store *target = memory_store("copy", 9);
                if (from)
                        copy_days(target, first_day + 1, first_day + 2, NULL);
                struct flaky flaky =
                    flaky_around(in_target ? target : front_of(source)->inner, reads);
                struct follow *follow;
                struct follow_options options = {.source = in_target ? source : &flaky.store,
                    .target = in_target ? &flaky.store : target,
                    .final = true,
                    .from_day = from,
                    .to_day = to};
                struct error error = {0};
                int more = 1;
                follow_open(&follow, &options);
                for (unsigned i = 0; more && i < 1000; i++) {
                        error.text[0] = '\0';
                        more = follow_step(follow, &error);
                        if (more < 0)
                                assert_true(*error.text);
                }
                assert_int_equal(more, 0);
                failed = flaky.failed;
                follow_close(follow);
                if (from)
                        copy_days(target, 0, from, NULL);
                assert_same_store(source, target);
                target->ops->close(target);
        }
}

static void nothing_is_lost_where_a_read_fails(void **state)
{
        (void)state;
        record_days(9);
        reads_fail(false, 0, 0);
        reads_fail(true, 0, 0);
        reads_fail(true, first_day + 2, UINT32_MAX);
        desk_end(&desk);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(days_that_are_not_wanted_are_told_to_be_pruned),
            cmocka_unit_test(streams_that_are_not_wanted_are_not_there),
            cmocka_unit_test(days_pruned_before_are_told_so),
            cmocka_unit_test(days_pruned_later_stay),
            cmocka_unit_test(days_pruned_ahead_of_it_are_told_so),
            cmocka_unit_test(a_damaged_frame_is_copied_and_told),
            cmocka_unit_test(damage_holds_nothing_up),
            cmocka_unit_test(frames_that_are_missing_hold_nothing_up),
            cmocka_unit_test(nothing_is_lost_where_a_read_fails),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
