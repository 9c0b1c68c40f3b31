/* What each symbol was, and when: recorded, listed, verified, over both stores. */
#include <lmdb.h>
#include <signal.h>
#include <sys/wait.h>

#include "recon/recon.h"
#include "record/record.h"
#include "store/layout.h"
#include "tests/unit/store_help.h"

#define FROM INT64_C(1780000000000000000)
#define SECOND INT64_C(1000000000)

static const struct store_ops *ops;

static const struct symbol_record btc = {.valid_from_ns = FROM,
    .exchange = "binance",
    .symbol = "BTCUSDT",
    .base = "BTC",
    .quote = "USDT",
    .tick = "0.01000000",
    .lot = "0.00001000",
    .min_quantity = "0.00001000",
    .min_notional = "5.00000000",
    .status = "TRADING",
    .trading = true};

static struct symbol_record record_at(int64_t from_ns, const char *exchange, const char *symbol)
{
        struct symbol_record record = btc;
        record.valid_from_ns = from_ns;
        snprintf(record.exchange, sizeof(record.exchange), "%s", exchange);
        snprintf(record.symbol, sizeof(record.symbol), "%s", symbol);
        return record;
}

static struct recorder *recorder_must(struct store *store)
{
        struct record_options options = record_defaults;
        struct recorder *recorder = NULL;
        struct error error = {0};
        options.without_thread = true;
        if (recorder_open(&recorder, store, &options, &error))
                fail_msg("recorder: %s", error.text);
        return recorder;
}

static void recorder_end(struct recorder *recorder)
{
        struct error error = {0};
        if (recorder_close(recorder, FROM, SECOND, &error))
                fail_msg("close: %s", error.text);
}

/* Record each, in a run of its own. */
static void record_all(struct store *store, const struct symbol_record *records, size_t count)
{
        struct recorder *recorder = recorder_must(store);
        for (size_t i = 0; i < count; i++)
                assert_true(record_symbol(recorder, &records[i]));
        recorder_end(recorder);
}

static struct reader reader_must(struct store *store)
{
        struct reader reader;
        struct error error = {0};
        if (reader_open(&reader, store, &error))
                fail_msg("reader: %s", error.text);
        return reader;
}

static struct symbol_list list_must(struct store *store, const char *exchange, const char *symbol)
{
        struct reader reader = reader_must(store);
        struct symbol_list list;
        struct error error = {0};
        if (recon_symbols(&reader, exchange, symbol, &list, &error))
                fail_msg("symbols: %s", error.text);
        reader_close(&reader);
        return list;
}

static size_t count_symbols(struct store *store)
{
        struct symbol_list list = list_must(store, NULL, NULL);
        size_t count = list.count;
        symbol_list_deinit(&list);
        return count;
}

static void assert_version(const struct symbol_version *version, uint32_t number,
    const struct symbol_record *record, int64_t from_ns, int64_t to_ns)
{
        assert_int_equal(version->number, number);
        assert_true(symbol_record_same(&version->record, record));
        assert_int_equal(version->record.valid_from_ns, from_ns);
        assert_int_equal(version->to_ns, to_ns);
}

/* ---- recording and listing ---- */

static void a_symbol_is_stored_again_only_when_it_differs(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        struct recorder *recorder = recorder_must(store);
        struct symbol_record halted = btc, same = btc;
        assert_true(record_symbol(recorder, &btc));
        same.valid_from_ns += SECOND;
        assert_false(record_symbol(recorder, &same));
        halted.valid_from_ns += 2 * SECOND;
        halted.trading = false;
        snprintf(halted.status, sizeof(halted.status), "BREAK");
        assert_true(record_symbol(recorder, &halted));
        assert_false(record_symbol(recorder, &halted));
        same.valid_from_ns += 2 * SECOND;
        assert_true(record_symbol(recorder, &same));
        recorder_end(recorder);
        struct symbol_list list = list_must(store, NULL, NULL);
        assert_int_equal(list.count, 3);
        assert_version(&list.versions[0], 1, &btc, FROM, FROM + 2 * SECOND);
        assert_version(&list.versions[1], 1, &halted, FROM + 2 * SECOND, FROM + 3 * SECOND);
        assert_version(&list.versions[2], 1, &btc, FROM + 3 * SECOND, INT64_MAX);
        symbol_list_deinit(&list);
        ops->close(store);
}

