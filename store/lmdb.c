/* The store on LMDB: transactions and cursors (see schema/store.md for what is on disk). */
#include <assert.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "store/internal.h"

#define BEGIN_ATTEMPTS 3 /* a place may be dropped, or an environment given up, in between */

struct lmdb_txn {
        MDB_txn *txn;
        struct store_slot *slot;
        unsigned tables[STORE_TABLES]; /* known as it began, and made by it */
        int rc;                        /* LMDB's reason for the sticky code */
        size_t put_size;               /* bytes that the commit needs about */
        unsigned cursors;
};

static struct lmdb_txn *txn_of(const struct store_txn *txn)
{
        return txn->handle;
}

/* Takes the tables before LMDB's transaction begins: that one knows none made after it. */
static struct lmdb_txn *txn_new(struct store_slot *slot)
{
        struct lmdb_txn *txn = memory_new(sizeof(*txn));
        txn->slot = slot;
        for (unsigned i = 0; i < STORE_TABLES; i++)
                txn->tables[i] = slot->environment->tables[i];
        return txn;
}

static int txn_start(
    struct lmdb_store *self, struct store_slot *slot, bool write, MDB_txn **ret_txn)
{
        char path[STORE_PATH_SIZE];
        MDB_env *env = slot->environment->env;
        int dead, rc = mdb_txn_begin(env, NULL, write ? 0 : MDB_RDONLY, ret_txn);
        if (rc == MDB_READERS_FULL && !mdb_reader_check(env, &dead))
                rc = mdb_txn_begin(env, NULL, write ? 0 : MDB_RDONLY, ret_txn);
        if (rc == MDB_PANIC)
                slot->environment->broken = true;
        if (rc || !write)
                return rc;
        /* While we waited for LMDB's lock, the holder may have dropped the day. */
        store_lmdb_path(self, slot->place, path);
        if (store_environment_is_current(slot->environment, path))
                return 0;
        mdb_txn_abort(*ret_txn);
        return MDB_PANIC;
}

static void txn_attach(
    struct lmdb_store *self, struct lmdb_txn *txn, bool write, struct store_txn *ret_txn)
{
        struct store_slot *slot = txn->slot;
        slot->live++;
        if (write) {
                self->writing = slot;
                slot->environment->writing = true;
        }
        *ret_txn = (struct store_txn){
            .store = &self->store,
            .handle = txn,
            .place = slot->place,
            .write = write,
        };
}

static int begin_check(const struct lmdb_store *self, bool write, struct error *error)
{
        if (!write)
                return 0;
        if (self->mode == STORE_READ)
                return error_set(
                    error, ERR_DENIED, "store %s was opened for reading only", self->path);
        if (self->writing)
                return error_set(error, ERR_BUSY,
                    "store %s: this handle already has a writing transaction", self->path);
        return 0;
}

static int lmdb_begin(
    struct store *store, uint32_t place, bool write, struct store_txn *ret_txn, struct error *error)
{
        struct lmdb_store *self = store_lmdb_of(store);
        char path[STORE_PATH_SIZE];
        int rc = 0, r = begin_check(self, write, error);
        if (r)
                return r;
        for (unsigned i = 0; i < BEGIN_ATTEMPTS; i++) {
                struct store_slot *slot;
                if ((r = store_slot_get(self, place, write, &slot, error)))
                        return r;
                store_environment_check_readers(slot->environment);
                struct lmdb_txn *txn = txn_new(slot);
                rc = txn_start(self, slot, write, &txn->txn);
                if (!rc) {
                        txn_attach(self, txn, write, ret_txn);
                        return 0;
                }
                free(txn);
                if (rc != MDB_PANIC)
                        break;
                store_slot_forget(self, slot);
        }
        store_lmdb_path(self, place, path);
        return store_fail(store_code_of_write(rc, path, 0), rc, path, error);
}

static void txn_end(struct store_txn *txn)
{
        struct lmdb_store *self = store_lmdb_of(txn->store);
        struct lmdb_txn *lmdb = txn_of(txn);
        assert(!lmdb->cursors);
        if (txn->write) {
                self->writing = NULL;
                lmdb->slot->environment->writing = false;
        }
        lmdb->slot->live--;
        free(lmdb);
        txn->handle = NULL;
        store_slots_trim(self, LIMIT_DAYS_OPEN);
}

static void lmdb_abort(struct store_txn *txn)
{
        mdb_txn_abort(txn_of(txn)->txn);
        txn_end(txn);
}

/* Tables that were made are there for those who begin from now on. */
static void tables_publish(struct lmdb_txn *txn)
{
        struct store_environment *environment = txn->slot->environment;
        for (unsigned i = 0; i < STORE_TABLES; i++) {
                if (environment->tables[i] == STORE_NO_TABLE)
                        environment->tables[i] = txn->tables[i];
        }
}

