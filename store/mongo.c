/* A MongoDB database as a store: the functions of struct store_ops. What is where is drawn in
 * schema/mongodb.md; the files beside this one do the parts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/mongo_internal.h"

/* ---- opening ---- */

static int open_client(
    const struct store_options *options, struct mongo **ret_mongo, struct error *error)
{
        struct mongo_options client = {.uri = options->path,
            .database = options->database ? options->database : "orderbooks",
            .password = options->password};
        return mongo_open(ret_mongo, &client, error);
}

/* The name to open: the one that was given, else the only one that is there. */
static int choose_recorder(struct mongo_store *self, const struct store_options *options,
    char ret_name[STORE_RECORDER_SIZE], struct error *error)
{
        char **names;
        size_t count;
        if (options->recorder || options->mode == STORE_WRITE)
                return 0; /* store_info_make looks at it */
        int code = mongo_recorder_names(self->mongo, &names, &count, error);
        if (code)
                return code;
        if (!count)
                code = error_set(error, ERR_NOT_FOUND, "MongoDB %s: no recorder has written there",
                    mongo_label(self->mongo));
        else if (count > 1)
                code = error_set(error, ERR_USAGE,
                    "MongoDB %s: it holds %zu recorders ('%.64s', '%.64s' ...): name one",
                    mongo_label(self->mongo), count, names[0], names[1]);
        else
                snprintf(ret_name, STORE_RECORDER_SIZE, "%s", names[0]);
        while (count)
                free(names[--count]);
        free(names);
        return code;
}

/* INFO as every store has it, each time anew: the same values. */
static int write_info(struct mongo_store *self, struct error *error)
{
        struct store_record records[STORE_INFO_RECORDS];
        struct store_txn txn;
        store_info_records(&self->info, records);
        int code = self->store.ops->begin(&self->store, STORE_META, true, &txn, error);
        if (code)
                return code;
        for (unsigned i = 0; i < STORE_INFO_RECORDS; i++)
                self->store.ops->put(&txn, STORE_INFO, records[i].key, records[i].value);
        return self->store.ops->commit(&txn, error);
}

/* A new recorder has no INFO yet; one that was made by halves gets it now. */
static int open_info(
    struct mongo_store *self, const struct store_options *options, struct error *error)
{
        struct store_options told = *options;
        struct store_txn txn;
        struct bytes value;
        told.path = mongo_label(self->mongo);
        int code = self->store.ops->begin(&self->store, STORE_META, false, &txn, error);
        if (!code) {
                code = self->store.ops->get(
                    &txn, STORE_INFO, (struct store_key){0, STORE_INFO_RECORDS, 0}, &value);
                self->store.ops->abort(&txn);
        }
        if (code == ERR_NOT_FOUND && options->mode == STORE_WRITE)
                code = write_info(self, error);
        return code ? code : store_info_read(&self->store, &told, &self->info, error);
}

static int open_recorder(
    struct mongo_store *self, const struct store_options *options, struct error *error)
{
        struct store_options chosen = *options;
        char name[STORE_RECORDER_SIZE];
        int code = choose_recorder(self, options, name, error);
        if (!options->recorder && options->mode != STORE_WRITE)
                chosen.recorder = name;
        code = code ? code : store_info_make(&chosen, &self->info, error);
        if (code)
                return code;
        store_uuid_make(self->holder);
        mongo_recorder_id(self->info.recorder, self->recorder_id);
        code = mongo_recorder_open(self, options, error);
        if (code)
                return code;
        if (options->mode == STORE_WRITE)
                code = mongo_schema_apply(self->mongo, error);
        code = code ? code : open_info(self, &chosen, error);
        if (code && options->mode == STORE_WRITE)
                mongo_lease_release(self);
        return code;
}

static void mongo_store_free(struct mongo_store *self)
{
        mongo_close(self->mongo);
        free(self->identity);
        free(self->days);
        free(self->kinds);
        free(self);
}

static int mongo_store_open(
    struct store **ret_store, const struct store_options *options, struct error *error)
{
        struct mongo_store *self = memory_new(sizeof(*self));
        self->store.ops = &store_mongo;
        self->mode = options->mode;
        self->describe_cb = options->describe_cb;
        self->user = options->user;
        self->identity = options->identity ? memory_text(options->identity) : NULL;
        int code = open_client(options, &self->mongo, error);
        if (!code)
                code = open_recorder(self, options, error);
        if (code) {
                mongo_store_free(self);
                return code;
        }
        *ret_store = &self->store;
        return 0;
}

