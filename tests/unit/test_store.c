/* The store's agreement: one body of tests over every implementation. */
#include "tests/unit/database_help.h"

#include <pthread.h>

#include "base/clock.h"

static const struct store_ops *ops;

static void keys_in_bytes_are_big_endian_with_the_sign_flipped(void **state)
{
        (void)state;
        static const uint8_t expected[STORE_KEY_SIZE] = {
            0, 0, 1, 2, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0, 0, 0, 3, 4};
        uint8_t bytes[STORE_KEY_SIZE];
        store_key_encode(key(0x102, -2, 0x304), bytes);
        assert_memory_equal(bytes, expected, sizeof(bytes));
        struct store_key back = store_key_decode(bytes);
        assert_int_equal(back.stream, 0x102);
        assert_int_equal(back.major, -2);
        assert_int_equal(back.minor, 0x304);
}

/* In their order, with both ends of every part. */
static const struct store_key ordered[] = {
    {0, INT64_MIN, 0},
    {0, -1, UINT64_MAX},
    {0, 0, 0},
    {0, 0, 1},
    {1, INT64_MIN, 5},
    {1, -70000, 0},
    {1, -1, 0},
    {1, 0, 0},
    {1, 1, 0},
    {1, 1, UINT64_MAX},
    {1, INT64_MAX, 0},
    {256, 0, 0},
    {UINT32_MAX, INT64_MAX, UINT64_MAX},
};

#define ORDERED (sizeof(ordered) / sizeof(ordered[0]))

static bool key_equal(struct store_key a, struct store_key b)
{
        return a.stream == b.stream && a.major == b.major && a.minor == b.minor;
}

/* The store with the ordered keys, put in another order. */
static struct store *store_of_ordered(void)
{
        struct store *store = store_must(ops, STORE_WRITE);
        struct store_txn txn = txn_must(store, DAY, true);
        for (unsigned i = 0; i < ORDERED; i++) {
                unsigned at = i * 5 % ORDERED;
                char words[16];
                snprintf(words, sizeof(words), "%u", at);
                ops->put(&txn, STORE_FRAMES, ordered[at], text(words));
        }
        commit_must(&txn);
        return store;
}

static void cursor_must_be_at(const struct store_cursor *cursor, unsigned index)
{
        char words[16];
        snprintf(words, sizeof(words), "%u", index);
        assert_true(key_equal(cursor->key, ordered[index]));
        assert_int_equal(cursor->value.size, strlen(words));
        assert_memory_equal(cursor->value.data, words, strlen(words));
}

static void next_and_prev_walk_all_keys_in_order(void **state)
{
        (void)state;
        struct store *store = store_of_ordered();
        struct store_txn txn = txn_must(store, DAY, false);
        struct store_cursor cursor;
        assert_int_equal(ops->seek(&txn, STORE_FRAMES, ordered[0], &cursor), 0);
        for (unsigned i = 0; i < ORDERED; i++) {
                cursor_must_be_at(&cursor, i);
                assert_int_equal(ops->next(&cursor), i + 1 < ORDERED ? 0 : ERR_NOT_FOUND);
        }
        /* At the end it stays where it was. */
        for (unsigned i = ORDERED - 1; i-- > 0;) {
                assert_int_equal(ops->prev(&cursor), 0);
                cursor_must_be_at(&cursor, i);
        }
        assert_int_equal(ops->prev(&cursor), ERR_NOT_FOUND);
        assert_int_equal(ops->next(&cursor), 0);
        cursor_must_be_at(&cursor, 1);
        ops->done(&cursor);
        ops->abort(&txn);
        ops->close(store);
}

