/* Finding values: a cursor holds a window of records, nearest first, and asks for the next one.
 *
 * A question is a range of _id within (recorder, day), bounded on both sides: near the key first,
 * and wider where nothing is found. Frames lie in several collections; what each of them has
 * nearest is sorted together. */
#include <stdlib.h>
#include <string.h>

#include <bson/bson.h>

#include "base/clock.h"
#include "store/mongo_internal.h"

#define WINDOW_MAX 32
#define WINDOW_BYTES (8u << 20) /* no more is asked for at once where records were large */
#define KIND_TABLE_MAX 65536

struct window {
        struct mongo_record records[WINDOW_MAX * MONGO_PARTS_MAX];
        unsigned count, at;
        unsigned limit; /* of the next question: grows while a cursor goes on */
        enum store_table table;
};

static void record_free(struct mongo_record *record)
{
        free(record->data);
        *record = (struct mongo_record){0};
}

static void window_clear(struct window *window)
{
        for (unsigned i = 0; i < window->count; i++)
                record_free(&window->records[i]);
        window->count = window->at = 0;
}

static int key_compare(struct store_key a, struct store_key b)
{
        if (a.stream != b.stream)
                return a.stream < b.stream ? -1 : 1;
        if (a.major != b.major)
                return a.major < b.major ? -1 : 1;
        return (a.minor > b.minor) - (a.minor < b.minor);
}

static int compare_up(const void *a, const void *b)
{
        const struct mongo_record *left = a, *right = b;
        return key_compare(left->key, right->key);
}

static int compare_down(const void *a, const void *b)
{
        return compare_up(b, a);
}

/* ---- one question ---- */

static void range_filter(
    const struct store_txn *txn, struct store_key low, struct store_key high, bson_t *filter)
{
        const struct mongo_store *self = mongo_of(txn->store);
        char from[MONGO_ID_SIZE], to[MONGO_ID_SIZE];
        bson_t range;
        mongo_key_id(self, txn->place, low, from);
        mongo_key_id(self, txn->place, high, to);
        bson_init(filter);
        mongo_filter_place(self, txn->place, filter);
        BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &range);
        BSON_APPEND_UTF8(&range, "$gte", from);
        BSON_APPEND_UTF8(&range, "$lte", to);
        bson_append_document_end(filter, &range);
}

static void range_options(bool back, unsigned limit, bson_t *opts)
{
        bson_t sort;
        bson_init(opts);
        BSON_APPEND_DOCUMENT_BEGIN(opts, "sort", &sort);
        BSON_APPEND_INT32(&sort, "_id", back ? -1 : 1);
        bson_append_document_end(opts, &sort);
        BSON_APPEND_INT64(opts, "limit", limit);
}

static int take_documents(struct store_txn *txn, const char *collection,
    struct mongo_cursor *cursor, struct window *window)
{
        struct mongo_store *self = mongo_of(txn->store);
        char place_id[MONGO_ID_SIZE];
        const bson_t *document;
        size_t bytes = 0;
        int code = 0;
        mongo_place_id(self, txn->place, place_id);
        for (unsigned i = 0; i < window->limit && !code; i++) {
                struct error *error = &mongo_txn_of(txn)->error;
                struct mongo_record *record = &window->records[window->count];
                code = mongo_cursor_next(cursor, &document, error);
                if (!code)
                        code = mongo_document_read(
                            self, collection, place_id, document, record, error);
                window->count += !code;
                bytes += code ? 0 : record->size;
                if (bytes > WINDOW_BYTES) /* the others are asked for next */
                        window->limit = i + 1;
        }
        return code == ERR_NOT_FOUND ? 0 : code;
}

static int ask_collection(struct store_txn *txn, const char *collection, const bson_t *filter,
    const bson_t *opts, struct window *window)
{
        struct mongo_cursor *cursor;
        mongo_find(mongo_of(txn->store)->mongo, collection, filter, opts, &cursor);
        int code = take_documents(txn, collection, cursor, window);
        mongo_cursor_done(cursor);
        return code;
}

/* Which collections a range of frames can lie in: those of one stream only in its own. */
static unsigned collections_of(struct store_txn *txn, enum store_table table, struct store_key low,
    struct store_key high, const char *ret_names[MONGO_PARTS_MAX]);