static void symbols_are_listed_by_name_then_time(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        struct symbol_record records[] = {record_at(FROM + 5, "coinbase", "BTC-USD"),
            record_at(FROM + 4, "binance", "ETHUSDT"), record_at(FROM + 3, "binance", "BTCUSDT"),
            record_at(FROM + 9, "coinbase", "ETHUSDT"), record_at(FROM + 7, "binance", "BTCUSDT")};
        snprintf(records[4].tick, sizeof(records[4].tick), "0.10000000");
        record_all(store, records, 5);
        struct symbol_list list = list_must(store, NULL, NULL);
        assert_int_equal(list.count, 5);
        assert_version(&list.versions[0], 3, &records[2], FROM + 3, FROM + 7);
        assert_version(&list.versions[1], 3, &records[4], FROM + 7, INT64_MAX);
        assert_version(&list.versions[2], 2, &records[1], FROM + 4, INT64_MAX);
        assert_version(&list.versions[3], 1, &records[0], FROM + 5, INT64_MAX);
        assert_version(&list.versions[4], 4, &records[3], FROM + 9, INT64_MAX);
        symbol_list_deinit(&list);
        list = list_must(store, "binance", "ETHUSDT");
        assert_int_equal(list.count, 1);
        assert_version(&list.versions[0], 2, &records[1], FROM + 4, INT64_MAX);
        symbol_list_deinit(&list);
        list = list_must(store, NULL, "ETHUSDT");
        assert_int_equal(list.count, 2);
        symbol_list_deinit(&list);
        list = list_must(store, "binance", "BTC-USD");
        assert_int_equal(list.count, 0);
        symbol_list_deinit(&list);
        ops->close(store);
}

static void a_version_holds_from_its_time_until_the_next(void **state)
{
        (void)state;
        struct symbol_version version = {.record = btc, .to_ns = FROM + 10};
        assert_false(symbol_version_holds(&version, FROM - 1));
        assert_true(symbol_version_holds(&version, FROM));
        assert_true(symbol_version_holds(&version, FROM + 9));
        assert_false(symbol_version_holds(&version, FROM + 10));
        version.to_ns = INT64_MAX;
        assert_true(symbol_version_holds(&version, INT64_MAX));
}

static void a_restart_knows_the_newest_and_keeps_the_numbers(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        struct symbol_record first[] = {record_at(FROM, "binance", "ETHUSDT"), btc};
        struct symbol_record later = btc, other = record_at(FROM + 3, "binance", "AAVEUSDT");
        record_all(store, first, 2);
        later.auction = true;
        later.valid_from_ns = FROM + 1;
        record_all(store, &later, 1);
        struct recorder *recorder = recorder_must(store);
        assert_false(record_symbol(recorder, &later));
        assert_false(record_symbol(recorder, &first[0]));
        assert_true(record_symbol(recorder, &other));
        recorder_end(recorder);
        struct symbol_list list = list_must(store, NULL, NULL);
        assert_int_equal(list.count, 4);
        assert_version(&list.versions[0], 3, &other, FROM + 3, INT64_MAX);
        assert_version(&list.versions[1], 2, &btc, FROM, FROM + 1);
        assert_version(&list.versions[2], 2, &later, FROM + 1, INT64_MAX);
        assert_version(&list.versions[3], 1, &first[0], FROM, INT64_MAX);
        symbol_list_deinit(&list);
        ops->close(store);
}

static void a_clock_that_went_back_does_not_reorder(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        struct symbol_record records[] = {btc, btc, btc};
        records[1].trading = false;
        records[1].valid_from_ns = FROM - SECOND;
        records[2].valid_from_ns = FROM;
        record_all(store, records, 3);
        struct symbol_list list = list_must(store, NULL, NULL);
        assert_int_equal(list.count, 3);
        assert_version(&list.versions[0], 1, &records[0], FROM, FROM + 1);
        assert_version(&list.versions[1], 1, &records[1], FROM + 1, FROM + 2);
        assert_version(&list.versions[2], 1, &records[2], FROM + 2, INT64_MAX);
        symbol_list_deinit(&list);
        ops->close(store);
}

