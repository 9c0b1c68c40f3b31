/* The store in memory: named stores that live as long as the process, for tests and dry runs.
 *
 * A table is a sorted row of chunks, a chunk a sorted row of items. Tables, chunks and values are
 * counted by who refers to them; what has more than one is copied before it is changed. So a
 * transaction begins by taking references, a reader keeps what it began with, commit puts the
 * changed tables in place of the old ones and abort lets them go. One lock guards all counts. */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/internal.h"

#define CHUNK_ITEMS 128

struct value {
        unsigned references;
        size_t size;
        uint8_t data[];
};

struct item {
        struct store_key key;
        struct value *value;
};

struct chunk {
        unsigned references;
        size_t count; /* never 0 */
        struct item items[CHUNK_ITEMS];
};

struct table {
        unsigned references;
        size_t count;
        size_t capacity;
        struct chunk **chunks;
};

struct position {
        size_t chunk;
        size_t item;
};

struct place {
        uint32_t number;
        bool writing;
        struct table *tables[STORE_TABLES];
};

/* What a name stands for; found again by those who open it later. */
struct memory {
        struct memory *next;
        char *name;
        bool writer;
        size_t count;
        struct place **places; /* ascending */
};

struct memory_store {
        struct store store;
        struct store_info info;
        struct memory *memory;
        bool writer; /* holds the writer's lock */
        enum store_mode mode;
        struct place *writing;
};

struct memory_txn {
        struct place *place; /* of a writing one */
        struct table *tables[STORE_TABLES];
};

static pthread_mutex_t memories_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t place_free = PTHREAD_COND_INITIALIZER;
static struct memory *memories;

static struct memory_store *memory_of(struct store *store)
{
        return (struct memory_store *)store;
}

static int key_compare(struct store_key a, struct store_key b)
{
        if (a.stream != b.stream)
                return a.stream < b.stream ? -1 : 1;
        if (a.major != b.major)
                return a.major < b.major ? -1 : 1;
        return (a.minor > b.minor) - (a.minor < b.minor);
}

/* Counted things */

static struct value *value_new(struct bytes data)
{
        struct value *value = memory_new(sizeof(*value) + data.size);
        value->references = 1;
        value->size = data.size;
        if (data.size)
                memcpy(value->data, data.data, data.size);
        return value;
}

static void value_release(struct value *value)
{
        if (--value->references == 0)
                free(value);
}

static struct chunk *chunk_new(void)
{
        struct chunk *chunk = memory_new(sizeof(*chunk));
        chunk->references = 1;
        return chunk;
}

static void chunk_release(struct chunk *chunk)
{
        if (--chunk->references)
                return;
        for (size_t i = 0; i < chunk->count; i++)
                value_release(chunk->items[i].value);
        free(chunk);
}

static struct table *table_new(void)
{
        struct table *table = memory_new(sizeof(*table));
        table->references = 1;
        return table;
}

static void table_release(struct table *table)
{
        if (--table->references)
                return;
        for (size_t i = 0; i < table->count; i++)
                chunk_release(table->chunks[i]);
        free(table->chunks);
        free(table);
}

static struct table *table_own(struct table **table)
{
        if ((*table)->references == 1)
                return *table;
        struct table *copy = table_new();
        copy->count = copy->capacity = (*table)->count;
        copy->chunks = memory_new(copy->count * sizeof(*copy->chunks));
        for (size_t i = 0; i < copy->count; i++) {
                copy->chunks[i] = (*table)->chunks[i];
                copy->chunks[i]->references++;
        }
        (*table)->references--;
        *table = copy;
        return copy;
}

static struct chunk *chunk_own(struct table *table, size_t index)
{
        struct chunk *old = table->chunks[index];
        if (old->references == 1)
                return old;
        struct chunk *copy = chunk_new();
        copy->count = old->count;
        memcpy(copy->items, old->items, old->count * sizeof(*old->items));
        for (size_t i = 0; i < copy->count; i++)
                copy->items[i].value->references++;
        old->references--;
        table->chunks[index] = copy;
        return copy;
}