static void seek_finds_the_key_or_the_next_one(void **state)
{
        (void)state;
        struct store *store = store_of_ordered();
        struct store_txn txn = txn_must(store, DAY, false);
        struct store_cursor cursor;
        for (unsigned i = 0; i < ORDERED; i++) {
                assert_int_equal(ops->seek(&txn, STORE_FRAMES, ordered[i], &cursor), 0);
                cursor_must_be_at(&cursor, i);
                ops->done(&cursor);
        }
        assert_int_equal(ops->seek(&txn, STORE_FRAMES, key(1, -69999, 0), &cursor), 0);
        cursor_must_be_at(&cursor, 6);
        ops->done(&cursor);
        assert_int_equal(ops->seek(&txn, STORE_FRAMES, key(2, 0, 0), &cursor), 0);
        cursor_must_be_at(&cursor, 11); /* of another stream */
        ops->done(&cursor);
        assert_int_equal(ops->seek(&txn, STORE_TIMES, key(0, INT64_MIN, 0), &cursor),
            ERR_NOT_FOUND); /* an empty table */
        assert_int_equal(ops->next(&cursor), ERR_NOT_FOUND);
        assert_int_equal(ops->prev(&cursor), ERR_NOT_FOUND);
        ops->done(&cursor);
        ops->abort(&txn);
        ops->close(store);
}

static void seek_back_finds_the_key_or_the_one_before(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        put_one(store, DAY, STORE_FRAMES, key(3, -5, 0), "a");
        put_one(store, DAY, STORE_FRAMES, key(3, 5, 0), "b");
        struct store_txn txn = txn_must(store, DAY, false);
        struct store_cursor cursor;
        static const struct {
                struct store_key at;
                int result;
                int64_t major;
        } cases[] = {
            {{3, -5, 0}, 0, -5},
            {{3, 4, UINT64_MAX}, 0, -5},
            {{3, 5, 0}, 0, 5},
            {{UINT32_MAX, INT64_MAX, UINT64_MAX}, 0, 5},
            {{3, -6, UINT64_MAX}, ERR_NOT_FOUND, 0},
            {{0, INT64_MIN, 0}, ERR_NOT_FOUND, 0},
        };
        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                int r = ops->seek_back(&txn, STORE_FRAMES, cases[i].at, &cursor);
                assert_int_equal(r, cases[i].result);
                if (!r)
                        assert_int_equal(cursor.key.major, cases[i].major);
                ops->done(&cursor);
        }
        assert_int_equal(ops->seek(&txn, STORE_FRAMES, key(3, 5, 1), &cursor), ERR_NOT_FOUND);
        ops->done(&cursor);
        assert_int_equal(ops->seek_back(&txn, STORE_GAPS, key(9, 0, 0), &cursor), ERR_NOT_FOUND);
        ops->done(&cursor);
        ops->abort(&txn);
        ops->close(store);
}

static void put_replaces_and_keeps_any_size(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        static uint8_t big[3 << 20];
        memset(big, 0xa5, sizeof(big));
        put_one(store, DAY, STORE_FRAMES, key(1, 1, 0), "old");
        put_one(store, DAY, STORE_FRAMES, key(1, 1, 0), "new");
        put_one(store, DAY, STORE_FRAMES, key(1, 2, 0), "");
        struct store_txn txn = txn_must(store, DAY, true);
        ops->put(&txn, STORE_FRAMES, key(1, 3, 0), (struct bytes){big, sizeof(big)});
        ops->put(&txn, STORE_FRAMES, key(1, 4, 0), (struct bytes){NULL, 0});
        commit_must(&txn);
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 1, 0), "new"));
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 2, 0), ""));
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 4, 0), ""));
        struct bytes value;
        txn = txn_must(store, DAY, false);
        assert_int_equal(ops->get(&txn, STORE_FRAMES, key(1, 3, 0), &value), 0);
        assert_int_equal(value.size, sizeof(big));
        assert_memory_equal(value.data, big, sizeof(big));
        ops->abort(&txn);
        ops->close(store);
}

