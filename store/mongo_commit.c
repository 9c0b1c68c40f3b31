/* What a transaction holds, sent: first all that is added, a bulk a collection, in any order, since
 * nothing tells of it yet; then what is put and erased, in its order. Each can be sent again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bson/bson.h>

#include "store/layout.h"
#include "store/mongo_internal.h"

#define BULK_BYTES (8u << 20)
#define BULK_DOCUMENTS 1000

struct outgoing {
        const char *collection;
        bson_t *document; /* it cannot be moved */
        bool sent;
};

struct outgoings {
        struct outgoing *list;
        size_t count, capacity;
};

static struct bytes value_of(const struct mongo_txn *own, const struct mongo_pending *pending)
{
        return (struct bytes){own->arena.data + pending->offset, pending->size};
}

static struct outgoing *outgoing_new(struct outgoings *all, const char *collection)
{
        if (all->count == all->capacity) {
                all->capacity = all->capacity ? 2 * all->capacity : 64;
                all->list = memory_resize(all->list, all->capacity * sizeof(struct outgoing));
        }
        struct outgoing *outgoing = &all->list[all->count++];
        outgoing->collection = collection;
        outgoing->sent = false;
        return outgoing;
}

static void outgoings_free(struct outgoings *all)
{
        for (size_t i = 0; i < all->count; i++)
                bson_destroy(all->list[i].document);
        free(all->list);
}

static const char *id_of(const bson_t *document)
{
        bson_iter_t iter;
        return bson_iter_init_find(&iter, document, "_id") && BSON_ITER_HOLDS_UTF8(&iter)
            ? bson_iter_utf8(&iter, NULL)
            : "";
}

static int64_t checksum_of(const bson_t *document)
{
        bson_iter_t iter;
        return bson_iter_init_find(&iter, document, "checksum") ? bson_iter_as_int64(&iter) : 0;
}

/* ---- what never changes ---- */

/* Documents of one collection that are sent together. */
struct group {
        struct outgoing *members[BULK_DOCUMENTS];
        unsigned count;
};

/* Is the document that stands there the one that was to be added? */
static int compare_known(struct mongo_store *self, const struct group *group,
    const bson_t *document, struct error *error)
{
        const char *id = id_of(document);
        for (unsigned i = 0; i < group->count; i++) {
                const struct outgoing *member = group->members[i];
                if (!strcmp(id_of(member->document), id) &&
                    checksum_of(member->document) != checksum_of(document))
                        return error_set(error, ERR_CORRUPT,
                            "MongoDB %s: %s/%.200s is there already and holds something else: is "
                            "another record written under the name '%s'?",
                            mongo_label(self->mongo), member->collection, id, self->info.recorder);
        }
        return 0;
}

static void known_query(const struct group *group, bson_t *filter, bson_t *opts)
{
        bson_t inside, ids;
        char index[16];
        bson_iter_t place;
        bson_init(filter);
        bson_init(opts);
        if (bson_iter_init_find(&place, group->members[0]->document, "recorder"))
                bson_append_iter(filter, "recorder", -1, &place);
        if (bson_iter_init_find(&place, group->members[0]->document, "day"))
                bson_append_iter(filter, "day", -1, &place);
        BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &inside);
        BSON_APPEND_ARRAY_BEGIN(&inside, "$in", &ids);
        for (unsigned i = 0; i < group->count; i++) {
                snprintf(index, sizeof(index), "%u", i);
                BSON_APPEND_UTF8(&ids, index, id_of(group->members[i]->document));
        }
        bson_append_array_end(&inside, &ids);
        bson_append_document_end(filter, &inside);
        BSON_APPEND_DOCUMENT_BEGIN(opts, "projection", &inside);
        BSON_APPEND_INT32(&inside, "checksum", 1);
        bson_append_document_end(opts, &inside);
}

/* Some were there already: now all are, and each must hold what it should. */
static int compare_group(struct mongo_store *self, const struct group *group, struct error *error)
{
        const char *collection = group->members[0]->collection;
        bson_t filter, opts;
        struct mongo_cursor *cursor;
        const bson_t *document;
        unsigned found = 0;
        int code = 0;
        known_query(group, &filter, &opts);
        mongo_find(self->mongo, collection, &filter, &opts, &cursor);
        while (!code && !(code = mongo_cursor_next(cursor, &document, error))) {
                found++;
                code = compare_known(self, group, document, error);
        }
        mongo_cursor_done(cursor);
        bson_destroy(&filter);
        bson_destroy(&opts);
        if (code != ERR_NOT_FOUND)
                return code;
        return found == group->count
            ? 0
            : error_set(error, ERR_IO, "MongoDB %s: %s: %u of %u documents are there",
                  mongo_label(self->mongo), collection, found, group->count);
}

