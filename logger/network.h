/* The world outside as the loop sees it: connections, REST, and what time it is.
 *
 * One struct of functions, so that a simulated exchange, or a capture of what came, can stand in
 * its place. What the functions promise is said where the real ones come from: venue/feed.h and
 * venue/rest.h. */
#ifndef LOGGER_NETWORK_H
#define LOGGER_NETWORK_H

#include "base/clock.h"
#include "capture/capture.h"
#include "venue/feed.h"
#include "venue/rest.h"

struct network {
        const struct network_ops *ops;
};

struct network_options {
        const char *ca_file; /* extra trusted certificates, or NULL */
        const char *capture; /* the folder that raw capture goes to, or NULL */
        const struct feed_callbacks *callbacks;
        void *user; /* of the callbacks */
};

/* It stands in the place of what the store keeps; nothing of it is kept there. */
struct network_past {
        const char *rules; /* changes to SYMBOLS */
        const char *uuid;  /* of the store; NULL: any */
};

struct network_ops {
        bool live; /* the present: others may look on, what is recorded goes on to sinks */
        int (*open)(struct network **ret_network, const struct network_options *options,
            struct error *error);
        void (*close)(struct network *network);
        void (*now)(struct network *network, int64_t *ret_mono_ns, int64_t *ret_wall_ns);
        /* What the system knows of the wall clock's truth, as clock_sync; NULL: nothing. */
        int (*clock)(struct network *network, struct clock_state *ret_state);
        /* Of each that goes out, @exchange says whose it is. */
        uint32_t (*connect)(struct network *network, const char *exchange,
            const struct feed_target *target, struct error *error);
        int (*send)(struct network *network, uint32_t connection, const char *text, size_t size);
        void (*disconnect)(struct network *network, uint32_t connection, const char *reason);
        int (*get)(struct network *network, const char *exchange, uint64_t id, const char *url,
            const char *headers);
        int (*resolve)(struct network *network, uint64_t id, const char *host);
        bool (*take)(struct network *network, struct rest_answer *ret_answer);
        /* The next line of obmanage that stands in the place of the doors' (JSON_PADDING bytes
         * follow it; empty: who asked went away), or false; NULL: there is none ever. */
        bool (*command)(struct network *network, int64_t *ret_id, struct bytes *ret_line);
        /* What a run that is made again begins with; NULL: what the store has. */
        const struct network_past *(*past)(struct network *network);
        /* Wait for news, at most about 50 ms, and report it by the callbacks. */
        int (*run)(struct network *network);
        /* Make run return, from any thread; and has anybody done so since the last look? */
        void (*wake)(struct network *network);
        bool (*woken)(struct network *network);
        /* What the owner does that is no answer to a callback; NULL: nobody wants to know. */
        void (*note)(
            struct network *network, enum capture_kind kind, int64_t number, struct bytes text);
};

extern const struct network_ops network_sockets;   /* the real one */
extern const struct network_ops network_capturing; /* the same, and what comes is kept */

#endif