static void thousands_of_symbols_are_told_apart(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        const unsigned count = 3000;
        for (unsigned run = 0; run < 2; run++) {
                struct recorder *recorder = recorder_must(store);
                for (unsigned i = 0; i < count; i++) {
                        char symbol[16];
                        snprintf(symbol, sizeof(symbol), "S%uUSDT", i * 7919 % count);
                        struct symbol_record record = record_at(FROM + i, "binance", symbol);
                        assert_int_equal(record_symbol(recorder, &record), run == 0);
                }
                recorder_end(recorder);
        }
        assert_int_equal(count_symbols(store), count);
        struct symbol_list list = list_must(store, "binance", "S2999USDT");
        assert_int_equal(list.count, 1);
        symbol_list_deinit(&list);
        ops->close(store);
}

static void a_backup_has_them_too(void **state)
{
        (void)state;
        char copy[160];
        struct store *store = store_must(ops, STORE_WRITE), *copied;
        struct error error = {0};
        record_all(store, &btc, 1);
        snprintf(copy, sizeof(copy), "%s-copy", path);
        assert_int_equal(ops->backup(store, copy, &error), 0);
        struct store_options options = {.path = copy, .mode = STORE_READ};
        assert_int_equal(ops->open(&copied, &options, &error), 0);
        assert_int_equal(count_symbols(copied), 1);
        ops->close(copied);
        ops->close(store);
}

/* ---- damage ---- */

struct problems {
        unsigned count;
        uint32_t number;
        int64_t from_ns;
        char text[RECON_TEXT_SIZE];
};

static void note_problem(uint32_t number, int64_t from_ns, const char *words, void *user)
{
        struct problems *problems = user;
        problems->count++;
        problems->number = number;
        problems->from_ns = from_ns;
        snprintf(problems->text, sizeof(problems->text), "%s", words);
}

static struct problems verify_must(struct store *store)
{
        struct problems problems = {0};
        struct reader reader = reader_must(store);
        struct error error = {0};
        uint64_t count;
        if (recon_verify_symbols(&reader, note_problem, &problems, &count, &error))
                fail_msg("verify: %s", error.text);
        assert_int_equal(count, problems.count);
        reader_close(&reader);
        return problems;
}

static void put_value(struct store *store, struct store_key at, struct bytes value)
{
        struct store_txn txn = txn_must(store, STORE_META, true);
        ops->put(&txn, STORE_SYMBOLS, at, value);
        commit_must(&txn);
}

static void put_record(struct store *store, struct store_key at, const struct symbol_record *record)
{
        struct buffer value;
        buffer_init(&value, 4096);
        symbol_record_write(&value, record);
        put_value(store, at, buffer_bytes(&value));
        buffer_deinit(&value);
}

static void drop_record(struct store *store, struct store_key at)
{
        struct store_txn txn = txn_must(store, STORE_META, true);
        ops->erase(&txn, STORE_SYMBOLS, at, at, NULL);
        commit_must(&txn);
}

static void assert_problem(
    struct store *store, struct store_key at, const struct symbol_record *record, const char *words)
{
        put_record(store, at, record);
        struct problems problems = verify_must(store);
        assert_int_equal(problems.count, 1);
        assert_int_equal(problems.number, at.stream);
        assert_int_equal(problems.from_ns, at.major);
        assert_non_null(strstr(problems.text, words));
        drop_record(store, at);
        assert_int_equal(verify_must(store).count, 0);
}

static void verify_names_the_place_of_what_is_wrong(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        struct symbol_record sound[] = {btc, record_at(FROM, "binance", "ETHUSDT"), btc};
        assert_int_equal(verify_must(store).count, 0);
        sound[2].trading = false;
        sound[2].valid_from_ns = FROM + 5;
        record_all(store, sound, 3);
        assert_int_equal(verify_must(store).count, 0);
        struct symbol_record other = record_at(FROM + 7, "binance", "DOGEUSDT"), again = sound[2];
        assert_problem(store, key_symbol(1, FROM + 7), &other, "two symbols");
        again.valid_from_ns = FROM + 6;
        assert_problem(store, key_symbol(1, FROM + 6), &again, "says what the one before says");
        again.trading = true;
        assert_problem(store, key_symbol(1, FROM + 9), &again, "another time");
        assert_problem(store, key_symbol(3, FROM + 6), &again, "another number");
        other = record_at(FROM, "binance", "XRPUSDT");
        assert_problem(store, (struct store_key){4, FROM, 1}, &other, "key");
        other.valid_from_ns = FROM + 1;
        assert_problem(store, key_symbol(0, FROM + 1), &other, "key");
        ops->close(store);
}