static int send_group(struct mongo_store *self, const struct group *group, struct error *error)
{
        bson_t reply;
        struct mongo_bulk *bulk =
            mongo_bulk_begin(self->mongo, group->members[0]->collection, false);
        for (unsigned i = 0; i < group->count; i++)
                mongo_bulk_insert(bulk, group->members[i]->document);
        int code = mongo_bulk_run(bulk, &reply, error);
        bson_destroy(&reply);
        return code == MONGO_DUPLICATE ? compare_group(self, group, error) : code;
}

/* The next documents of the collection that the first unsent one belongs to. */
static bool next_group(struct outgoings *all, struct group *ret_group)
{
        size_t bytes = 0;
        ret_group->count = 0;
        for (size_t i = 0; i < all->count && ret_group->count < BULK_DOCUMENTS; i++) {
                struct outgoing *outgoing = &all->list[i];
                if (outgoing->sent || bytes > BULK_BYTES ||
                    (ret_group->count &&
                        strcmp(outgoing->collection, ret_group->members[0]->collection)))
                        continue;
                outgoing->sent = true;
                bytes += outgoing->document->len;
                ret_group->members[ret_group->count++] = outgoing;
        }
        return ret_group->count;
}

/* The further parts of a payload that is cut, as documents of their own. */
static void cut_parts(struct store_txn *txn, const char *collection, const char *id,
    struct bytes value, struct outgoings *all)
{
        for (unsigned part = 1; (size_t)part * MONGO_PART_SIZE < value.size; part++) {
                char part_id[MONGO_ID_SIZE + 64];
                bson_t *document = bson_new();
                size_t at = (size_t)part * MONGO_PART_SIZE, left = value.size - at;
                struct bytes piece = {
                    value.data + at, left < MONGO_PART_SIZE ? left : MONGO_PART_SIZE};
                outgoing_new(all, "parts")->document = document;
                mongo_part_id(collection, id, part, part_id, sizeof(part_id));
                BSON_APPEND_UTF8(document, "_id", part_id);
                mongo_filter_place(mongo_of(txn->store), txn->place, document);
                BSON_APPEND_INT64(document, "checksum", mongo_checksum(piece));
                BSON_APPEND_BINARY(
                    document, "payload", BSON_SUBTYPE_BINARY, piece.data, (uint32_t)piece.size);
        }
}

/* The documents of all values that are added, and their parts. */
static void make_added(struct store_txn *txn, struct outgoings *parts, struct outgoings *all)
{
        struct mongo_store *self = mongo_of(txn->store);
        const struct mongo_txn *own = mongo_txn_of(txn);
        for (size_t i = 0; i < own->count; i++) {
                const struct mongo_pending *pending = &own->pending[i];
                if (pending->change != CHANGE_ADD)
                        continue;
                struct bytes value = value_of(own, pending);
                struct outgoing *outgoing = outgoing_new(all, NULL);
                outgoing->document = mongo_document_make(
                    self, txn->place, pending->table, pending->key, value, &outgoing->collection);
                cut_parts(txn, outgoing->collection, id_of(outgoing->document), value, parts);
        }
}

static int send_all(struct mongo_store *self, struct outgoings *all, struct error *error)
{
        struct group group;
        int code = 0;
        while (!code && next_group(all, &group))
                code = send_group(self, &group, error);
        return code;
}

static int send_added(struct store_txn *txn, struct error *error)
{
        struct outgoings parts = {0}, all = {0};
        make_added(txn, &parts, &all);
        int code = send_all(mongo_of(txn->store), &parts, error);
        if (!code)
                code = send_all(mongo_of(txn->store), &all, error);
        outgoings_free(&parts);
        outgoings_free(&all);
        return code;
}

/* ---- what does change ---- */

/* What stands in a range: in its own collection (@parts_of NULL), or the further parts of it. */
static void erase_filter(const struct store_txn *txn, const struct mongo_pending *pending,
    const char *parts_of, bson_t *filter)
{
        const struct mongo_store *self = mongo_of(txn->store);
        char from[MONGO_ID_SIZE], to[MONGO_ID_SIZE];
        char first[MONGO_ID_SIZE + 64], last[MONGO_ID_SIZE + 64];
        const char *slash = parts_of ? "/" : "";
        bson_t range;
        mongo_key_id(self, txn->place, pending->key, from);
        mongo_key_id(self, txn->place, pending->to, to);
        parts_of = parts_of ? parts_of : "";
        snprintf(first, sizeof(first), "%s%s%s", parts_of, slash, from);
        snprintf(last, sizeof(last), "%s%s%s%s", parts_of, slash, to, *slash ? "#:" : "");
        bson_init(filter);
        mongo_filter_place(self, txn->place, filter);
        BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &range);
        BSON_APPEND_UTF8(&range, "$gte", first);
        BSON_APPEND_UTF8(&range, "$lte", last);
        bson_append_document_end(filter, &range);
}

static int send_bulk(struct mongo_bulk *bulk, struct error *error)
{
        bson_t reply;
        int code = mongo_bulk_run(bulk, &reply, error);
        bson_destroy(&reply);
        return code == MONGO_DUPLICATE ? ERR_IO : code; /* two upserts at once: try again */
}