static void add_takes_what_is_new_or_the_same(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        for (int again = 0; again < 3; again++) {
                struct store_txn txn = txn_must(store, DAY, true);
                ops->add(&txn, STORE_FRAMES, key(1, 1, 0), text("one"));
                ops->add(&txn, STORE_TIMES, key(1, 1, 1), text(""));
                if (again)
                        ops->add(&txn, STORE_FRAMES, key(1, 2, 0), text("two"));
                commit_must(&txn);
        }
        struct error error = {0};
        struct store_txn txn = txn_must(store, DAY, true);
        ops->add(&txn, STORE_FRAMES, key(1, 2, 0), text("owt"));
        assert_int_equal(ops->commit(&txn, &error), ERR_CORRUPT);
        assert_true(error.text[0]);
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 1, 0), "one"));
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 2, 0), "two"));
        assert_true(holds(store, DAY, STORE_TIMES, key(1, 1, 1), ""));
        ops->close(store);
}

static void erase_takes_the_range_with_both_ends_and_counts_bytes(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        struct store_txn txn = txn_must(store, DAY, true);
        static uint8_t zeros[1000];
        for (unsigned i = 0; i < 1000; i++)
                ops->put(
                    &txn, STORE_FRAMES, key(1 + i / 500, i % 500, 0), (struct bytes){zeros, i});
        commit_must(&txn);
        uint64_t bytes = 7;
        txn = txn_must(store, DAY, true);
        ops->erase(&txn, STORE_FRAMES, key(1, 100, 0), key(1, 299, 0), &bytes);
        ops->erase(&txn, STORE_FRAMES, key(2, 0, 0), key(2, 0, 0), NULL);
        ops->erase(&txn, STORE_FRAMES, key(7, 0, 0), key(8, 0, 0), &bytes);
        ops->erase(&txn, STORE_FRAMES, key(2, 9, 0), key(2, 8, 0), &bytes);
        commit_must(&txn);
        assert_int_equal(bytes, 7 + (100 + 299) * 200 / 2);
        txn = txn_must(store, DAY, false);
        struct bytes value;
        for (unsigned i = 0; i < 1000; i++) {
                bool gone = (i >= 100 && i <= 299) || i == 500;
                int r = ops->get(&txn, STORE_FRAMES, key(1 + i / 500, i % 500, 0), &value);
                assert_int_equal(r, gone ? ERR_NOT_FOUND : 0);
        }
        ops->abort(&txn);
        ops->close(store);
}

static void a_transaction_sees_its_own_changes(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        struct store_txn txn = txn_must(store, DAY, true);
        struct store_cursor cursor;
        struct bytes value;
        for (int i = 0; i < 400; i++)
                ops->put(&txn, STORE_FRAMES, key(1, i, 0), text("x"));
        ops->erase(&txn, STORE_FRAMES, key(1, 10, 0), key(1, 19, 0), NULL);
        assert_int_equal(ops->get(&txn, STORE_FRAMES, key(1, 10, 0), &value), ERR_NOT_FOUND);
        assert_int_equal(ops->seek(&txn, STORE_FRAMES, key(1, 9, 0), &cursor), 0);
        assert_int_equal(ops->next(&cursor), 0);
        assert_int_equal(cursor.key.major, 20);
        ops->done(&cursor);
        commit_must(&txn);
        ops->close(store);
}

static void abort_leaves_all_unchanged(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        put_one(store, DAY, STORE_FRAMES, key(1, 1, 0), "one");
        put_one(store, DAY, STORE_MARKS, key(1, 0, 0), "mark");
        struct store_txn txn = txn_must(store, DAY, true);
        ops->put(&txn, STORE_FRAMES, key(1, 1, 0), text("changed"));
        ops->put(&txn, STORE_FRAMES, key(1, 2, 0), text("two"));
        ops->erase(&txn, STORE_MARKS, key(1, 0, 0), key(1, 0, 0), NULL);
        ops->abort(&txn);
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 1, 0), "one"));
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 2, 0), NULL));
        assert_true(holds(store, DAY, STORE_MARKS, key(1, 0, 0), "mark"));
        ops->close(store);
}