static void mongo_store_close(struct store *store)
{
        struct mongo_store *self = mongo_of(store);
        if (self->mode == STORE_WRITE)
                mongo_lease_release(self);
        mongo_store_free(self);
}

static const char *mongo_uuid(struct store *store)
{
        return mongo_of(store)->info.uuid;
}

static const char *mongo_recorder(struct store *store)
{
        return mongo_of(store)->info.recorder;
}

static int mongo_recorders(
    const struct store_options *options, char ***ret_names, size_t *ret_count, struct error *error)
{
        struct mongo *mongo;
        int code = open_client(options, &mongo, error);
        if (code)
                return code;
        code = mongo_recorder_names(mongo, ret_names, ret_count, error);
        mongo_close(mongo);
        return code;
}

/* ---- days ---- */

static bool has_day(const struct mongo_store *self, uint32_t day)
{
        for (size_t i = 0; i < self->day_count; i++) {
                if (self->days[i] == day)
                        return true;
        }
        return false;
}

/* ERR_NOT_FOUND: also its newest word names no such day. */
static int find_day(struct mongo_store *self, uint32_t place, struct error *error)
{
        char name[DAY_TEXT_SIZE];
        if (place == STORE_META || has_day(self, place))
                return 0;
        int code = mongo_recorder_read(self, error);
        if (!code && !has_day(self, place))
                code = error_set(error, ERR_NOT_FOUND, "MongoDB %s: recorder '%s' has no day %s",
                    mongo_label(self->mongo), self->info.recorder, store_place_name(place, name));
        return code;
}

static int mongo_days(struct store *store, uint32_t **ret_days, size_t *ret_count)
{
        struct mongo_store *self = mongo_of(store);
        int code = mongo_recorder_read(self, NULL);
        if (code)
                return code;
        *ret_days = memory_new((self->day_count + 1) * sizeof(uint32_t));
        for (size_t i = 0; i < self->day_count; i++)
                (*ret_days)[i] = self->days[i];
        *ret_count = self->day_count;
        return 0;
}

static int mongo_drop(struct store *store, uint32_t day, struct error *error)
{
        struct mongo_store *self = mongo_of(store);
        if (self->mode == STORE_READ)
                return error_set(error, ERR_DENIED, "it was opened to read");
        if (day == STORE_META || (self->writing && self->writing_place == day))
                return error_set(error, day == STORE_META ? ERR_USAGE : ERR_BUSY,
                    day == STORE_META ? "meta is no day" : "the day is written to");
        int code = mongo_recorder_read(self, error);
        code = code ? code : find_day(self, day, error);
        code = code ? code : mongo_delete_day(self, day, error);
        code = code ? code : mongo_recorder_drop_day(self, day, error);
        return code ? code : mongo_recorder_read(self, error);
}

static int mongo_backup(struct store *store, const char *path, struct error *error)
{
        (void)store;
        return error_set(error, ERR_USAGE,
            "backup %s: a database is saved by mongodump, or copied into a store on this machine "
            "by obrebuild pull",
            path);
}

/* ---- transactions ---- */

static int mongo_begin(
    struct store *store, uint32_t place, bool write, struct store_txn *ret_txn, struct error *error)
{
        struct mongo_store *self = mongo_of(store);
        bool makes_days = self->mode == STORE_WRITE;
        if (write && (self->writing || self->mode == STORE_READ))
                return error_set(error, self->writing ? ERR_BUSY : ERR_DENIED,
                    self->writing ? "a writing transaction is under way" : "opened to read");
        int code = write && makes_days ? 0 : find_day(self, place, error);
        if (code || !store_place_is_valid(place))
                return code ? code : error_set(error, ERR_USAGE, "day %u: there is none", place);
        struct mongo_txn *own = memory_new(sizeof(*own));
        buffer_init(&own->arena, MONGO_PENDING_SIZE);
        *ret_txn =
            (struct store_txn){.store = store, .handle = own, .place = place, .write = write};
        self->writing = self->writing || write;
        self->writing_place = write ? place : self->writing_place;
        return 0;
}

static void mongo_abort(struct store_txn *txn)
{
        struct mongo_txn *own = mongo_txn_of(txn);
        if (txn->write)
                mongo_of(txn->store)->writing = false;
        for (unsigned i = 0; i < MONGO_GETS; i++)
                free(own->gets[i].data);
        buffer_deinit(&own->arena);
        free(own->pending);
        free(own);
}