/* Tables */

static bool position_is_end(const struct table *table, struct position at)
{
        return at.chunk == table->count;
}

static const struct item *table_item(const struct table *table, struct position at)
{
        return &table->chunks[at.chunk]->items[at.item];
}

/* The first item whose key is not below @key; the end where there is none. */
static struct position table_find(const struct table *table, struct store_key key)
{
        struct position at = {0};
        size_t end = table->count;
        while (at.chunk < end) {
                size_t middle = at.chunk + (end - at.chunk) / 2;
                const struct chunk *chunk = table->chunks[middle];
                if (key_compare(chunk->items[chunk->count - 1].key, key) < 0)
                        at.chunk = middle + 1;
                else
                        end = middle;
        }
        end = position_is_end(table, at) ? 0 : table->chunks[at.chunk]->count;
        while (at.item < end) {
                size_t middle = at.item + (end - at.item) / 2;
                if (key_compare(table->chunks[at.chunk]->items[middle].key, key) < 0)
                        at.item = middle + 1;
                else
                        end = middle;
        }
        return at;
}

static bool table_has(const struct table *table, struct position at, struct store_key key)
{
        return !position_is_end(table, at) && !key_compare(table_item(table, at)->key, key);
}

static void chunk_insert(struct table *table, size_t index, struct chunk *chunk)
{
        if (table->count == table->capacity) {
                table->capacity = table->capacity ? table->capacity * 2 : 8;
                table->chunks =
                    memory_resize(table->chunks, table->capacity * sizeof(*table->chunks));
        }
        memmove(table->chunks + index + 1, table->chunks + index,
            (table->count - index) * sizeof(*table->chunks));
        table->chunks[index] = chunk;
        table->count++;
}

/* Make room at @at: a new chunk behind a full last one, else the upper half becomes its own. */
static struct position table_make_room(struct table *table, struct position at)
{
        if (position_is_end(table, at)) {
                if (!table->count || table->chunks[table->count - 1]->count == CHUNK_ITEMS) {
                        chunk_insert(table, table->count, chunk_new());
                        return (struct position){table->count - 1, 0};
                }
                return (struct position){table->count - 1, table->chunks[table->count - 1]->count};
        }
        struct chunk *chunk = chunk_own(table, at.chunk);
        if (chunk->count < CHUNK_ITEMS)
                return at;
        struct chunk *upper = chunk_new();
        upper->count = CHUNK_ITEMS / 2;
        chunk->count = CHUNK_ITEMS - upper->count;
        memcpy(upper->items, chunk->items + chunk->count, upper->count * sizeof(*upper->items));
        chunk_insert(table, at.chunk + 1, upper);
        if (at.item > chunk->count)
                return (struct position){at.chunk + 1, at.item - chunk->count};
        return at;
}

static void table_put(struct table *table, struct store_key key, struct bytes data)
{
        struct position at = table_find(table, key);
        struct value *value = value_new(data);
        if (table_has(table, at, key)) {
                struct item *item = &chunk_own(table, at.chunk)->items[at.item];
                value_release(item->value);
                item->value = value;
                return;
        }
        at = table_make_room(table, at);
        struct chunk *chunk = chunk_own(table, at.chunk);
        memmove(chunk->items + at.item + 1, chunk->items + at.item,
            (chunk->count - at.item) * sizeof(*chunk->items));
        chunk->items[at.item] = (struct item){key, value};
        chunk->count++;
}

static void table_remove(struct table *table, struct position at)
{
        struct chunk *chunk = chunk_own(table, at.chunk);
        value_release(chunk->items[at.item].value);
        chunk->count--;
        memmove(chunk->items + at.item, chunk->items + at.item + 1,
            (chunk->count - at.item) * sizeof(*chunk->items));
        if (chunk->count)
                return;
        chunk_release(chunk);
        table->count--;
        memmove(table->chunks + at.chunk, table->chunks + at.chunk + 1,
            (table->count - at.chunk) * sizeof(*table->chunks));
}

