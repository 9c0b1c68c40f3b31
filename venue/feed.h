/* WebSocket connections to exchanges, on one thread: the loop. (libwebsockets behind it.)
 *
 * A connection has a number that is never used again, so late news of an old one cannot be taken
 * for a new one's. Everything is reported through the callbacks, from within feed_run, after
 * feed_connect has returned; a connection's last report is closed_cb. Pings are answered at once
 * by the loop. TLS is always verified; plain only to loopback. */
#ifndef VENUE_FEED_H
#define VENUE_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct feed;

struct feed_callbacks {
        void (*open_cb)(uint32_t connection, void *user);
        /* One whole message. JSON_PADDING bytes after @text are readable and writable; valid until
         * the callback returns. @receive_time_ns: wall clock when its first piece came. */
        void (*message_cb)(
            uint32_t connection, char *text, size_t size, int64_t receive_time_ns, void *user);
        /* A message beyond LIMIT_MESSAGE_SIZE or a binary one was thrown away. */
        void (*refused_cb)(uint32_t connection, size_t size, const char *reason, void *user);
        /* Any frame at all, pings and pongs too: the connection lives. */
        void (*alive_cb)(uint32_t connection, void *user);
        /* @reason: one line. Also for a connect that failed. */
        void (*closed_cb)(uint32_t connection, const char *reason, void *user);
        /* About every 50 ms, for timers, and at once after feed_wake. */
        void (*tick_cb)(void *user);
        void *user;
};

struct feed_options {
        const char *ca_file; /* extra trusted certificates, or NULL */
        size_t message_size; /* the usual largest message: bigger ones cost a copy (64 KiB) */
        int connect_ms;      /* until the WebSocket is open; 0: 10,000 */
        int quiet_ms;        /* silence before a ping of our own; 0: 20,000 */
};

struct feed_target {
        const char *host; /* for TLS and the Host header */
        const char *path;
        uint16_t port;
        bool tls;
        const char *address; /* numeric address of the host, or of the proxy, resolved elsewhere */
        const char *proxy;   /* "host:port" of an HTTP proxy to tunnel through, or NULL */
};

int feed_open(struct feed **ret_feed, const struct feed_options *options,
    const struct feed_callbacks *callbacks, struct error *error);

/* Closes every connection without further reports. */
void feed_close(struct feed *feed);

/* Begin to connect; the number of the connection, or 0 with @error set (nothing was begun). */
uint32_t feed_connect(struct feed *feed, const struct feed_target *target, struct error *error);

/* Queue one text message (copied). ERR_NOT_FOUND no such open connection, ERR_FULL 1 MiB waits. */
int feed_send(struct feed *feed, uint32_t connection, const char *text, size_t size);

/* Say goodbye to a connection. Its closed_cb still comes, with @reason. */
void feed_disconnect(struct feed *feed, uint32_t connection, const char *reason);

/* Wait for news and report it, once. ERR_IO when the loop itself is broken. */
int feed_run(struct feed *feed);

/* Make feed_run return and tick_cb come; from any thread or a signal handler's thread. */
void feed_wake(struct feed *feed);

#endif