static void the_first_error_sticks_and_commit_returns_it(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        struct error error = {0};
        put_one(store, DAY, STORE_FRAMES, key(1, 1, 0), "one");
        struct store_txn txn = txn_must(store, DAY, false);
        ops->put(&txn, STORE_FRAMES, key(1, 1, 0), text("two")); /* it only reads */
        assert_int_equal(txn.code, ERR_USAGE);
        assert_int_equal(ops->commit(&txn, &error), ERR_USAGE);
        assert_true(error.text[0]);
        txn = txn_must(store, DAY, true);
        ops->put(&txn, STORE_FRAMES, key(1, 2, 0), text("two"));
        txn.code = ERR_RANGE;
        assert_int_equal(ops->commit(&txn, NULL), ERR_RANGE);
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 1, 0), "one"));
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 2, 0), NULL));
        ops->close(store);
}

static void what_was_committed_is_there_after_reopen(void **state)
{
        (void)state;
        char uuid[STORE_UUID_SIZE];
        struct store *store = store_must(ops, STORE_WRITE);
        snprintf(uuid, sizeof(uuid), "%s", ops->uuid(store));
        assert_int_equal(strlen(uuid), STORE_UUID_SIZE - 1);
        assert_string_equal(ops->recorder(store), "main");
        put_one(store, DAY, STORE_FRAMES, key(1, 1, 0), "frame");
        put_one(store, STORE_META, STORE_STREAMS, key(1, 0, 0), "binance:BTCUSDT");
        ops->close(store);
        store = store_must(ops, STORE_READ);
        assert_string_equal(ops->uuid(store), uuid);
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 1, 0), "frame"));
        assert_true(holds(store, STORE_META, STORE_STREAMS, key(1, 0, 0), "binance:BTCUSDT"));
        assert_true(holds(store, STORE_META, STORE_INFO, key(0, 1, 0), uuid));
        assert_true(holds(store, STORE_META, STORE_INFO, key(0, 2, 0), "1"));
        assert_true(holds(store, STORE_META, STORE_INFO, key(0, 3, 0), "main"));
        ops->close(store);
}

static void a_reader_sees_the_place_as_at_its_begin(void **state)
{
        (void)state;
        struct store *writer = store_must(ops, STORE_WRITE);
        struct store *reader = store_must(ops, STORE_READ);
        struct store_cursor cursor;
        struct bytes value;
        put_one(writer, DAY, STORE_FRAMES, key(1, 1, 0), "one");
        struct store_txn old = txn_must(reader, DAY, false);
        assert_int_equal(ops->seek(&old, STORE_FRAMES, key(1, 0, 0), &cursor), 0);
        for (int i = 1; i < 300; i++)
                put_one(writer, DAY, STORE_FRAMES, key(1, i, 0), "later");
        struct store_txn live = txn_must(writer, DAY, true);
        ops->erase(&live, STORE_FRAMES, key(1, 0, 0), key(1, 9, 0), NULL);
        assert_true(holds(reader, DAY, STORE_FRAMES, key(1, 1, 0), "later"));
        commit_must(&live);
        assert_memory_equal(cursor.value.data, "one", 3);
        assert_int_equal(ops->next(&cursor), ERR_NOT_FOUND);
        ops->done(&cursor);
        assert_int_equal(ops->get(&old, STORE_FRAMES, key(1, 1, 0), &value), 0);
        assert_int_equal(value.size, 3);
        ops->abort(&old);
        assert_true(holds(reader, DAY, STORE_FRAMES, key(1, 1, 0), NULL));
        assert_true(holds(reader, DAY, STORE_FRAMES, key(1, 10, 0), "later"));
        ops->close(reader);
        ops->close(writer);
}

#define PAIRS 300

