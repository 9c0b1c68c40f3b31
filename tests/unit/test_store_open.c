/* Opening a store: whose it is, and what is refused. One body over every implementation. */
#include "tests/unit/database_help.h"

static const struct store_ops *ops;

static void a_second_writer_is_refused(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE), *second;
        struct error error = {0};
        assert_int_equal(store_try(ops, STORE_WRITE, &second, &error), ERR_BUSY);
        assert_non_null(strstr(error.text, where_of(ops)));
        ops->close(store);
        store = store_must(ops, STORE_WRITE);
        ops->close(store);
}

static void another_recorder_is_refused(void **state)
{
        (void)state;
        struct store *store;
        struct store_options options = options_of(ops, STORE_WRITE);
        options.recorder = "tokyo";
        struct error error = {0};
        assert_int_equal(ops->open(&store, &options, &error), 0);
        assert_string_equal(ops->recorder(store), "tokyo");
        ops->close(store);
        options.recorder = "london";
        assert_int_equal(ops->open(&store, &options, &error), ERR_USAGE);
        assert_non_null(strstr(error.text, "tokyo"));
        assert_non_null(strstr(error.text, "london"));
        options.recorder = NULL; /* and the lock was given back */
        assert_int_equal(ops->open(&store, &options, &error), 0);
        assert_string_equal(ops->recorder(store), "tokyo");
        ops->close(store);
}

static void another_record_is_refused(void **state)
{
        (void)state;
        static const char uuid[] = "01234567-89ab-4cde-8f01-23456789abcd";
        struct store *store;
        struct store_options options = options_of(ops, STORE_WRITE);
        struct error error = {0};
        options.uuid = uuid;
        assert_int_equal(ops->open(&store, &options, &error), 0);
        assert_string_equal(ops->uuid(store), uuid);
        ops->close(store);
        options.uuid = "11234567-89ab-4cde-8f01-23456789abcd";
        assert_int_equal(ops->open(&store, &options, &error), ERR_USAGE);
        assert_non_null(strstr(error.text, uuid));
        options.uuid = uuid;
        assert_int_equal(ops->open(&store, &options, &error), 0);
        ops->close(store);
}

static void recorders_are_told_by_name(void **state)
{
        (void)state;
        struct store *store;
        struct store_options options = options_of(ops, STORE_WRITE);
        char **names;
        size_t count;
        options.recorder = "tokyo/1 \xc3\xa9";
        assert_int_equal(ops->open(&store, &options, NULL), 0);
        put_one(store, DAY, STORE_FRAMES, key(1, 1, 0), "one");
        ops->close(store);
        assert_int_equal(ops->recorders(&options, &names, &count, NULL), 0);
        assert_int_equal(count, 1);
        assert_string_equal(names[0], options.recorder);
        free(names[0]);
        free(names);
        options.recorder = NULL;
        options.mode = STORE_READ;
        assert_int_equal(ops->open(&store, &options, NULL), 0);
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 1, 0), "one"));
        ops->close(store);
}

static void a_new_store_needs_a_recorder_with_a_name(void **state)
{
        (void)state;
        struct store *store;
        char longest[300];
        struct store_options options = options_of(ops, STORE_WRITE);
        options.recorder = "";
        assert_int_equal(ops->open(&store, &options, NULL), ERR_USAGE);
        options.recorder = "two\nlines";
        assert_int_equal(ops->open(&store, &options, NULL), ERR_USAGE);
        memset(longest, 'x', sizeof(longest));
        longest[sizeof(longest) - 1] = 0;
        options.recorder = longest;
        assert_int_equal(ops->open(&store, &options, NULL), ERR_USAGE);
        assert_int_equal(store_try(ops, STORE_READ, &store, NULL), ERR_NOT_FOUND);
}

static void info_must_give(const char *version, int code, const char *words)
{
        struct error error = {0};
        struct store *store = store_must(ops, STORE_WRITE), *again;
        put_one(store, STORE_META, STORE_INFO, key(0, 2, 0), version);
        ops->close(store);
        assert_int_equal(store_try(ops, STORE_WRITE, &again, &error), code);
        assert_int_equal(store_try(ops, STORE_READ, &again, &error), code);
        assert_non_null(strstr(error.text, words));
}

static void a_newer_format_is_refused(void **state)
{
        (void)state;
        info_must_give("12", ERR_VERSION, "version 12");
}

static void a_damaged_info_is_refused(void **state)
{
        (void)state;
        info_must_give("one", ERR_CORRUPT, "'one'");
}

static void a_missing_path_is_not_found(void **state)
{
        (void)state;
        struct store *store;
        struct error error = {0};
        assert_int_equal(store_try(ops, STORE_READ, &store, &error), ERR_NOT_FOUND);
        assert_non_null(strstr(error.text, where_of(ops)));
        assert_int_equal(store_try(ops, STORE_MANAGE, &store, &error), ERR_NOT_FOUND);
}

int main(void)
{
        const struct CMUnitTest local[] = {
            TEST(a_second_writer_is_refused),
            TEST(another_recorder_is_refused),
            TEST(another_record_is_refused),
            TEST(recorders_are_told_by_name),
            TEST(a_new_store_needs_a_recorder_with_a_name),
            TEST(a_newer_format_is_refused),
            TEST(a_damaged_info_is_refused),
            TEST(a_missing_path_is_not_found),
        };
        const struct CMUnitTest database[] = {
            IN_DATABASE(a_second_writer_is_refused),
            IN_DATABASE(another_record_is_refused),
            IN_DATABASE(recorders_are_told_by_name),
            IN_DATABASE(a_new_store_needs_a_recorder_with_a_name),
            IN_DATABASE(a_newer_format_is_refused),
            IN_DATABASE(a_damaged_info_is_refused),
            IN_DATABASE(a_missing_path_is_not_found),
        };
        ops = &store_lmdb;
        int failed = cmocka_run_group_tests_name("open: lmdb", local, NULL, NULL);
        ops = &store_memory;
        failed += cmocka_run_group_tests_name("open: memory", local, NULL, NULL);
        ops = &store_mongo;
        if (has_database())
                failed += cmocka_run_group_tests_name("open: mongodb", database, NULL, NULL);
        return failed;
}