static void time_must_ascend(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        struct symbol_record earlier = btc;
        record_all(store, &btc, 1);
        earlier.valid_from_ns = FROM - 1;
        earlier.trading = false;
        put_record(store, key_symbol(1, FROM + 1), &earlier);
        assert_int_equal(verify_must(store).count, 2); /* another time, and not later */
        ops->close(store);
}

static void assert_unreadable(struct store *store, int code, const char *words)
{
        struct record_options options = record_defaults;
        struct recorder *recorder;
        struct symbol_list list;
        struct reader reader = reader_must(store);
        struct error error = {0};
        struct problems problems = verify_must(store);
        assert_int_equal(problems.count, 1);
        assert_int_equal(problems.number, 1);
        assert_int_equal(problems.from_ns, FROM);
        assert_non_null(strstr(problems.text, words));
        assert_int_equal(recon_symbols(&reader, NULL, NULL, &list, &error), code);
        assert_non_null(strstr(error.text, "symbol number 1 from 2026-05-28T"));
        reader_close(&reader);
        assert_int_equal(recorder_open(&recorder, store, &options, &error), code);
}

static void what_cannot_be_read_is_named_and_not_recorded_over(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        struct store_key first = key_symbol(1, FROM);
        struct buffer value;
        record_all(store, &btc, 1);
        buffer_init(&value, 4096);
        symbol_record_write(&value, &btc);
        put_value(store, first, (struct bytes){value.data, value.size - 1});
        assert_unreadable(store, ERR_CORRUPT, "damaged");
        value.data[0] = META_VERSION + 1;
        put_value(store, first, buffer_bytes(&value));
        assert_unreadable(store, ERR_VERSION, "newer");
        buffer_deinit(&value);
        ops->close(store);
}

/* ---- on disk ---- */

/* Take the table away, as in a store that was made before there was one. */
static void make_old(void)
{
        char meta[160];
        MDB_env *env;
        MDB_txn *txn;
        MDB_dbi dbi;
        snprintf(meta, sizeof(meta), "%s/meta", path);
        assert_int_equal(mdb_env_create(&env), 0);
        assert_int_equal(mdb_env_set_maxdbs(env, 16), 0);
        assert_int_equal(mdb_env_open(env, meta, 0, 0660), 0);
        assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
        assert_int_equal(mdb_dbi_open(txn, "symbols", 0, &dbi), 0);
        assert_int_equal(mdb_drop(txn, dbi, 1), 0);
        assert_int_equal(mdb_txn_commit(txn), 0);
        mdb_env_close(env);
}

static void make_old_store(void)
{
        store_lmdb.close(store_must(&store_lmdb, STORE_WRITE));
        make_old();
}

static void an_old_store_is_read_as_one_without_symbols(void **state)
{
        (void)state;
        char copy[160];
        struct error error = {0};
        make_old_store();
        struct store *store = store_must(&store_lmdb, STORE_READ);
        assert_int_equal(count_symbols(store), 0);
        assert_int_equal(verify_must(store).count, 0);
        snprintf(copy, sizeof(copy), "%s-copy", path);
        assert_int_equal(store_lmdb.backup(store, copy, &error), 0);
        store_lmdb.close(store);
}

static void an_old_store_gets_the_table_with_its_first_symbol(void **state)
{
        (void)state;
        make_old_store();
        struct store *store = store_must(&store_lmdb, STORE_WRITE);
        recorder_end(recorder_must(store));
        assert_int_equal(count_symbols(store), 0);
        record_all(store, &btc, 1);
        assert_int_equal(count_symbols(store), 1);
        store_lmdb.close(store);
        store = store_must(&store_lmdb, STORE_READ);
        assert_int_equal(count_symbols(store), 1);
        assert_int_equal(verify_must(store).count, 0);
        store_lmdb.close(store);
}