static uint64_t table_erase(struct table *table, struct store_key from, struct store_key to)
{
        uint64_t bytes = 0;
        for (;;) {
                struct position at = table_find(table, from);
                if (position_is_end(table, at) || key_compare(table_item(table, at)->key, to) > 0)
                        return bytes;
                bytes += table_item(table, at)->value->size;
                table_remove(table, at);
        }
}

/* Places */

static void tables_take(struct table *const from[STORE_TABLES], struct table *to[STORE_TABLES])
{
        for (unsigned i = 0; i < STORE_TABLES; i++) {
                to[i] = from[i];
                to[i]->references++;
        }
}

static void tables_release(struct table *tables[STORE_TABLES])
{
        for (unsigned i = 0; i < STORE_TABLES; i++)
                table_release(tables[i]);
}

/* The index of the first place not below @number. */
static size_t place_index(const struct memory *memory, uint32_t number)
{
        size_t i = 0;
        while (i < memory->count && memory->places[i]->number < number)
                i++;
        return i;
}

static struct place *place_find(const struct memory *memory, uint32_t number)
{
        size_t i = place_index(memory, number);
        return i < memory->count && memory->places[i]->number == number ? memory->places[i] : NULL;
}

static struct place *place_add(struct memory *memory, uint32_t number)
{
        size_t at = place_index(memory, number);
        struct place *place = memory_new(sizeof(*place));
        place->number = number;
        for (unsigned i = 0; i < STORE_TABLES; i++)
                place->tables[i] = table_new();
        memory->places =
            memory_resize(memory->places, (memory->count + 1) * sizeof(*memory->places));
        memmove(memory->places + at + 1, memory->places + at,
            (memory->count - at) * sizeof(*memory->places));
        memory->places[at] = place;
        memory->count++;
        return place;
}

static void place_remove(struct memory *memory, struct place *place)
{
        size_t at = place_index(memory, place->number);
        memory->count--;
        memmove(memory->places + at, memory->places + at + 1,
            (memory->count - at) * sizeof(*memory->places));
        tables_release(place->tables);
        free(place);
}

/* Open and close */

static struct memory *memory_find(const char *name)
{
        struct memory *memory = memories;
        while (memory && strcmp(memory->name, name))
                memory = memory->next;
        return memory;
}

static struct memory *memory_add(const char *name)
{
        struct memory *memory = memory_new(sizeof(*memory));
        memory->name = memory_text(name);
        memory->next = memories;
        memories = memory;
        return memory;
}

static int memory_create(
    const struct store_options *options, struct memory **ret_memory, struct error *error)
{
        struct store_info info;
        struct store_record records[STORE_INFO_RECORDS];
        int r = store_info_make(options, &info, error);
        if (r)
                return r;
        *ret_memory = memory_add(options->path);
        struct place *meta = place_add(*ret_memory, STORE_META);
        store_info_records(&info, records);
        for (unsigned i = 0; i < STORE_INFO_RECORDS; i++)
                table_put(meta->tables[STORE_INFO], records[i].key, records[i].value);
        return 0;
}

static int memory_attach(
    struct memory_store *self, const struct store_options *options, struct error *error)
{
        struct memory *memory = memory_find(options->path);
        if (!memory && options->mode != STORE_WRITE)
                return error_set(
                    error, ERR_NOT_FOUND, "store %s: there is none in memory", options->path);
        if (!memory) {
                int r = memory_create(options, &memory, error);
                if (r)
                        return r;
        }
        if (options->mode == STORE_WRITE && memory->writer)
                return error_set(
                    error, ERR_BUSY, "store %s is held by another writer", options->path);
        self->memory = memory;
        self->mode = options->mode;
        self->writer = options->mode == STORE_WRITE;
        memory->writer |= self->writer;
        return 0;
}

