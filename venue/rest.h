/* REST requests and name look-ups, on a thread of their own. (libcurl behind it.)
 *
 * Jobs are queued from the loop, answers are taken there; in between nothing is shared. The thread
 * keeps a few transfers under way at once (REST_PARALLEL) over kept-alive connections. TLS is
 * always verified; plain only to loopback; redirects are not followed. Proxy variables of the
 * environment are obeyed (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, lower case too; a loopback
 * host never goes through a proxy). */
#ifndef VENUE_REST_H
#define VENUE_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

#define REST_PARALLEL 4
#define REST_ADDRESSES 16
#define REST_ADDRESS_SIZE 64

struct rest;

struct rest_options {
        const char *ca_file;         /* extra trusted certificates, or NULL */
        int timeout_ms;              /* of one request, connect included; 0: 20,000 */
        void (*wake_cb)(void *user); /* an answer is there; called on the thread */
        void *user;
};

struct rest_answer {
        uint64_t id;
        int code;              /* 0: an HTTP answer came (see status); else ERR_*, text says why */
        int status;            /* HTTP status */
        int64_t retry_after_s; /* -1 if absent or unreadable */
        int64_t used_weight;   /* X-MBX-USED-WEIGHT-1M, any case; -1 if absent */
        int64_t received_ns;   /* wall clock, body complete */
        struct buffer body;    /* JSON_PADDING bytes follow it; owned by the taker */
        char text[256];
        /* of a look-up: */
        size_t address_count;
        char addresses[REST_ADDRESSES][REST_ADDRESS_SIZE];
};

int rest_open(struct rest **ret_rest, const struct rest_options *options, struct error *error);

/* Ends the thread; transfers under way are given up. */
void rest_close(struct rest *rest);

/* Queue a GET of @url with these header lines ("Name: value", each with a newline). ERR_FULL
 * (LIMIT_REST_QUEUE). The answer carries @id; its code is ERR_DENIED for plain http to another
 * machine, and the network was not touched then. */
int rest_get(struct rest *rest, uint64_t id, const char *url, const char *headers);

/* The same, with @body (copied) posted. */
int rest_post(
    struct rest *rest, uint64_t id, const char *url, const char *headers, const char *body);

/* Queue the look-up of @host (also a numeric address, with or without []). Addresses come in the
 * system's order of preference, IPv6 and IPv4. */
int rest_resolve(struct rest *rest, uint64_t id, const char *host);

/* Take the next answer, or false. Free answer->body with buffer_deinit. */
bool rest_take(struct rest *rest, struct rest_answer *ret_answer);

/* The proxy that the environment names for a target ("host:port" into @ret_proxy), or false. */
bool rest_proxy(const char *host, bool tls, char *ret_proxy, size_t size);

/* Does @host name this machine (localhost, 127/8, ::1)? Only those may be spoken to plain. */
bool rest_is_loopback(const char *host);

/* Take an address apart: "wss://host[:port][/path]", schemes ws wss http https. The path is "" if
 * there is none, without a trailing slash. ERR_PARSE; ERR_DENIED plain to another machine. */
struct rest_url {
        char host[256];
        char path[1024];
        uint16_t port;
        bool tls;
};
int rest_url_parse(const char *text, struct rest_url *ret_url);

#endif
