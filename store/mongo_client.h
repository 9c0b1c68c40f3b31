/* A MongoDB database, as this program uses it: commands, finds and bulks over one connection.
 *
 * The one face of libmongoc. A client belongs to one thread. Nothing connects before the first
 * call; a call waits no longer than the time-outs of the URI (else 5 s for a server to be found,
 * 10 s for an answer) and the next one finds the server again by itself. Writes are acknowledged by
 * a majority, from its journal. What comes back is hostile until checked.
 *
 * Errors of all calls:
 *   ERR_IO       no server, no answer in time, or it answered with an error of its own
 *   ERR_DENIED   wrong credentials, no rights, or a document that its validator refuses
 *   ERR_FULL     the server's disk is full, or a document too large
 * A call that failed may have been carried out. */
#ifndef STORE_MONGO_CLIENT_H
#define STORE_MONGO_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct _bson_t bson_t;

#define MONGO_DUPLICATE 1 /* an _id that is there already */

struct mongo;
struct mongo_cursor;
struct mongo_bulk;

struct mongo_options {
        const char *uri;      /* host:port or mongodb://... */
        const char *database; /* where the URI names none */
        const char *password; /* where the URI names a user without one; may be NULL */
};

/* Is it an address that mongo_open takes? Nothing is looked up. ERR_USAGE. */
int mongo_check(const struct mongo_options *options, struct error *error);

/* ERR_USAGE: the URI is none, or switches off the verification of certificates. */
int mongo_open(struct mongo **ret_mongo, const struct mongo_options *options, struct error *error);
void mongo_close(struct mongo *mongo);

/* "host:port/database", without any secret. */
const char *mongo_label(const struct mongo *mongo);
/* The server's own code of the last error (13 Unauthorized, 121 validation, ...); 0: none. */
uint32_t mongo_server_code(const struct mongo *mongo);

/* Run @command on the database. @ret_reply (may be NULL) is initialised in any case: bson_destroy.
 */
int mongo_command(
    struct mongo *mongo, const bson_t *command, bson_t *ret_reply, struct error *error);
/* The same with majority write concern. */
int mongo_write_command(
    struct mongo *mongo, const bson_t *command, bson_t *ret_reply, struct error *error);

/* Documents of @collection that match @filter; @opts: sort, limit, projection (may be NULL). */
void mongo_find(struct mongo *mongo, const char *collection, const bson_t *filter,
    const bson_t *opts, struct mongo_cursor **ret_cursor);
/* The next one, borrowed until the next call. ERR_NOT_FOUND: no more. */
int mongo_cursor_next(
    struct mongo_cursor *cursor, const bson_t **ret_document, struct error *error);
void mongo_cursor_done(struct mongo_cursor *cursor);

/* Many writes at once. @ordered: the first that fails ends it. */
struct mongo_bulk *mongo_bulk_begin(struct mongo *mongo, const char *collection, bool ordered);
void mongo_bulk_insert(struct mongo_bulk *bulk, const bson_t *document);
/* Put @document in place of the one that matches, or beside the others. */
void mongo_bulk_replace(struct mongo_bulk *bulk, const bson_t *filter, const bson_t *document);
void mongo_bulk_delete(struct mongo_bulk *bulk, const bson_t *filter);
/* Carry them out; frees the bulk. MONGO_DUPLICATE: inserts of an _id that is there were left out,
 * nothing else failed; their indices are in writeErrors of @ret_reply (initialised in any case). */
int mongo_bulk_run(struct mongo_bulk *bulk, bson_t *ret_reply, struct error *error);

#endif