static void memory_store_close(struct store *store)
{
        struct memory_store *self = memory_of(store);
        assert(!self->writing);
        pthread_mutex_lock(&memories_lock);
        if (self->writer)
                self->memory->writer = false;
        pthread_mutex_unlock(&memories_lock);
        free(self);
}

static int memory_store_open(
    struct store **ret_store, const struct store_options *options, struct error *error)
{
        struct memory_store *self = memory_new(sizeof(*self));
        self->store.ops = &store_memory;
        pthread_mutex_lock(&memories_lock);
        int r = memory_attach(self, options, error);
        pthread_mutex_unlock(&memories_lock);
        if (r) {
                free(self);
                return r;
        }
        r = store_info_read(&self->store, options, &self->info, error);
        if (r)
                memory_store_close(&self->store);
        else
                *ret_store = &self->store;
        return r;
}

static const char *memory_uuid(struct store *store)
{
        return memory_of(store)->info.uuid;
}

static const char *memory_recorder(struct store *store)
{
        return memory_of(store)->info.recorder;
}

static int memory_days(struct store *store, uint32_t **ret_days, size_t *ret_count)
{
        const struct memory *memory = memory_of(store)->memory;
        pthread_mutex_lock(&memories_lock);
        uint32_t *days = memory_new(memory->count * sizeof(*days));
        size_t count = 0;
        for (size_t i = 0; i < memory->count; i++) {
                if (memory->places[i]->number != STORE_META)
                        days[count++] = memory->places[i]->number;
        }
        pthread_mutex_unlock(&memories_lock);
        *ret_days = days;
        *ret_count = count;
        return 0;
}

/* Transactions */

static int begin_check(
    const struct memory_store *self, uint32_t place, bool write, struct error *error)
{
        const char *name = self->memory->name;
        if (!store_place_is_valid(place))
                return error_set(
                    error, ERR_USAGE, "store %s: day %u is outside 1970..2200", name, place);
        if (write && self->mode == STORE_READ)
                return error_set(error, ERR_DENIED, "store %s was opened for reading only", name);
        if (write && self->writing)
                return error_set(error, ERR_BUSY,
                    "store %s: this handle already has a writing transaction", name);
        return 0;
}

/* The place, free for this writer; it may have been dropped while we waited. */
static struct place *place_hold(struct memory_store *self, uint32_t number, bool write)
{
        struct place *place;
        while ((place = place_find(self->memory, number)) && write && place->writing)
                pthread_cond_wait(&place_free, &memories_lock);
        if (!place && write && self->mode == STORE_WRITE)
                place = place_add(self->memory, number);
        if (place && write) {
                place->writing = true;
                self->writing = place;
        }
        return place;
}

static int memory_begin(
    struct store *store, uint32_t place, bool write, struct store_txn *ret_txn, struct error *error)
{
        struct memory_store *self = memory_of(store);
        char text[DAY_TEXT_SIZE];
        int r = begin_check(self, place, write, error);
        if (r)
                return r;
        struct memory_txn *txn = memory_new(sizeof(*txn));
        pthread_mutex_lock(&memories_lock);
        struct place *found = place_hold(self, place, write);
        if (found)
                tables_take(found->tables, txn->tables);
        pthread_mutex_unlock(&memories_lock);
        if (!found) {
                free(txn);
                return error_set(error, ERR_NOT_FOUND, "store %s/%s: not there", self->memory->name,
                    store_place_name(place, text));
        }
        txn->place = write ? found : NULL;
        *ret_txn =
            (struct store_txn){.store = store, .handle = txn, .place = place, .write = write};
        return 0;
}