static int ask(struct store_txn *txn, struct window *window, struct store_key low,
    struct store_key high, bool back)
{
        const char *names[MONGO_PARTS_MAX];
        bson_t filter, opts;
        int code = 0;
        unsigned count = collections_of(txn, window->table, low, high, names);
        window_clear(window);
        range_filter(txn, low, high, &filter);
        range_options(back, window->limit, &opts);
        for (unsigned i = 0; i < count && !code; i++)
                code = ask_collection(txn, names[i], &filter, &opts, window);
        bson_destroy(&filter);
        bson_destroy(&opts);
        qsort(window->records, window->count, sizeof(window->records[0]),
            back ? compare_down : compare_up);
        for (; window->count > window->limit; window->count--)
                record_free(&window->records[window->count - 1]);
        return code;
}

/* The far end of the @step-th look from @key; false: there is none any more. */
static bool far_end(enum store_table table, struct store_key key, bool back, unsigned step,
    struct store_key *ret_end)
{
        int64_t first = mongo_width(table, 0), far = back ? INT64_MIN : INT64_MAX;
        unsigned streams = first > 0 ? 2 : 0; /* the look that takes the whole stream */
        bool all = first < 0 || step > streams;
        if (step > streams + 1 || (first < 0 && step))
                return false;
        *ret_end = (struct store_key){back ? 0 : UINT32_MAX, far, back ? 0 : UINT64_MAX};
        if (all)
                return true;
        ret_end->stream = key.stream;
        if (step < streams &&
            (back ? __builtin_sub_overflow(key.major, mongo_width(table, step), &ret_end->major)
                  : __builtin_add_overflow(key.major, mongo_width(table, step), &ret_end->major)))
                ret_end->major = far;
        return true;
}

/* Fill the window with what lies nearest to @key, itself included. ERR_NOT_FOUND: nothing. */
static int look(struct store_txn *txn, struct window *window, struct store_key key, bool back)
{
        struct store_key end;
        for (unsigned step = 0; far_end(window->table, key, back, step, &end); step++) {
                int code = ask(txn, window, back ? end : key, back ? key : end, back);
                if (code || window->count)
                        return code;
        }
        return ERR_NOT_FOUND;
}

/* ---- which streams are trades ---- */

static int read_kind(struct store_txn *txn, uint32_t stream, struct mongo_kind *ret_kind)
{
        struct mongo_store *self = mongo_of(txn->store);
        char id[MONGO_ID_SIZE];
        bson_t filter = BSON_INITIALIZER;
        struct mongo_cursor *cursor;
        const bson_t *document;
        bson_iter_t iter;
        mongo_key_id(self, STORE_META, (struct store_key){stream, 0, 0}, id);
        BSON_APPEND_UTF8(&filter, "_id", id);
        mongo_find(self->mongo, "streams", &filter, NULL, &cursor);
        int code = mongo_cursor_next(cursor, &document, &mongo_txn_of(txn)->error);
        if (!code && bson_iter_init_find(&iter, document, "kind") && BSON_ITER_HOLDS_UTF8(&iter))
                *ret_kind =
                    (struct mongo_kind){stream, !strcmp(bson_iter_utf8(&iter, NULL), "trades")};
        else if (!code)
                code = ERR_NOT_FOUND;
        mongo_cursor_done(cursor);
        bson_destroy(&filter);
        return code;
}

static const struct mongo_kind *kind_of(struct store_txn *txn, uint32_t stream)
{
        struct mongo_store *self = mongo_of(txn->store);
        struct mongo_kind kind;
        for (size_t i = 0; i < self->kind_count; i++) {
                if (self->kinds[i].stream == stream)
                        return &self->kinds[i];
        }
        if (self->kind_count == KIND_TABLE_MAX || read_kind(txn, stream, &kind))
                return NULL;
        self->kinds = memory_resize(self->kinds, (self->kind_count + 1) * sizeof(kind));
        self->kinds[self->kind_count] = kind;
        return &self->kinds[self->kind_count++];
}

static unsigned collections_of(struct store_txn *txn, enum store_table table, struct store_key low,
    struct store_key high, const char *ret_names[MONGO_PARTS_MAX])
{
        unsigned count = mongo_collections(table, ret_names);
        const struct mongo_kind *kind =
            count > 1 && low.stream == high.stream ? kind_of(txn, low.stream) : NULL;
        if (!kind)
                return count;
        if (kind->trades)
                ret_names[0] = ret_names[count - 1];
        return kind->trades ? 1 : count - 1;
}

/* ---- the functions of a store ---- */

