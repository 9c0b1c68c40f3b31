/* The doors of a running logger: its control socket, its control port, and its pages over HTTP.
 *
 * A thread of its own serves all three (libwebsockets behind it): it accepts, checks who asks,
 * splits lines, and hands over whole requests by a queue. The owner, who wakes by wake_cb, takes
 * them and answers by their number, from one thread. Whatever comes from a door costs the owner
 * nothing until it is a whole request of somebody who may ask.
 *
 * A connection has one request at a time: its next line is looked at when the last one's answer has
 * ended. Over the socket who may write to the file may ask; over TCP who holds the key, see
 * control/proof.h and schema/control.md; pages are for everybody who reaches the address. */
#ifndef CONTROL_SERVER_H
#define CONTROL_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

#define CONTROL_PROTOCOL 1
#define CONTROL_LINE_SIZE 65536         /* of a request; a longer one ends its connection */
#define CONTROL_CONNECTIONS 32          /* a door; one more is closed at once */
#define CONTROL_STRANGERS 8             /* of them on TCP that have not proved themselves */
#define CONTROL_PROOF_MS 5000           /* for TLS and the proof */
#define CONTROL_IDLE_MS 600000          /* without a request, and none under way */
#define CONTROL_ANSWER_SIZE (64u << 20) /* bytes that wait for a slow reader: a whole book fits */
#define CONTROL_ATTEMPTS 5 /* wrong keys in a minute; then TCP is shut to strangers for one */

struct control_server;

struct control_options {
        const char *socket_path; /* made with mode 0660, taken away at the end; NULL: none */
        const char *address;     /* numeric, of the TCP door */
        uint16_t port;           /* 0: no TCP door */
        const char *key;         /* of the TCP door; not empty; copied, and wiped at the end */
        const char *tls_cert, *tls_key; /* PEM files; NULL: plain, for a loopback address only */
        const char *pages_address;
        uint16_t pages_port;         /* 0: no pages */
        void (*wake_cb)(void *user); /* something is to be taken; called on the thread */
        void *user;
};

enum control_kind {
        CONTROL_LINE, /* text is the line, without its end */
        CONTROL_PAGE, /* text is the path of a GET, without a query */
        CONTROL_GONE, /* whoever asked this does not listen any more: its number is free */
};

struct control_request {
        uint64_t id; /* never 0, never used twice */
        enum control_kind kind;
        struct buffer text; /* NUL follows it; the taker's, buffer_deinit. LINE: JSON_PADDING too */
};

struct control_stats {
        uint64_t connections, refused, wrong_keys, requests;
};

/* A socket file that nobody serves any more is replaced; one that somebody serves is ERR_BUSY.
 * ERR_DENIED, ERR_IO: the error names the door and why. ERR_USAGE: plain and not loopback, a door
 * without a key, a certificate that cannot be read. */
int control_open(
    struct control_server **ret_server, const struct control_options *options, struct error *error);

/* Ends the thread and closes all doors, after what is answered already was sent, at most for about
 * a second. NULL is allowed. */
void control_close(struct control_server *server);

/* The next request, or false. */
bool control_take(struct control_server *server, struct control_request *ret_request);

/* One line of the answer to a CONTROL_LINE (copied, an end of line is added). @last: nothing more
 * follows; the number is free. A number that is not known any more is passed over.
 * false: so much waits for its slow reader that the line was not taken. */
bool control_answer(
    struct control_server *server, uint64_t id, const char *text, size_t size, bool last);

/* The answer to a CONTROL_PAGE: HTTP status, media type, body (copied). The number is free. */
void control_page(struct control_server *server, uint64_t id, int status, const char *type,
    const char *text, size_t size);

struct control_stats control_stats(struct control_server *server);

#endif
