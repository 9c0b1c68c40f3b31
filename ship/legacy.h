/* Follows the local store into the older system's layout of a MongoDB database.
 *
 * One collection a symbol, a document an update, drawn in schema/legacy.md. A thread of its own
 * reads what is committed of each stream of levels, with the trades beside it, and writes it on
 * from where it stood; where it stands is kept in the store. It never holds up the logger: while
 * the database does not answer, what is recorded waits in the store. */
#ifndef SHIP_LEGACY_H
#define SHIP_LEGACY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct legacy;

struct legacy_options {
        const char *store;    /* path of the local store, which exists */
        const char *endpoint; /* host:port or mongodb://... */
        const char *password; /* where the URI names a user without one; may be NULL */
        const char *database; /* where the URI names none */
        const char *recorder; /* name of this logger */
};

/* All options are copied. Whether the database answers is not waited for. ERR_USAGE: the endpoint
 * is none; ERR_IO, ERR_DENIED: the store. */
int legacy_open(
    struct legacy **ret_legacy, const struct legacy_options *options, struct error *error);

/* Write what is committed by now, at most @wait_ns long, and end. What is left over is written when
 * it is opened again. false: its thread still waits for an answer, and is left behind. */
bool legacy_close(struct legacy *legacy, int64_t wait_ns);

#endif