int mongo_get(
    struct store_txn *txn, enum store_table table, struct store_key key, struct bytes *ret_value)
{
        struct mongo_txn *own = mongo_txn_of(txn);
        struct window window = {.limit = 1, .table = table};
        struct mongo_record *kept = &own->gets[own->next_get];
        int code = ask(txn, &window, key, key, false);
        if (!code && !window.count)
                code = ERR_NOT_FOUND;
        if (!code) {
                record_free(kept);
                *kept = window.records[0];
                own->next_get = (own->next_get + 1) % MONGO_GETS;
                *ret_value = (struct bytes){kept->data, kept->size};
                window.count = 0;
        }
        window_clear(&window);
        return code;
}

static void cursor_stand(struct store_cursor *cursor)
{
        const struct window *window = cursor->handle;
        const struct mongo_record *record = &window->records[window->at];
        cursor->key = record->key;
        cursor->value = (struct bytes){record->data, record->size};
}

static int cursor_begin(struct store_txn *txn, enum store_table table, struct store_key key,
    bool back, struct store_cursor *ret_cursor)
{
        struct window *window = memory_new(sizeof(*window));
        window->limit = 1;
        window->table = table;
        *ret_cursor = (struct store_cursor){.txn = txn, .table = table, .handle = window};
        int code = look(txn, window, key, back);
        if (!code)
                cursor_stand(ret_cursor);
        return code;
}

int mongo_seek(struct store_txn *txn, enum store_table table, struct store_key key,
    struct store_cursor *ret_cursor)
{
        return cursor_begin(txn, table, key, false, ret_cursor);
}

int mongo_seek_back(struct store_txn *txn, enum store_table table, struct store_key key,
    struct store_cursor *ret_cursor)
{
        return cursor_begin(txn, table, key, true, ret_cursor);
}

/* The key right after (or before) @key. false: there can be none. */
static bool key_beside(struct store_key *key, bool back)
{
        uint64_t end = back ? 0 : UINT64_MAX;
        int64_t far = back ? INT64_MIN : INT64_MAX;
        int step = back ? -1 : 1;
        if (key->minor != end) {
                key->minor += (uint64_t)step;
                return true;
        }
        key->minor = UINT64_MAX - end;
        if (key->major != far) {
                key->major += step;
                return true;
        }
        key->major = back ? INT64_MAX : INT64_MIN;
        if (key->stream == (back ? 0 : UINT32_MAX))
                return false;
        key->stream += (uint32_t)step;
        return true;
}

/* A window that was filled going back has its records in falling order. */
static bool falls(const struct window *window)
{
        return window->count > 1 && key_compare(window->records[0].key, window->records[1].key) > 0;
}

static unsigned next_limit(const struct window *window)
{
        size_t bytes = 0;
        unsigned limit = window->limit < WINDOW_MAX ? window->limit * 2 : WINDOW_MAX;
        for (unsigned i = 0; i < window->count; i++)
                bytes += window->records[i].size;
        size_t each = window->count ? bytes / window->count + 1 : 1;
        unsigned fitting = (unsigned)(WINDOW_BYTES / each);
        return fitting < 1 ? 1 : limit < fitting ? limit : fitting;
}

static int cursor_move(struct store_cursor *cursor, bool back)
{
        struct window *window = cursor->handle, *next;
        bool within = falls(window) == back;
        if (!window->count)
                return ERR_NOT_FOUND;
        if (within ? window->at + 1 < window->count : window->at > 0) {
                window->at += within ? 1 : -1u;
                cursor_stand(cursor);
                return 0;
        }
        struct store_key key = cursor->key;
        if (!key_beside(&key, back))
                return ERR_NOT_FOUND;
        next = memory_new(sizeof(*next));
        next->limit = next_limit(window);
        next->table = window->table;
        int code = look(cursor->txn, next, key, back);
        struct window *gone = code ? next : window; /* a move that fails leaves the cursor there */
        window_clear(gone);
        free(gone);
        if (code)
                return code;
        cursor->handle = next;
        cursor_stand(cursor);
        return 0;
}

int mongo_next(struct store_cursor *cursor)
{
        return cursor_move(cursor, false);
}

int mongo_prev(struct store_cursor *cursor)
{
        return cursor_move(cursor, true);
}

void mongo_done(struct store_cursor *cursor)
{
        struct window *window = cursor->handle;
        if (!window)
                return;
        window_clear(window);
        free(window);
        cursor->handle = NULL;
}