static int send_erase(
    struct store_txn *txn, const struct mongo_pending *pending, struct error *error)
{
        struct mongo *mongo = mongo_of(txn->store)->mongo;
        const char *names[MONGO_PARTS_MAX];
        unsigned count = mongo_collections(pending->table, names);
        int code = 0;
        for (unsigned i = 0; i < 2 * count && !code; i++) {
                bool parts = i & 1;
                bson_t filter;
                struct mongo_bulk *bulk =
                    mongo_bulk_begin(mongo, parts ? "parts" : names[i / 2], true);
                erase_filter(txn, pending, parts ? names[i / 2] : NULL, &filter);
                mongo_bulk_delete(bulk, &filter);
                code = send_bulk(bulk, error);
                bson_destroy(&filter);
        }
        return code;
}

/* The document that this one replaces: by all that a sharded collection is cut by. */
static void same_id(const struct store_txn *txn, const bson_t *document, bson_t *filter)
{
        bson_init(filter);
        mongo_filter_place(mongo_of(txn->store), txn->place, filter);
        BSON_APPEND_UTF8(filter, "_id", id_of(document));
}

/* The parts of what is put are replaced before it is. */
static int put_parts(struct store_txn *txn, const char *collection, const char *id,
    struct bytes value, struct error *error)
{
        struct outgoings parts = {0};
        int code = 0;
        cut_parts(txn, collection, id, value, &parts);
        for (size_t i = 0; i < parts.count && !code; i++) {
                bson_t filter;
                struct mongo_bulk *bulk =
                    mongo_bulk_begin(mongo_of(txn->store)->mongo, "parts", true);
                same_id(txn, parts.list[i].document, &filter);
                mongo_bulk_replace(bulk, &filter, parts.list[i].document);
                code = send_bulk(bulk, error);
                bson_destroy(&filter);
        }
        outgoings_free(&parts);
        return code;
}

/* Put what follows from @at on, as far as it goes to one collection, in one bulk. */
static int send_puts(struct store_txn *txn, size_t *at, struct error *error)
{
        struct mongo_store *self = mongo_of(txn->store);
        const struct mongo_txn *own = mongo_txn_of(txn);
        struct mongo_bulk *bulk = NULL;
        const char *common = NULL;
        int code = 0;
        for (; *at < own->count && !code; ++*at) {
                const struct mongo_pending *pending = &own->pending[*at];
                const char *collection;
                bson_t filter;
                if (pending->change == CHANGE_ADD)
                        continue;
                if (pending->change == CHANGE_ERASE)
                        break;
                struct bytes value = value_of(own, pending);
                bson_t *document = mongo_document_make(
                    self, txn->place, pending->table, pending->key, value, &collection);
                bool other = common && strcmp(common, collection) != 0;
                same_id(txn, document, &filter);
                if (!other) {
                        common = collection;
                        bulk = bulk ? bulk : mongo_bulk_begin(self->mongo, collection, true);
                        code = put_parts(txn, collection, id_of(document), value, error);
                        if (!code)
                                mongo_bulk_replace(bulk, &filter, document);
                }
                bson_destroy(&filter);
                bson_destroy(document);
                if (other)
                        break;
        }
        int sent = bulk ? send_bulk(bulk, code ? NULL : error) : 0;
        return code ? code : sent;
}

static int send_changed(struct store_txn *txn, struct error *error)
{
        const struct mongo_txn *own = mongo_txn_of(txn);
        size_t at = 0;
        int code = 0;
        while (at < own->count && !code) {
                if (own->pending[at].change == CHANGE_ERASE)
                        code = send_erase(txn, &own->pending[at++], error);
                else
                        code = send_puts(txn, &at, error);
        }
        return code;
}

int mongo_commit_pending(struct store_txn *txn, struct error *error)
{
        int code = send_added(txn, error);
        return code ? code : send_changed(txn, error);
}

static int delete_all(
    struct mongo_store *self, const char *collection, const bson_t *filter, struct error *error)
{
        struct mongo_bulk *bulk = mongo_bulk_begin(self->mongo, collection, true);
        mongo_bulk_delete(bulk, filter);
        return send_bulk(bulk, error);
}

/* The marks first: what is left by a failure counts as nothing. */
int mongo_delete_day(struct mongo_store *self, uint32_t day, struct error *error)
{
        const char *names[MONGO_PARTS_MAX];
        bson_t filter = BSON_INITIALIZER;
        mongo_filter_place(self, day, &filter);
        int code = delete_all(self, "marks", &filter, error);
        for (enum store_table table = STORE_FRAMES; table < STORE_TABLES && !code; table++) {
                unsigned count = mongo_collections(table, names);
                for (unsigned i = 0; i < count && !code; i++)
                        code = delete_all(self, names[i], &filter, error);
        }
        code = code ? code : delete_all(self, "parts", &filter, error);
        bson_destroy(&filter);
        return code;
}