static int lmdb_commit(struct store_txn *txn, struct error *error)
{
        struct lmdb_txn *lmdb = txn_of(txn);
        char path[STORE_PATH_SIZE];
        int code = txn->code, rc = lmdb->rc;
        store_lmdb_path(store_lmdb_of(txn->store), txn->place, path);
        if (code || !txn->write) {
                mdb_txn_abort(lmdb->txn);
        } else if ((rc = mdb_txn_commit(lmdb->txn))) {
                code = store_code_of_write(rc, path, lmdb->put_size);
        } else {
                tables_publish(lmdb);
                store_environment_mend(lmdb->slot->environment);
        }
        txn_end(txn);
        return code ? store_fail(code, rc, path, error) : 0;
}

/* The first error stays. */
static void txn_stick(struct store_txn *txn, int code, int rc)
{
        if (txn->code)
                return;
        txn->code = code;
        txn_of(txn)->rc = rc;
}

static void txn_stick_lmdb(struct store_txn *txn, int rc)
{
        char path[STORE_PATH_SIZE];
        store_lmdb_path(store_lmdb_of(txn->store), txn->place, path);
        txn_stick(txn, store_code_of_write(rc, path, txn_of(txn)->put_size), rc);
}

/* ERR_NOT_FOUND: a table that may be missing, and is: nothing is found in it. */
static int table_of(const struct store_txn *txn, enum store_table table, MDB_dbi *ret_table)
{
        assert(store_table_is_meta(table) == (txn->place == STORE_META));
        *ret_table = txn_of(txn)->tables[table];
        if (*ret_table != STORE_NO_TABLE)
                return 0;
        return store_table_is_optional(table) ? ERR_NOT_FOUND : ERR_CORRUPT;
}

static bool table_add(struct store_txn *txn, enum store_table table, MDB_dbi *ret_table)
{
        struct lmdb_txn *lmdb = txn_of(txn);
        int rc = store_environment_add_table(lmdb->txn, table, &lmdb->tables[table]);
        if (rc)
                txn_stick_lmdb(txn, rc);
        else
                *ret_table = lmdb->tables[table];
        return !rc;
}

/* The table to write to, made where it may be missing; sticky errors come first. */
static bool table_for_write(struct store_txn *txn, enum store_table table, MDB_dbi *ret_table)
{
        if (txn->code)
                return false;
        int code = txn->write ? table_of(txn, table, ret_table) : ERR_USAGE;
        if (code == ERR_NOT_FOUND)
                return table_add(txn, table, ret_table);
        if (code)
                txn_stick(txn, code, 0);
        return !code;
}

static void lmdb_put(
    struct store_txn *txn, enum store_table table, struct store_key key, struct bytes value)
{
        uint8_t bytes[STORE_KEY_SIZE];
        MDB_dbi dbi;
        if (!table_for_write(txn, table, &dbi))
                return;
        store_key_encode(key, bytes);
        MDB_val name = {sizeof(bytes), bytes};
        MDB_val data = {value.size, (void *)(uintptr_t)value.data};
        txn_of(txn)->put_size += value.size;
        int rc = mdb_put(txn_of(txn)->txn, dbi, &name, &data, 0);
        if (rc)
                txn_stick_lmdb(txn, rc);
}

static bool key_is(const MDB_val *name, const uint8_t bytes[STORE_KEY_SIZE])
{
        return name->mv_size == STORE_KEY_SIZE && !memcmp(name->mv_data, bytes, STORE_KEY_SIZE);
}

/* Deletes from the front: seeking anew each time is safe whatever a deletion did to the pages. */
static int erase_range(
    MDB_cursor *cursor, struct store_key from, struct store_key to, uint64_t *ret_bytes)
{
        uint8_t first[STORE_KEY_SIZE], last[STORE_KEY_SIZE];
        store_key_encode(from, first);
        store_key_encode(to, last);
        for (;;) {
                MDB_val name = {sizeof(first), first}, value;
                int rc = mdb_cursor_get(cursor, &name, &value, MDB_SET_RANGE);
                if (rc)
                        return rc == MDB_NOTFOUND ? 0 : rc;
                if (name.mv_size != STORE_KEY_SIZE)
                        return MDB_CORRUPTED;
                if (memcmp(name.mv_data, last, STORE_KEY_SIZE) > 0)
                        return 0;
                *ret_bytes += value.mv_size;
                rc = mdb_cursor_del(cursor, 0);
                if (rc)
                        return rc;
        }
}

static void lmdb_erase(struct store_txn *txn, enum store_table table, struct store_key from,
    struct store_key to, uint64_t *ret_bytes)
{
        MDB_dbi dbi;
        MDB_cursor *cursor;
        uint64_t bytes = 0;
        if (!table_for_write(txn, table, &dbi))
                return;
        int rc = mdb_cursor_open(txn_of(txn)->txn, dbi, &cursor);
        if (!rc) {
                rc = erase_range(cursor, from, to, &bytes);
                mdb_cursor_close(cursor);
        }
        if (rc)
                txn_stick_lmdb(txn, rc);
        else if (ret_bytes)
                *ret_bytes += bytes;
}