/* A writing transaction leaves its tables in the place, or takes them away. */
static void txn_end(struct store_txn *txn, bool keep)
{
        struct memory_txn *memory = txn->handle;
        pthread_mutex_lock(&memories_lock);
        if (keep) {
                struct table *old[STORE_TABLES];
                memcpy(old, memory->place->tables, sizeof(old));
                memcpy(memory->place->tables, memory->tables, sizeof(old));
                memcpy(memory->tables, old, sizeof(old));
        }
        tables_release(memory->tables);
        if (txn->write) {
                memory->place->writing = false;
                memory_of(txn->store)->writing = NULL;
                pthread_cond_broadcast(&place_free);
        }
        pthread_mutex_unlock(&memories_lock);
        free(memory);
        txn->handle = NULL;
}

static void memory_abort(struct store_txn *txn)
{
        txn_end(txn, false);
}

static int memory_commit(struct store_txn *txn, struct error *error)
{
        int code = txn->code;
        txn_end(txn, txn->write && !code);
        return code
            ? error_set(error, code, "store: the transaction had failed: %s", error_name(code))
            : 0;
}

static struct table *table_of(const struct store_txn *txn, enum store_table table)
{
        const struct memory_txn *memory = txn->handle;
        assert(store_table_is_meta(table) == (txn->place == STORE_META));
        return memory->tables[table];
}

/* The transaction's own table, with the lock held; NULL where an error is sticky. */
static struct table *table_lock(struct store_txn *txn, enum store_table table)
{
        struct memory_txn *memory = txn->handle;
        if (!txn->write && !txn->code)
                txn->code = ERR_USAGE;
        if (txn->code)
                return NULL;
        table_of(txn, table);
        pthread_mutex_lock(&memories_lock);
        return table_own(&memory->tables[table]);
}

static void memory_put(
    struct store_txn *txn, enum store_table table, struct store_key key, struct bytes value)
{
        struct table *own = table_lock(txn, table);
        if (!own)
                return;
        table_put(own, key, value);
        pthread_mutex_unlock(&memories_lock);
}

static void memory_erase(struct store_txn *txn, enum store_table table, struct store_key from,
    struct store_key to, uint64_t *ret_bytes)
{
        struct table *own = table_lock(txn, table);
        if (!own)
                return;
        uint64_t bytes = table_erase(own, from, to);
        pthread_mutex_unlock(&memories_lock);
        if (ret_bytes)
                *ret_bytes += bytes;
}

static struct bytes item_value(const struct item *item)
{
        return (struct bytes){item->value->data, item->value->size};
}

static int memory_get(
    struct store_txn *txn, enum store_table table, struct store_key key, struct bytes *ret_value)
{
        const struct table *from = table_of(txn, table);
        struct position at = table_find(from, key);
        if (!table_has(from, at, key))
                return ERR_NOT_FOUND;
        *ret_value = item_value(table_item(from, at));
        return 0;
}

/* Cursors: a cursor is its key, so that changes of the table cannot mislead it. */

static int cursor_take(struct store_cursor *cursor, const struct item *item)
{
        cursor->key = item->key;
        cursor->value = item_value(item);
        return 0;
}

static int cursor_to(struct store_cursor *cursor, struct position at)
{
        const struct table *table = table_of(cursor->txn, cursor->table);
        if (position_is_end(table, at))
                return ERR_NOT_FOUND;
        return cursor_take(cursor, table_item(table, at));
}

/* To the item before @at. */
static int cursor_to_previous(struct store_cursor *cursor, struct position at)
{
        const struct table *table = table_of(cursor->txn, cursor->table);
        if (at.item)
                at.item--;
        else if (!at.chunk)
                return ERR_NOT_FOUND;
        else
                at = (struct position){at.chunk - 1, table->chunks[at.chunk - 1]->count - 1};
        return cursor_take(cursor, table_item(table, at));
}

static void memory_done(struct store_cursor *cursor)
{
        cursor->handle = NULL;
}

