/* Walks a whole store. */
#include "tests/spec/rows.h"

#include <stdlib.h>

#include "base/clock.h"

static int each_of_table(struct store_txn *txn, enum store_table table, rows_cb row_cb, void *user)
{
        const struct store_ops *ops = txn->store->ops;
        struct store_cursor cursor;
        int code = ops->seek(txn, table, (struct store_key){0, INT64_MIN, 0}, &cursor);
        while (!code) {
                row_cb(txn->place, &cursor, user);
                code = ops->next(&cursor);
        }
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}

static int each_of_place(
    struct store *store, uint32_t place, rows_cb row_cb, void *user, struct error *error)
{
        char day[DAY_TEXT_SIZE];
        struct store_txn txn;
        const char *name = place == STORE_META ? "meta" : day_format(place, day);
        int code = store->ops->begin(store, place, false, &txn, error);
        if (code)
                return code;
        for (enum store_table table = 0; table < STORE_TABLES && !code; table++) {
                if (store_table_is_meta(table) == (place == STORE_META))
                        code = each_of_table(&txn, table, row_cb, user);
        }
        store->ops->abort(&txn);
        return code ? error_set(error, code, "%s: %s", name, error_name(code)) : 0;
}

int rows_each(struct store *store, rows_cb row_cb, void *user, struct error *error)
{
        uint32_t *days;
        size_t count;
        int code = store->ops->days(store, &days, &count);
        if (code)
                return error_set(error, code, "the days cannot be listed");
        code = each_of_place(store, STORE_META, row_cb, user, error);
        for (size_t i = 0; i < count && !code; i++)
                code = each_of_place(store, days[i], row_cb, user, error);
        free(days);
        return code;
}