static int lmdb_get(
    struct store_txn *txn, enum store_table table, struct store_key key, struct bytes *ret_value)
{
        uint8_t bytes[STORE_KEY_SIZE];
        MDB_dbi dbi;
        MDB_val name = {sizeof(bytes), bytes}, value;
        int r = table_of(txn, table, &dbi);
        if (r)
                return r;
        store_key_encode(key, bytes);
        int rc = mdb_get(txn_of(txn)->txn, dbi, &name, &value);
        if (rc)
                return store_code_of_lmdb(rc);
        *ret_value = (struct bytes){value.mv_data, value.mv_size};
        return 0;
}

/* Cursors */

static int cursor_take(struct store_cursor *cursor, const MDB_val *name, const MDB_val *value)
{
        if (name->mv_size != STORE_KEY_SIZE)
                return ERR_CORRUPT;
        cursor->key = store_key_decode(name->mv_data);
        cursor->value = (struct bytes){value->mv_data, value->mv_size};
        return 0;
}

static void lmdb_done(struct store_cursor *cursor)
{
        if (!cursor->handle)
                return;
        mdb_cursor_close(cursor->handle);
        txn_of(cursor->txn)->cursors--;
        cursor->handle = NULL;
}

static int cursor_place(MDB_cursor *cursor, bool back, uint8_t bytes[STORE_KEY_SIZE],
    MDB_val *ret_name, MDB_val *ret_value)
{
        *ret_name = (MDB_val){STORE_KEY_SIZE, bytes};
        int rc = mdb_cursor_get(cursor, ret_name, ret_value, MDB_SET_RANGE);
        if (!back || (!rc && key_is(ret_name, bytes)))
                return rc;
        if (rc && rc != MDB_NOTFOUND)
                return rc;
        return mdb_cursor_get(cursor, ret_name, ret_value, rc ? MDB_LAST : MDB_PREV);
}

static int cursor_open(struct store_txn *txn, enum store_table table, struct store_key key,
    bool back, struct store_cursor *ret_cursor)
{
        uint8_t bytes[STORE_KEY_SIZE];
        MDB_dbi dbi;
        MDB_cursor *handle;
        MDB_val name, value;
        *ret_cursor = (struct store_cursor){.txn = txn, .table = table};
        int r = table_of(txn, table, &dbi);
        if (r)
                return r;
        int rc = mdb_cursor_open(txn_of(txn)->txn, dbi, &handle);
        if (rc)
                return store_code_of_lmdb(rc);
        ret_cursor->handle = handle;
        txn_of(txn)->cursors++;
        store_key_encode(key, bytes);
        rc = cursor_place(handle, back, bytes, &name, &value);
        r = rc ? store_code_of_lmdb(rc) : cursor_take(ret_cursor, &name, &value);
        if (r)
                lmdb_done(ret_cursor);
        return r;
}

static int lmdb_seek(struct store_txn *txn, enum store_table table, struct store_key key,
    struct store_cursor *ret_cursor)
{
        return cursor_open(txn, table, key, false, ret_cursor);
}

static int lmdb_seek_back(struct store_txn *txn, enum store_table table, struct store_key key,
    struct store_cursor *ret_cursor)
{
        return cursor_open(txn, table, key, true, ret_cursor);
}

static int cursor_move(struct store_cursor *cursor, MDB_cursor_op step)
{
        MDB_val name, value;
        if (!cursor->handle)
                return ERR_NOT_FOUND;
        int rc = mdb_cursor_get(cursor->handle, &name, &value, step);
        return rc ? store_code_of_lmdb(rc) : cursor_take(cursor, &name, &value);
}

static int lmdb_next(struct store_cursor *cursor)
{
        return cursor_move(cursor, MDB_NEXT);
}

static int lmdb_prev(struct store_cursor *cursor)
{
        return cursor_move(cursor, MDB_PREV);
}

static int lmdb_recorders(
    const struct store_options *options, char ***ret_names, size_t *ret_count, struct error *error)
{
        return store_local_recorders(&store_lmdb, options, ret_names, ret_count, error);
}

const struct store_ops store_lmdb = {
    .name = "lmdb",
    .atomic = true,
    .open = store_lmdb_open,
    .close = store_lmdb_close,
    .uuid = store_lmdb_uuid,
    .recorder = store_lmdb_recorder,
    .recorders = lmdb_recorders,
    .days = store_lmdb_days,
    .begin = lmdb_begin,
    .put = lmdb_put,
    .add = store_local_add,
    .erase = lmdb_erase,
    .commit = lmdb_commit,
    .abort = lmdb_abort,
    .get = lmdb_get,
    .seek = lmdb_seek,
    .seek_back = lmdb_seek_back,
    .next = lmdb_next,
    .prev = lmdb_prev,
    .done = lmdb_done,
    .drop = store_lmdb_drop,
    .backup = store_lmdb_backup,
};