static int memory_seek(struct store_txn *txn, enum store_table table, struct store_key key,
    struct store_cursor *ret_cursor)
{
        *ret_cursor = (struct store_cursor){.txn = txn, .table = table};
        int r = cursor_to(ret_cursor, table_find(table_of(txn, table), key));
        ret_cursor->handle = r ? NULL : txn;
        return r;
}

static int memory_seek_back(struct store_txn *txn, enum store_table table, struct store_key key,
    struct store_cursor *ret_cursor)
{
        const struct table *from = table_of(txn, table);
        struct position at = table_find(from, key);
        *ret_cursor = (struct store_cursor){.txn = txn, .table = table};
        int r = table_has(from, at, key) ? cursor_to(ret_cursor, at)
                                         : cursor_to_previous(ret_cursor, at);
        ret_cursor->handle = r ? NULL : txn;
        return r;
}

static int memory_next(struct store_cursor *cursor)
{
        if (!cursor->handle)
                return ERR_NOT_FOUND;
        const struct table *table = table_of(cursor->txn, cursor->table);
        struct position at = table_find(table, cursor->key);
        if (table_has(table, at, cursor->key) && ++at.item == table->chunks[at.chunk]->count)
                at = (struct position){at.chunk + 1, 0};
        return cursor_to(cursor, at);
}

static int memory_prev(struct store_cursor *cursor)
{
        if (!cursor->handle)
                return ERR_NOT_FOUND;
        const struct table *table = table_of(cursor->txn, cursor->table);
        return cursor_to_previous(cursor, table_find(table, cursor->key));
}

/* Drop and backup */

static int memory_drop(struct store *store, uint32_t day, struct error *error)
{
        struct memory_store *self = memory_of(store);
        const char *name = self->memory->name;
        char text[DAY_TEXT_SIZE];
        if (day == STORE_META || !store_place_is_valid(day))
                return error_set(error, ERR_USAGE, "store %s: %u is no day", name, day);
        if (self->mode == STORE_READ)
                return error_set(error, ERR_DENIED, "store %s was opened for reading only", name);
        pthread_mutex_lock(&memories_lock);
        struct place *place = place_find(self->memory, day);
        int r = !place ? ERR_NOT_FOUND : place->writing ? ERR_BUSY : 0;
        if (!r)
                place_remove(self->memory, place);
        pthread_mutex_unlock(&memories_lock);
        if (r)
                return error_set(
                    error, r, "store %s/%s: %s", name, day_format(day, text), error_name(r));
        return 0;
}

static void memory_copy(const struct memory *from, struct memory *to)
{
        for (size_t i = 0; i < from->count; i++) {
                struct place *place = place_add(to, from->places[i]->number);
                tables_release(place->tables);
                tables_take(from->places[i]->tables, place->tables);
        }
}

static int memory_backup(struct store *store, const char *path, struct error *error)
{
        pthread_mutex_lock(&memories_lock);
        bool taken = memory_find(path);
        if (!taken)
                memory_copy(memory_of(store)->memory, memory_add(path));
        pthread_mutex_unlock(&memories_lock);
        return taken ? error_set(error, ERR_USAGE, "backup %s: the name is taken", path) : 0;
}

static int memory_recorders(
    const struct store_options *options, char ***ret_names, size_t *ret_count, struct error *error)
{
        return store_local_recorders(&store_memory, options, ret_names, ret_count, error);
}

const struct store_ops store_memory = {
    .name = "memory",
    .atomic = true,
    .open = memory_store_open,
    .close = memory_store_close,
    .uuid = memory_uuid,
    .recorder = memory_recorder,
    .recorders = memory_recorders,
    .days = memory_days,
    .begin = memory_begin,
    .put = memory_put,
    .add = store_local_add,
    .erase = memory_erase,
    .commit = memory_commit,
    .abort = memory_abort,
    .get = memory_get,
    .seek = memory_seek,
    .seek_back = memory_seek_back,
    .next = memory_next,
    .prev = memory_prev,
    .done = memory_done,
    .drop = memory_drop,
    .backup = memory_backup,
};
