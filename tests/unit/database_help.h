/* What tests share that run over a database too: the server that TEST_MONGODB_URI names. */
#ifndef TESTS_UNIT_DATABASE_HELP_H
#define TESTS_UNIT_DATABASE_HELP_H

#include "tests/unit/store_help.h"

#include <bson/bson.h>

#include "store/mongo_client.h"

/* What an error names a store of @which by. */
static inline const char *where_of(const struct store_ops *which)
{
        return which->atomic ? path : folder + sizeof("/tmp/") - 1;
}

static inline int teardown_database(void **state)
{
        bson_t command = BSON_INITIALIZER;
        struct mongo_options options = {
            .uri = getenv("TEST_MONGODB_URI"), .database = where_of(&store_mongo)};
        struct mongo *mongo;
        BSON_APPEND_INT32(&command, "dropDatabase", 1);
        if (mongo_open(&mongo, &options, NULL) || mongo_command(mongo, &command, NULL, NULL))
                return -1;
        mongo_close(mongo);
        bson_destroy(&command);
        return teardown(state);
}

/* What stands for @body in a database: the same, and the database goes with it. */
#define IN_DATABASE(body) cmocka_unit_test_setup_teardown(body, setup, teardown_database)

#define TEST(body) cmocka_unit_test_setup_teardown(body, setup, teardown)

static inline bool has_database(void)
{
        if (!getenv("TEST_MONGODB_URI"))
                printf("[  SKIPPED ] in MongoDB: no server is named by TEST_MONGODB_URI\n");
        return getenv("TEST_MONGODB_URI");
}

#endif
