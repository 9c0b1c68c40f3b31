/* Bytes kept by (stream, position): one struct of functions, one implementation a file.
 *
 * A store is one `meta` place, for what lives long, and one place a UTC day. Each place holds a few
 * ordered tables of (key, value). A transaction lives in one place; it is all there or not at all,
 * and on disk once commit has returned 0. A store never looks into a value.
 *
 * One writer at a time (store_open with STORE_WRITE takes the lock and refuses a second one); any
 * number of readers, in any process. Each handle belongs to one thread; a second thread that wants
 * to read opens its own. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

#define STORE_FORMAT_VERSION 1
#define STORE_META UINT32_MAX /* the place that is no day */
#define STORE_UUID_SIZE 37
#define STORE_IDENTITY_SIZE 4352 /* of a text that names a machine and a path */

enum store_table {
        /* of meta */
        STORE_INFO,    /* uuid, format version, recorder */
        STORE_STREAMS, /* a stream's number and name */
        STORE_DAYS,    /* which days a stream has data in */
        STORE_PRUNED,  /* what was dropped */
        STORE_SINKS,   /* positions of those who follow */
        STORE_SYMBOLS, /* what each symbol was, and when; an older store has no such table */
        STORE_AUDITS,  /* what audits found; likewise */
        /* of a day */
        STORE_FRAMES, /* images and change sets by position */
        STORE_TIMES,  /* running maximum of the event time -> position */
        STORE_EPOCHS,
        STORE_GAPS,
        STORE_MARKS, /* the newest state of a stream in that day */
        STORE_NOTES, /* clock steps and other remarks */
        STORE_TABLES,
};

/* Keys are ordered by stream, then major (signed), then minor. 20 bytes, big-endian, in any file.
 */
struct store_key {
        uint32_t stream;
        int64_t major;
        uint64_t minor;
};

struct store;

/* Opaque to the user, defined by the implementation; the caller gives the storage. */
struct store_txn {
        struct store *store;
        void *handle;
        uint32_t place;
        bool write;
        int code; /* sticky: the first error of put, delete; commit returns it */
};

struct store_cursor {
        struct store_txn *txn;
        enum store_table table;
        void *handle;
        struct store_key key;
        struct bytes value; /* borrowed until the next move, put, erase or the transaction's end */
};

enum store_mode {
        STORE_READ,
        STORE_WRITE,  /* create what is missing, hold the writer's lock */
        STORE_MANAGE, /* beside a running writer: writes meta, drops days, holds no lock */
};

/* What people look for in a document, beside the bytes: made of a value by who knows its inside. A
 * store that has no documents never asks. */
enum store_field_kind {
        FIELD_TEXT,
        FIELD_NUMBER,
        FIELD_TIME, /* ns; stored as a Date as well, in ms */
        FIELD_FLAG,
};

struct store_field {
        const char *name; /* a constant */
        enum store_field_kind kind;
        int64_t number;
        const char *text; /* UTF-8, borrowed until the next call */
};

#define STORE_FIELDS_MAX 32

struct store_description {
        const char *part; /* FRAMES: "images", "changes" or "trades"; NULL: the table's own place */
        struct store_field fields[STORE_FIELDS_MAX];
        unsigned count;
};

/* @user as given in the options. Leaves what it does not understand without fields. */
typedef void (*store_describe_cb)(enum store_table table, struct store_key key, struct bytes value,
    struct store_description *ret_description, void *user);

struct store_options {
        const char *path; /* of a database: its URI, or host:port */
        enum store_mode mode;
        const char *recorder; /* of a new store; an existing one must have the same (NULL: any) */
        const char *uuid;     /* likewise (NULL: a new one is made) */
        size_t map_size;      /* 0: the default */

        /* of a database: */
        const char *database;          /* where the URI names none */
        const char *password;          /* where the URI names a user without one; NULL: none */
        const char *identity;          /* whose lease may be taken over at once (NULL: nobody's) */
        store_describe_cb describe_cb; /* may be NULL */
        void *user;
};

struct store_ops {
        const char *name;
        /* A place on this machine changes in one step, and is read as of one moment. A database
         * (false) takes what a commit holds piece by piece, each whole: first what was added, then
         * the rest in its order; a reading transaction sees what is there at each call, a writing
         * one not its own changes. What a failed commit has left is completed by the same again. */
        bool atomic;