static struct mongo_pending *pending_new(
    struct store_txn *txn, enum mongo_change change, enum store_table table, struct store_key key)
{
        struct mongo_txn *own = mongo_txn_of(txn);
        if (!txn->write && !txn->code)
                txn->code = ERR_USAGE;
        if (txn->code)
                return NULL;
        if (own->count == own->capacity) {
                own->capacity = own->capacity ? 2 * own->capacity : 64;
                own->pending =
                    memory_resize(own->pending, own->capacity * sizeof(struct mongo_pending));
        }
        struct mongo_pending *pending = &own->pending[own->count++];
        *pending = (struct mongo_pending){.change = change, .table = table, .key = key};
        return pending;
}

static void keep_value(struct store_txn *txn, enum mongo_change change, enum store_table table,
    struct store_key key, struct bytes value)
{
        struct mongo_txn *own = mongo_txn_of(txn);
        struct mongo_pending *pending = pending_new(txn, change, table, key);
        if (!pending)
                return;
        pending->offset = own->arena.size;
        pending->size = value.size;
        if (value.size > MONGO_VALUE_SIZE)
                own->arena.failed = true;
        buffer_append(&own->arena, value.data, value.size);
        if (own->arena.failed)
                txn->code = ERR_FULL;
}

static void mongo_put(
    struct store_txn *txn, enum store_table table, struct store_key key, struct bytes value)
{
        keep_value(txn, CHANGE_PUT, table, key, value);
}

static void mongo_add(
    struct store_txn *txn, enum store_table table, struct store_key key, struct bytes value)
{
        keep_value(txn, CHANGE_ADD, table, key, value);
}

/* Count the bytes that the values of a range take now. */
static int sum_range(struct store_txn *txn, enum store_table table, struct store_key from,
    struct store_key to, uint64_t *ret_bytes)
{
        struct store_cursor cursor;
        uint64_t bytes = 0;
        int code = mongo_seek(txn, table, from, &cursor);
        while (!code) {
                uint8_t here[STORE_KEY_SIZE], end[STORE_KEY_SIZE];
                store_key_encode(cursor.key, here);
                store_key_encode(to, end);
                if (memcmp(here, end, STORE_KEY_SIZE) > 0)
                        break;
                bytes += cursor.value.size;
                code = mongo_next(&cursor);
        }
        mongo_done(&cursor);
        *ret_bytes += bytes;
        return code == ERR_NOT_FOUND ? 0 : code;
}

static void mongo_erase(struct store_txn *txn, enum store_table table, struct store_key from,
    struct store_key to, uint64_t *ret_bytes)
{
        struct mongo_pending *pending = pending_new(txn, CHANGE_ERASE, table, from);
        if (!pending)
                return;
        pending->to = to;
        if (ret_bytes)
                txn->code = sum_range(txn, table, from, to, ret_bytes);
}

static int commit_all(struct store_txn *txn, struct error *error)
{
        struct mongo_store *self = mongo_of(txn->store);
        int code = mongo_lease_renew(self, error);
        if (!code && txn->place != STORE_META && !has_day(self, txn->place))
                code = self->mode == STORE_WRITE ? mongo_recorder_add_day(self, txn->place, error)
                                                 : ERR_NOT_FOUND;
        return code ? code : mongo_commit_pending(txn, error);
}

static int mongo_commit(struct store_txn *txn, struct error *error)
{
        int code = txn->code;
        if (code)
                error_set(error, code, "MongoDB %s: %s", mongo_label(mongo_of(txn->store)->mongo),
                    mongo_txn_of(txn)->error.code ? mongo_txn_of(txn)->error.text
                                                  : error_name(code));
        else
                code = commit_all(txn, error);
        mongo_abort(txn);
        return code;
}

const struct store_ops store_mongo = {
    .name = "mongodb",
    .atomic = false,
    .open = mongo_store_open,
    .close = mongo_store_close,
    .uuid = mongo_uuid,
    .recorder = mongo_recorder,
    .recorders = mongo_recorders,
    .days = mongo_days,
    .begin = mongo_begin,
    .put = mongo_put,
    .add = mongo_add,
    .erase = mongo_erase,
    .commit = mongo_commit,
    .abort = mongo_abort,
    .get = mongo_get,
    .seek = mongo_seek,
    .seek_back = mongo_seek_back,
    .next = mongo_next,
    .prev = mongo_prev,
    .done = mongo_done,
    .drop = mongo_drop,
    .backup = mongo_backup,
};
