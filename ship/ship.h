/* The shipper: a thread that follows the local store into another one, for as long as it runs.
 *
 * It reads through a handle of its own and never holds up who records. What goes wrong on the other
 * side is tried again, for ever, with growing pauses; it is told once when it begins, and when it
 * is over. How far it is stands in the local store (STORE_SINKS), so that nothing is dropped there
 * before it is here. */
#ifndef SHIP_SHIP_H
#define SHIP_SHIP_H

#include "store/store.h"

struct shipper;

struct shipper_options {
        const char *path; /* of the local store; it exists */
        const struct store_ops *ops;
        struct store_options sink; /* path, database, password, recorder; texts are copied */
};

enum shipper_state {
        SHIPPER_STARTING,
        SHIPPER_SHIPPING,
        SHIPPER_WAITING, /* something went wrong: it is tried again */
};

struct shipper_stats {
        enum shipper_state state;
        uint64_t events_behind, bytes_behind;
        int64_t behind_ns;
        uint64_t frames, bytes; /* shipped since the start */
        uint64_t failures;
};

/* ERR_IO: the thread cannot be started. */
int shipper_open(
    struct shipper **ret_shipper, const struct shipper_options *options, struct error *error);

/* Ship what is left, at most for about @wait_ns, then end. NULL is allowed. false: its thread still
 * waits for an answer, and is left behind; nobody takes from it what it uses. */
bool shipper_close(struct shipper *shipper, int64_t wait_ns);

struct shipper_stats shipper_stats(struct shipper *shipper);

/* The local store at @path has no sink @number any more: what it remembers of it is taken away, so
 * that it holds nothing back. */
int shipper_forget(const char *path, unsigned number, struct error *error);

#endif
