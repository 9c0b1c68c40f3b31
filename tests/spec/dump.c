/* obdump STORE: every value of a store as a line of JSON, for decoders that know no store. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/store.h"

static const char *const table_names[STORE_TABLES] = {"info", "streams", "days", "pruned", "sinks",
    "frames", "times", "epochs", "gaps", "marks", "notes"};

static void print_value(
    const char *place, enum store_table table, const struct store_cursor *cursor)
{
        printf("{\"place\":\"%s\",\"table\":\"%s\",\"stream\":%" PRIu32 ",\"major\":%" PRId64
               ",\"minor\":%" PRIu64 ",\"value\":\"",
            place, table_names[table], cursor->key.stream, cursor->key.major, cursor->key.minor);
        for (size_t i = 0; i < cursor->value.size; i++)
                printf("%02x", cursor->value.data[i]);
        printf("\"}\n");
}

static int dump_table(struct store_txn *txn, const char *place, enum store_table table)
{
        const struct store_ops *ops = txn->store->ops;
        struct store_cursor cursor;
        int code = ops->seek(txn, table, (struct store_key){0, INT64_MIN, 0}, &cursor);
        while (!code) {
                print_value(place, table, &cursor);
                code = ops->next(&cursor);
        }
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}

static int dump_place(struct store *store, uint32_t place, struct error *error)
{
        char day[DAY_TEXT_SIZE];
        struct store_txn txn;
        const char *name = place == STORE_META ? "meta" : day_format(place, day);
        int code = store->ops->begin(store, place, false, &txn, error);
        if (code)
                return code;
        for (enum store_table table = 0; table < STORE_TABLES && !code; table++) {
                if (store_table_is_meta(table) == (place == STORE_META))
                        code = dump_table(&txn, name, table);
        }
        store->ops->abort(&txn);
        return code ? error_set(error, code, "%s: %s", name, error_name(code)) : 0;
}

static int dump_store(struct store *store, struct error *error)
{
        uint32_t *days;
        size_t count;
        int code = store->ops->days(store, &days, &count);
        if (code)
                return error_set(error, code, "the days cannot be listed");
        code = dump_place(store, STORE_META, error);
        for (size_t i = 0; i < count && !code; i++)
                code = dump_place(store, days[i], error);
        free(days);
        return code;
}

int main(int argc, char **argv)
{
        struct error error = {0};
        struct store *store;
        if (argc != 2) {
                fprintf(stderr, "usage: obdump STORE\n");
                return 2;
        }
        struct store_options options = {.path = argv[1], .mode = STORE_READ};
        int code = store_lmdb.open(&store, &options, &error);
        if (!code) {
                code = dump_store(store, &error);
                store->ops->close(store);
        }
        if (code)
                fprintf(stderr, "obdump: %s\n", error.text);
        return code || fflush(stdout) || ferror(stdout) ? 1 : 0;
}