/* Every commit writes the same number to both tables; a reader must never see them differ. */
static void *read_pairs(void *argument)
{
        struct store *reader = argument;
        uint32_t seen = 0;
        while (seen < PAIRS) {
                struct store_txn txn;
                struct bytes frame, mark;
                if (reader->ops->begin(reader, DAY, false, &txn, NULL))
                        return argument;
                int r = reader->ops->get(&txn, STORE_FRAMES, key(1, 0, 0), &frame);
                r = r ? r : reader->ops->get(&txn, STORE_MARKS, key(1, 0, 0), &mark);
                if (!r && (mark.size != sizeof(seen) || memcmp(frame.data, mark.data, mark.size)))
                        r = ERR_CORRUPT;
                if (!r)
                        memcpy(&seen, mark.data, sizeof(seen));
                reader->ops->abort(&txn);
                if (r && r != ERR_NOT_FOUND)
                        return argument;
        }
        return NULL;
}

static void a_thread_reads_while_another_writes(void **state)
{
        (void)state;
        struct store *writer = store_must(ops, STORE_WRITE);
        pthread_t thread;
        void *failed;
        put_one(writer, DAY, STORE_NOTES, key(0, 0, 0), "begin");
        struct store *reader = store_must(ops, STORE_READ);
        assert_int_equal(pthread_create(&thread, NULL, read_pairs, reader), 0);
        for (uint32_t i = 1; i <= PAIRS; i++) {
                struct store_txn txn = txn_must(writer, DAY, true);
                struct bytes number = {(const uint8_t *)&i, sizeof(i)};
                ops->put(&txn, STORE_FRAMES, key(1, 0, 0), number);
                ops->put(&txn, STORE_MARKS, key(1, 0, 0), number);
                commit_must(&txn);
        }
        pthread_join(thread, &failed);
        assert_null(failed);
        ops->close(reader);
        ops->close(writer);
}

static void days_are_ascending(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        uint32_t *days;
        size_t count;
        assert_int_equal(ops->days(store, &days, &count), 0);
        assert_int_equal(count, 0);
        free(days);
        put_one(store, DAY + 3, STORE_FRAMES, key(1, 1, 0), "x");
        put_one(store, DAY - 9000, STORE_FRAMES, key(1, 1, 0), "x");
        put_one(store, DAY, STORE_FRAMES, key(1, 1, 0), "x");
        assert_int_equal(ops->days(store, &days, &count), 0);
        assert_int_equal(count, 3);
        assert_int_equal(days[0], DAY - 9000);
        assert_int_equal(days[1], DAY);
        assert_int_equal(days[2], DAY + 3);
        free(days);
        ops->close(store);
}

static void a_day_that_is_not_there_is_not_found(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        struct store_txn txn;
        struct error error = {0};
        assert_int_equal(ops->begin(store, DAY, false, &txn, &error), ERR_NOT_FOUND);
        assert_non_null(strstr(error.text, "2024-10-04"));
        assert_int_equal(ops->begin(store, UINT32_MAX - 1, true, &txn, &error), ERR_USAGE);
        ops->close(store);
}

static void one_writing_transaction_at_a_time(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        struct store *reader = store_must(ops, STORE_READ);
        struct store_txn txn = txn_must(store, DAY, true), second;
        assert_int_equal(ops->begin(store, STORE_META, true, &second, NULL), ERR_BUSY);
        assert_int_equal(ops->begin(reader, DAY, true, &second, NULL), ERR_DENIED);
        ops->abort(&txn);
        ops->close(reader);
        ops->close(store);
}

/* Is the day gone, or at least empty for who has known it? */
static bool holds_none(struct store *store, uint32_t day)
{
        struct store_txn txn;
        struct store_cursor cursor;
        if (ops->begin(store, day, false, &txn, NULL))
                return true;
        int r = ops->seek(&txn, STORE_FRAMES, key(0, INT64_MIN, 0), &cursor);
        ops->done(&cursor);
        ops->abort(&txn);
        return r == ERR_NOT_FOUND;
}