        /* Open or (STORE_WRITE) create. The handle is the caller's until close.
         *   ERR_NOT_FOUND no store at that path     ERR_BUSY    another writer holds it
         *   ERR_VERSION   of a newer format         ERR_DENIED  no permission
         *   ERR_FULL      no space                  ERR_USAGE   of another recorder
         *   ERR_CORRUPT, ERR_IO */
        int (*open)(
            struct store **ret_store, const struct store_options *options, struct error *error);
        void (*close)(struct store *store);

        const char *(*uuid)(struct store *store);
        const char *(*recorder)(struct store *store);

        /* The recorders that have a store at @options->path, ascending: of a folder one, of a
         * database any number. Free each, then the list. Errors as open's. */
        int (*recorders)(const struct store_options *options, char ***ret_names, size_t *ret_count,
            struct error *error);

        /* The days that exist, ascending. Free with free(). */
        int (*days)(struct store *store, uint32_t **ret_days, size_t *ret_count);

        /* A transaction in @place (a day, or STORE_META). A writing one creates the day. A reading
         * one sees the place as it was at its begin. One writing transaction at a time.
         *   ERR_NOT_FOUND (reading) no such day     ERR_FULL  no space     ERR_IO, ERR_CORRUPT */
        int (*begin)(struct store *store, uint32_t place, bool write, struct store_txn *ret_txn,
            struct error *error);
        void (*put)(struct store_txn *txn, enum store_table table, struct store_key key,
            struct bytes value);
        /* The same of what never changes: a key that is there must hold that value, else the code
         * is ERR_CORRUPT. To be told again what is there already is no error. */
        void (*add)(struct store_txn *txn, enum store_table table, struct store_key key,
            struct bytes value);
        /* Delete keys in [from, to]. Adds the size of the values to *@ret_bytes where it is given.
         */
        void (*erase)(struct store_txn *txn, enum store_table table, struct store_key from,
            struct store_key to, uint64_t *ret_bytes);
        /* All or nothing; frees the transaction either way. The sticky code, or ERR_FULL, ERR_IO.
         */
        int (*commit)(struct store_txn *txn, struct error *error);
        void (*abort)(struct store_txn *txn);

        /* The value of exactly @key, borrowed as a cursor's is; ERR_NOT_FOUND, ERR_IO. */
        int (*get)(struct store_txn *txn, enum store_table table, struct store_key key,
            struct bytes *ret_value);
        /* Put a cursor at the first key >= @key (seek) or the last key <= @key (seek_back), then
         * move it. 0 with cursor->key and value set, or ERR_NOT_FOUND past the end, ERR_IO.
         * A move that finds nothing leaves the cursor where it is. Keys of other streams are met as
         * well: the caller looks. done() always, once, before the transaction ends. */
        int (*seek)(struct store_txn *txn, enum store_table table, struct store_key key,
            struct store_cursor *ret_cursor);
        int (*seek_back)(struct store_txn *txn, enum store_table table, struct store_key key,
            struct store_cursor *ret_cursor);
        int (*next)(struct store_cursor *cursor);
        int (*prev)(struct store_cursor *cursor);
        void (*done)(struct store_cursor *cursor);

        /* Remove a whole day (gone at once for those who come later; who is in it reads on).
         *   ERR_BUSY  a writing transaction is in it     ERR_NOT_FOUND, ERR_DENIED, ERR_IO */
        int (*drop)(struct store *store, uint32_t day, struct error *error);
        /* A compact copy of everything, beside a running writer, into @path (made, must be empty
         * or missing). ERR_USAGE not empty, ERR_FULL, ERR_IO. */
        int (*backup)(struct store *store, const char *path, struct error *error);
};

/* A handle begins with its functions. */
struct store {
        const struct store_ops *ops;
};

extern const struct store_ops store_lmdb;
extern const struct store_ops store_mongo;  /* in a library of its own: see store_mongo_load */
extern const struct store_ops store_memory; /* @path is only a name: same name, same content */

/* store_mongo from the module beside the program: its libraries cost 5 ms at each start, which only
 * those pay who ask for a database. NULL: @error names the module that is missing. */
const struct store_ops *store_mongo_load(struct error *error);
/* Anything else of that module by its name, or NULL. */
void *store_module_symbol(const char *name, struct error *error);

/* Big-endian form of a key, as it stands in files. */
#define STORE_KEY_SIZE 20
void store_key_encode(struct store_key key, uint8_t ret_bytes[STORE_KEY_SIZE]);
struct store_key store_key_decode(const uint8_t bytes[STORE_KEY_SIZE]);

/* Lower in the tree: is this table one of meta's? */
static inline bool store_table_is_meta(enum store_table table)
{
        return table <= STORE_AUDITS;
}

#endif
