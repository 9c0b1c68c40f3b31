/* What the files of the store in MongoDB share. The documents are drawn in schema/mongodb.md. */
#ifndef STORE_MONGO_INTERNAL_H
#define STORE_MONGO_INTERNAL_H

#include "store/internal.h"
#include "store/mongo_client.h"

#define MONGO_ID_SIZE (3 * STORE_RECORDER_SIZE + 96)
#define MONGO_PARTS_MAX 3
#define MONGO_PART_SIZE (4u << 20) /* a larger payload is cut: far below 16 MB */
#define MONGO_VALUE_SIZE (64u << 20)
#define MONGO_PENDING_SIZE (256u << 20) /* of one commit */
#define MONGO_GETS 8                    /* values of get that stay valid */

struct mongo_kind {
        uint32_t stream;
        bool trades;
};

struct mongo_store {
        struct store store;
        struct store_info info;
        struct mongo *mongo;
        enum store_mode mode;
        char recorder_id[3 * STORE_RECORDER_SIZE]; /* the recorder's name, escaped */
        store_describe_cb describe_cb;
        void *user;
        char *identity;               /* NULL: none */
        char holder[STORE_UUID_SIZE]; /* of the lease */
        int64_t renewed_mono_ns;
        uint32_t *days; /* as the recorder's document names them, ascending */
        size_t day_count;
        bool writing; /* a writing transaction lives */
        uint32_t writing_place;
        struct mongo_kind *kinds; /* which streams are trades: they lie in a place of their own */
        size_t kind_count;
};

enum mongo_change {
        CHANGE_ADD,
        CHANGE_PUT,
        CHANGE_ERASE,
};

struct mongo_pending {
        enum mongo_change change;
        enum store_table table;
        struct store_key key, to; /* @to: of an erase */
        size_t offset, size;      /* of the value in the arena */
};

struct mongo_record {
        struct store_key key;
        uint8_t *data;
        size_t size;
};

struct mongo_txn {
        struct mongo_pending *pending;
        size_t count, capacity;
        struct buffer arena;
        struct mongo_record gets[MONGO_GETS];
        unsigned next_get;
        struct error error; /* of the sticky code */
};

static inline struct mongo_store *mongo_of(struct store *store)
{
        return (struct mongo_store *)store;
}

static inline struct mongo_txn *mongo_txn_of(const struct store_txn *txn)
{
        return txn->handle;
}

/* mongo_document.c: keys and values as documents */

/* The collections of a table, in @ret_names; their number. */
unsigned mongo_collections(enum store_table table, const char *ret_names[MONGO_PARTS_MAX]);
/* How far to look at first, and next, in a key's major; 0: the whole stream; -1: the table. */
int64_t mongo_width(enum store_table table, unsigned step);
void mongo_recorder_id(const char *recorder, char ret_id[3 * STORE_RECORDER_SIZE]);
/* "main/2026-11-21/", what all ids of a place begin with. */
void mongo_place_id(const struct mongo_store *self, uint32_t place, char ret_id[MONGO_ID_SIZE]);
void mongo_key_id(const struct mongo_store *self, uint32_t place, struct store_key key,
    char ret_id[MONGO_ID_SIZE]);
/* ERR_CORRUPT: it is no id of that place. */
int mongo_id_key(const char *id, const char *place_id, struct store_key *ret_key);
/* recorder and day, as every query has them. */
void mongo_filter_place(const struct mongo_store *self, uint32_t place, bson_t *filter);
int64_t mongo_checksum(struct bytes value);
/* The document of a value, to be freed by bson_destroy, and the collection that it belongs to. */
bson_t *mongo_document_make(const struct mongo_store *self, uint32_t place, enum store_table table,
    struct store_key key, struct bytes value, const char **ret_collection);
/* Take a document apart: hostile until checked. What was cut is fetched. ERR_CORRUPT, ERR_IO. */
int mongo_document_read(struct mongo_store *self, const char *collection, const char *place_id,
    const bson_t *document, struct mongo_record *ret_record, struct error *error);
/* The id of a further part, from 1, of a payload that was cut. */
void mongo_part_id(
    const char *collection, const char *id, unsigned part, char *ret_id, size_t size);

/* mongo_read.c */
int mongo_get(
    struct store_txn *txn, enum store_table table, struct store_key key, struct bytes *ret_value);
int mongo_seek(struct store_txn *txn, enum store_table table, struct store_key key,
    struct store_cursor *ret_cursor);
int mongo_seek_back(struct store_txn *txn, enum store_table table, struct store_key key,
    struct store_cursor *ret_cursor);
int mongo_next(struct store_cursor *cursor);
int mongo_prev(struct store_cursor *cursor);
void mongo_done(struct store_cursor *cursor);

/* mongo_commit.c */
int mongo_commit_pending(struct store_txn *txn, struct error *error);
/* Take every document of that day away. */
int mongo_delete_day(struct mongo_store *self, uint32_t day, struct error *error);

/* mongo_lease.c: the recorder's document */
/* Find it, or (STORE_WRITE) make it; take the lease (STORE_WRITE). */
int mongo_recorder_open(
    struct mongo_store *self, const struct store_options *options, struct error *error);
/* Read it again: its days. */
int mongo_recorder_read(struct mongo_store *self, struct error *error);
int mongo_recorder_add_day(struct mongo_store *self, uint32_t day, struct error *error);
int mongo_recorder_drop_day(struct mongo_store *self, uint32_t day, struct error *error);
/* Renew the lease where that is due. ERR_BUSY: another writer has it. */
int mongo_lease_renew(struct mongo_store *self, struct error *error);
void mongo_lease_release(struct mongo_store *self);
int mongo_recorder_names(
    struct mongo *mongo, char ***ret_names, size_t *ret_count, struct error *error);

/* mongo_schema.c: validators and indexes. 0 also where the server refuses them, which is told. */
int mongo_schema_apply(struct mongo *mongo, struct error *error);

#endif