static void drop_removes_a_day_for_those_who_come_later(void **state)
{
        (void)state;
        struct store *writer = store_must(ops, STORE_WRITE);
        struct store *manager = store_must(ops, STORE_MANAGE);
        struct store *reader = store_must(ops, STORE_READ);
        struct store_txn txn;
        struct bytes value;
        struct error error = {0};
        put_one(writer, DAY, STORE_FRAMES, key(1, 1, 0), "old");
        put_one(writer, DAY + 1, STORE_FRAMES, key(1, 1, 0), "kept");
        struct store_txn old = txn_must(reader, DAY, false);
        assert_int_equal(ops->drop(reader, DAY, &error), ERR_DENIED);
        assert_int_equal(ops->drop(manager, DAY, &error), 0);
        if (ops->atomic) { /* who was in it goes on */
                assert_int_equal(ops->get(&old, STORE_FRAMES, key(1, 1, 0), &value), 0);
                assert_memory_equal(value.data, "old", 3);
                assert_int_equal(ops->begin(reader, DAY, false, &txn, NULL), ERR_NOT_FOUND);
        }
        ops->abort(&old);
        assert_true(holds_none(reader, DAY));
        assert_int_equal(ops->begin(manager, DAY, false, &txn, NULL), ERR_NOT_FOUND);
        assert_int_equal(ops->drop(manager, DAY, &error), ERR_NOT_FOUND);
        assert_int_equal(ops->drop(manager, STORE_META, &error), ERR_USAGE);
        assert_true(holds(reader, DAY + 1, STORE_FRAMES, key(1, 1, 0), "kept"));
        put_one(writer, DAY, STORE_FRAMES, key(1, 2, 0), "new"); /* a new one, of the same name */
        assert_true(holds(reader, DAY, STORE_FRAMES, key(1, 1, 0), NULL));
        assert_true(holds(reader, DAY, STORE_FRAMES, key(1, 2, 0), "new"));
        ops->close(reader);
        ops->close(manager);
        ops->close(writer);
}

static void drop_refuses_the_day_that_is_written_to(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        struct store *manager = store_must(ops, STORE_MANAGE);
        struct store_txn txn = txn_must(store, DAY, true);
        ops->put(&txn, STORE_FRAMES, key(1, 1, 0), text("x"));
        assert_int_equal(ops->drop(store, DAY, NULL), ERR_BUSY);
        if (ops->atomic) /* a database knows nothing of others' transactions */
                assert_int_equal(ops->drop(manager, DAY, NULL), ERR_BUSY);
        commit_must(&txn);
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 1, 0), "x"));
        assert_int_equal(ops->drop(store, DAY, NULL), 0);
        ops->close(manager);
        ops->close(store);
}

static void a_manager_writes_meta_but_makes_no_day(void **state)
{
        (void)state;
        struct store *writer = store_must(ops, STORE_WRITE);
        struct store *manager = store_must(ops, STORE_MANAGE);
        struct store_txn txn;
        put_one(manager, STORE_META, STORE_PRUNED, key(1, 5, 0), "mark");
        assert_true(holds(writer, STORE_META, STORE_PRUNED, key(1, 5, 0), "mark"));
        assert_int_equal(ops->begin(manager, DAY, true, &txn, NULL), ERR_NOT_FOUND);
        ops->close(manager);
        ops->close(writer);
}

