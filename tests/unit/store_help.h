/* What the store's tests share: a folder of their own, short words for keys and values. */
#ifndef TESTS_UNIT_STORE_HELP_H
#define TESTS_UNIT_STORE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>

#include "store/store.h"

#define DAY 20000u

/* In a child: the first untrue statement is said and ends it. */
#define MUST(statement)                                                                            \
        do {                                                                                       \
                if (!(statement)) {                                                                \
                        fprintf(stderr, "line %d: not true: %s\n", __LINE__, #statement);          \
                        _exit(1);                                                                  \
                }                                                                                  \
        } while (0)

static char folder[64]; /* the test's own; everything below it is removed after the test */
static char path[128];  /* where the store goes */

static inline int remove_entry(
    const char *name, const struct stat *status, int type, struct FTW *walk)
{
        (void)status, (void)type, (void)walk;
        return remove(name);
}

static inline void remove_tree(const char *name)
{
        nftw(name, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int setup(void **state)
{
        (void)state;
        snprintf(folder, sizeof(folder), "/tmp/test-store-XXXXXX");
        if (!mkdtemp(folder) || chmod(folder, 0755))
                return -1;
        snprintf(path, sizeof(path), "%s/store", folder);
        return 0;
}

static inline int teardown(void **state)
{
        (void)state;
        remove_tree(folder);
        return 0;
}

static inline struct store_key key(uint32_t stream, int64_t major, uint64_t minor)
{
        return (struct store_key){stream, major, minor};
}

static inline struct bytes text(const char *words)
{
        return (struct bytes){(const uint8_t *)words, strlen(words)};
}

/* Where a store of @ops goes: into the test's folder, or into a database that is named like it. */
static inline struct store_options options_of(const struct store_ops *ops, enum store_mode mode)
{
        struct store_options options = {.path = path, .mode = mode};
        if (!ops->atomic) {
                options.path = getenv("TEST_MONGODB_URI");
                options.database = folder + sizeof("/tmp/") - 1;
        }
        return options;
}

static inline int store_try(const struct store_ops *ops, enum store_mode mode,
    struct store **ret_store, struct error *error)
{
        struct store_options options = options_of(ops, mode);
        return ops->open(ret_store, &options, error);
}

static inline struct store *store_must(const struct store_ops *ops, enum store_mode mode)
{
        struct store *store = NULL;
        struct error error = {0};
        if (store_try(ops, mode, &store, &error))
                fail_msg("open: %s", error.text);
        return store;
}

static inline struct store_txn txn_must(struct store *store, uint32_t place, bool write)
{
        struct store_txn txn;
        struct error error = {0};
        if (store->ops->begin(store, place, write, &txn, &error))
                fail_msg("begin: %s", error.text);
        return txn;
}

static inline void commit_must(struct store_txn *txn)
{
        struct error error = {0};
        if (txn->store->ops->commit(txn, &error))
                fail_msg("commit: %s", error.text);
}

/* Put one value in a transaction of its own. */
static inline void put_one(struct store *store, uint32_t place, enum store_table table,
    struct store_key at, const char *words)
{
        struct store_txn txn = txn_must(store, place, true);
        store->ops->put(&txn, table, at, text(words));
        commit_must(&txn);
}

/* Does @table hold exactly @words at @at (NULL: nothing)? */
static inline bool holds(struct store *store, uint32_t place, enum store_table table,
    struct store_key at, const char *words)
{
        struct store_txn txn = txn_must(store, place, false);
        struct bytes value;
        int r = store->ops->get(&txn, table, at, &value);
        bool same = words
            ? !r && value.size == strlen(words) && !memcmp(value.data, words, value.size)
            : r == ERR_NOT_FOUND;
        store->ops->abort(&txn);
        return same;
}

#endif