/* A transaction sees its store as it was at its begin, and so without a table made since. */
static void who_reads_an_old_store_meanwhile_reads_on(void **state)
{
        (void)state;
        struct store_cursor cursor;
        struct bytes value;
        make_old_store();
        struct store *reader = store_must(&store_lmdb, STORE_READ);
        struct store *writer = store_must(&store_lmdb, STORE_WRITE);
        struct store_txn txn = txn_must(reader, STORE_META, false);
        record_all(writer, &btc, 1);
        assert_int_equal(
            store_lmdb.get(&txn, STORE_SYMBOLS, key_symbol(1, FROM), &value), ERR_NOT_FOUND);
        assert_int_equal(
            store_lmdb.seek(&txn, STORE_SYMBOLS, key_symbol(0, 0), &cursor), ERR_NOT_FOUND);
        store_lmdb.done(&cursor);
        store_lmdb.abort(&txn);
        assert_int_equal(count_symbols(reader), 1);
        store_lmdb.close(writer);
        store_lmdb.close(reader);
}

static void a_table_that_was_not_committed_is_not_there(void **state)
{
        (void)state;
        make_old_store();
        struct store *store = store_must(&store_lmdb, STORE_WRITE);
        struct store_txn txn = txn_must(store, STORE_META, true);
        store_lmdb.put(&txn, STORE_SYMBOLS, key_symbol(1, FROM), text("never"));
        store_lmdb.abort(&txn);
        assert_int_equal(count_symbols(store), 0);
        record_all(store, &btc, 1);
        assert_int_equal(count_symbols(store), 1);
        store_lmdb.close(store);
}

static void record_and_die(void)
{
        struct record_options options = record_defaults;
        struct store *store;
        struct recorder *recorder;
        alarm(30);
        options.without_thread = true;
        MUST(!store_try(&store_lmdb, STORE_WRITE, &store, NULL));
        MUST(!recorder_open(&recorder, store, &options, NULL));
        MUST(record_symbol(recorder, &btc));
        recorder_tick(recorder, FROM);
        raise(SIGKILL);
}

static void what_was_ticked_survives_kill_9(void **state)
{
        (void)state;
        int status;
        pid_t child = fork();
        if (!child)
                record_and_die();
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        struct store *store = store_must(&store_lmdb, STORE_WRITE);
        struct recorder *recorder = recorder_must(store);
        assert_false(record_symbol(recorder, &btc));
        recorder_end(recorder);
        assert_int_equal(count_symbols(store), 1);
        store_lmdb.close(store);
}

static int run_over(const struct store_ops *implementation)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(
                a_symbol_is_stored_again_only_when_it_differs, setup, teardown),
            cmocka_unit_test_setup_teardown(symbols_are_listed_by_name_then_time, setup, teardown),
            cmocka_unit_test(a_version_holds_from_its_time_until_the_next),
            cmocka_unit_test_setup_teardown(
                a_restart_knows_the_newest_and_keeps_the_numbers, setup, teardown),
            cmocka_unit_test_setup_teardown(
                a_clock_that_went_back_does_not_reorder, setup, teardown),
            cmocka_unit_test_setup_teardown(thousands_of_symbols_are_told_apart, setup, teardown),
            cmocka_unit_test_setup_teardown(a_backup_has_them_too, setup, teardown),
            cmocka_unit_test_setup_teardown(
                verify_names_the_place_of_what_is_wrong, setup, teardown),
            cmocka_unit_test_setup_teardown(time_must_ascend, setup, teardown),
            cmocka_unit_test_setup_teardown(
                what_cannot_be_read_is_named_and_not_recorded_over, setup, teardown),
        };
        ops = implementation;
        return cmocka_run_group_tests_name(implementation->name, tests, NULL, NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(
                an_old_store_is_read_as_one_without_symbols, setup, teardown),
            cmocka_unit_test_setup_teardown(
                an_old_store_gets_the_table_with_its_first_symbol, setup, teardown),
            cmocka_unit_test_setup_teardown(
                who_reads_an_old_store_meanwhile_reads_on, setup, teardown),
            cmocka_unit_test_setup_teardown(
                a_table_that_was_not_committed_is_not_there, setup, teardown),
            cmocka_unit_test_setup_teardown(what_was_ticked_survives_kill_9, setup, teardown),
        };
        int failed = run_over(&store_memory) + run_over(&store_lmdb);
        return failed + cmocka_run_group_tests_name("on disk", tests, NULL, NULL);
}