static void a_backup_holds_the_same(void **state)
{
        (void)state;
        struct store *store = store_of_ordered();
        char copy[100], original[sizeof(path)], uuid[STORE_UUID_SIZE];
        struct error error = {0};
        put_one(store, DAY + 1, STORE_GAPS, key(1, 1, 0), "gap");
        put_one(store, STORE_META, STORE_DAYS, key(1, DAY, 0), "");
        snprintf(uuid, sizeof(uuid), "%s", ops->uuid(store));
        snprintf(copy, sizeof(copy), "%s/copy", folder);
        struct store_txn txn = txn_must(store, DAY, true); /* beside a running writer */
        ops->put(&txn, STORE_FRAMES, key(1, 77, 0), text("not yet"));
        if (ops->backup(store, copy, &error))
                fail_msg("backup: %s", error.text);
        ops->abort(&txn);
        assert_int_equal(ops->backup(store, copy, &error), ERR_USAGE);
        put_one(store, DAY + 1, STORE_GAPS, key(1, 1, 0), "changed");
        ops->close(store);
        snprintf(original, sizeof(original), "%s", path);
        snprintf(path, sizeof(path), "%s", copy);
        store = store_must(ops, STORE_WRITE);
        assert_string_equal(ops->uuid(store), uuid);
        assert_true(holds(store, DAY + 1, STORE_GAPS, key(1, 1, 0), "gap"));
        assert_true(holds(store, DAY, STORE_FRAMES, ordered[5], "5"));
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 77, 0), NULL));
        assert_true(holds(store, STORE_META, STORE_DAYS, key(1, DAY, 0), ""));
        put_one(store, DAY + 1, STORE_GAPS, key(1, 1, 0), "goes on");
        assert_true(holds(store, DAY + 1, STORE_GAPS, key(1, 1, 0), "goes on"));
        ops->close(store);
        snprintf(path, sizeof(path), "%s", original);
}

static uint32_t random_next(uint32_t *seed)
{
        *seed ^= *seed << 13;
        *seed ^= *seed >> 17;
        *seed ^= *seed << 5;
        return *seed;
}

static void change_at_random(struct store_txn *txn, uint32_t *seed)
{
        static const uint8_t filler[5000];
        const struct store_ops *own = txn->store->ops;
        for (unsigned i = 0; i < 40; i++) {
                struct store_key at = key(random_next(seed) % 4,
                    (int)(random_next(seed) % 200) - 100, random_next(seed) % 2);
                struct store_key to = key(at.stream, at.major + random_next(seed) % 30, 0);
                size_t size = random_next(seed) % 20 ? random_next(seed) % 300 : sizeof(filler);
                if (random_next(seed) % 6)
                        own->put(txn, STORE_FRAMES, at, (struct bytes){filler, size});
                else
                        own->erase(txn, STORE_FRAMES, at, to, NULL);
        }
}

static void must_hold_the_same(struct store *a, struct store *b)
{
        struct store_txn txn_a = txn_must(a, DAY, false), txn_b = txn_must(b, DAY, false);
        struct store_cursor at_a, at_b;
        int r = a->ops->seek(&txn_a, STORE_FRAMES, key(0, INT64_MIN, 0), &at_a);
        assert_int_equal(b->ops->seek(&txn_b, STORE_FRAMES, key(0, INT64_MIN, 0), &at_b), r);
        while (!r) {
                assert_true(key_equal(at_a.key, at_b.key));
                assert_int_equal(at_a.value.size, at_b.value.size);
                r = a->ops->next(&at_a);
                assert_int_equal(b->ops->next(&at_b), r);
        }
        assert_int_equal(r, ERR_NOT_FOUND);
        a->ops->done(&at_a);
        b->ops->done(&at_b);
        a->ops->abort(&txn_a);
        b->ops->abort(&txn_b);
}

/* Every commit of one must leave what the same commit leaves in the other. */
static void must_agree(const struct store_ops *one, const struct store_ops *other, unsigned rounds)
{
        struct store *both[2] = {store_must(one, STORE_WRITE), store_must(other, STORE_WRITE)};
        uint32_t seed = 20261121;
        for (unsigned round = 0; round < rounds; round++) {
                uint32_t start = random_next(&seed);
                bool keep = random_next(&seed) % 4;
                for (unsigned i = 0; i < 2; i++) {
                        uint32_t same = start;
                        struct store_txn txn = txn_must(both[i], DAY, true);
                        change_at_random(&txn, &same);
                        if (keep)
                                commit_must(&txn);
                        else
                                both[i]->ops->abort(&txn);
                }
                must_hold_the_same(both[0], both[1]);
        }
        one->close(both[0]);
        other->close(both[1]);
}

