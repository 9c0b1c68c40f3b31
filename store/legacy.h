/* Documents of the older system's layout, read from a database or from a file of mongodump.
 *
 * A source gives one collection's documents in their order, each once, taken apart into plain texts
 * and integers; nothing is rounded. What a document may look like is told in schema/legacy.md; what
 * could not be read of one is said in it, and is no error of the source. One thread a source.
 *
 *   open -> next* -> close */
#ifndef STORE_LEGACY_H
#define STORE_LEGACY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum legacy_type {
        LEGACY_OTHER, /* neither of the two */
        LEGACY_SNAPSHOT,
        LEGACY_UPDATE,
};

/* Which list of a document: index of levels and of trades. */
enum legacy_side {
        LEGACY_BIDS,
        LEGACY_ASKS,
        LEGACY_BOUGHT = LEGACY_BIDS,
        LEGACY_SOLD = LEGACY_ASKS,
        LEGACY_SIDES,
};

struct legacy_pair {
        const char *price, *quantity; /* as written; not checked to be numbers */
};

struct legacy_pairs {
        const struct legacy_pair *pairs;
        size_t count;
};

/* All texts and pairs are borrowed until the next call. "": not told. */
struct legacy_document {
        enum legacy_type type;
        const char *fault; /* a word on what makes it unusable; NULL: nothing */
        uint64_t number;   /* in the source, from 1 */
        uint64_t offset;   /* of its end, of a file */
        size_t size;
        int64_t time_ns; /* event_time_ns, else DateTime */
        struct legacy_pairs levels[LEGACY_SIDES];
        struct legacy_pairs trades[LEGACY_SIDES];
        uint32_t trades_lost; /* told without a price: a volume */
        bool floating;        /* a quantity was kept as a binary floating-point number */
        /* fields that this project adds */
        bool has_ids;   /* first_id, last_id */
        bool sequenced; /* ... and the exchange's own */
        int64_t first_id, last_id;
        int64_t receive_time_ns; /* 0: not told */
        const char *exchange, *symbol, *recorder;
        const char *gap; /* why there is a hole before it */
        bool has_horizon;
        bool bounded[LEGACY_SIDES]; /* the exchange may hold more levels */
};

struct legacy_source;

struct legacy_source_options {
        const char *path;       /* of a .bson file; or, with a collection, a database's URI */
        const char *collection; /* NULL: @path is a file */
        const char *database;   /* where the URI names none; may be NULL */
        const char *password;   /* where the URI names a user without one; may be NULL */
        const char *recorder;   /* only documents of this one; NULL: of all */
};

struct legacy_ops {
        /* ERR_NOT_FOUND: no such file; ERR_USAGE: no URI; ERR_DENIED, ERR_IO. */
        int (*open)(struct legacy_source **ret_source, const struct legacy_source_options *options,
            struct error *error);
        /* ERR_NOT_FOUND: no more; ERR_CORRUPT: what follows in the file cannot be read (@error
         * names the place), all before was given; ERR_IO, ERR_DENIED. */
        int (*next)(struct legacy_source *source, struct legacy_document *ret_document,
            struct error *error);
        void (*close)(struct legacy_source *source);
        /* The bytes of the file; 0 of a database. */
        uint64_t (*size)(const struct legacy_source *source);
        /* The collections of the database whose first document is of this layout, ascending. Free
         * each, then the list. */
        int (*collections)(const struct legacy_source_options *options, char ***ret_names,
            size_t *ret_count, struct error *error);
};

extern const struct legacy_ops legacy_mongo; /* in a library of its own: see legacy_load */

/* legacy_mongo from the module beside the program, as store_mongo_load does. NULL: @error names the
 * module that is missing. */
const struct legacy_ops *legacy_load(struct error *error);

#endif