static void the_implementations_agree_on_random_changes(void **state)
{
        (void)state;
        must_agree(&store_lmdb, &store_memory, 150);
}

static void the_database_agrees_on_random_changes(void **state)
{
        (void)state;
        must_agree(&store_memory, &store_mongo, 25);
}

/* The agreement, but for what only a place on this machine promises: store_ops.atomic. */
static int run_in_database(void)
{
        const struct CMUnitTest agreement[] = {
            IN_DATABASE(the_database_agrees_on_random_changes),
            IN_DATABASE(next_and_prev_walk_all_keys_in_order),
            IN_DATABASE(seek_finds_the_key_or_the_next_one),
            IN_DATABASE(seek_back_finds_the_key_or_the_one_before),
            IN_DATABASE(put_replaces_and_keeps_any_size),
            IN_DATABASE(add_takes_what_is_new_or_the_same),
            IN_DATABASE(erase_takes_the_range_with_both_ends_and_counts_bytes),
            IN_DATABASE(abort_leaves_all_unchanged),
            IN_DATABASE(the_first_error_sticks_and_commit_returns_it),
            IN_DATABASE(what_was_committed_is_there_after_reopen),
            IN_DATABASE(days_are_ascending),
            IN_DATABASE(a_day_that_is_not_there_is_not_found),
            IN_DATABASE(one_writing_transaction_at_a_time),
            IN_DATABASE(drop_removes_a_day_for_those_who_come_later),
            IN_DATABASE(drop_refuses_the_day_that_is_written_to),
            IN_DATABASE(a_manager_writes_meta_but_makes_no_day),
        };
        ops = &store_mongo;
        return cmocka_run_group_tests_name("store: mongodb", agreement, NULL, NULL);
}

int main(void)
{
        const struct CMUnitTest agreement[] = {
            TEST(next_and_prev_walk_all_keys_in_order),
            TEST(seek_finds_the_key_or_the_next_one),
            TEST(seek_back_finds_the_key_or_the_one_before),
            TEST(put_replaces_and_keeps_any_size),
            TEST(add_takes_what_is_new_or_the_same),
            TEST(erase_takes_the_range_with_both_ends_and_counts_bytes),
            TEST(a_transaction_sees_its_own_changes),
            TEST(abort_leaves_all_unchanged),
            TEST(the_first_error_sticks_and_commit_returns_it),
            TEST(what_was_committed_is_there_after_reopen),
            TEST(a_reader_sees_the_place_as_at_its_begin),
            TEST(a_thread_reads_while_another_writes),
            TEST(days_are_ascending),
            TEST(a_day_that_is_not_there_is_not_found),
            TEST(one_writing_transaction_at_a_time),
            TEST(drop_removes_a_day_for_those_who_come_later),
            TEST(drop_refuses_the_day_that_is_written_to),
            TEST(a_manager_writes_meta_but_makes_no_day),
            TEST(a_backup_holds_the_same),
        };
        const struct CMUnitTest between[] = {
            TEST(keys_in_bytes_are_big_endian_with_the_sign_flipped),
            TEST(the_implementations_agree_on_random_changes),
        };
        int failed = cmocka_run_group_tests_name("store", between, NULL, NULL);
        ops = &store_lmdb;
        failed += cmocka_run_group_tests_name("store: lmdb", agreement, NULL, NULL);
        ops = &store_memory;
        failed += cmocka_run_group_tests_name("store: memory", agreement, NULL, NULL);
        failed += has_database() ? run_in_database() : 0;
        return failed;
}
