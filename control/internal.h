/* What the files of the server share: doors, connections, and the queue between thread and owner.
 *
 * All of it belongs to the thread, but for what is marked as under the lock: the list of the
 * connections, what waits to be sent on each, and the requests that wait for the owner. */
#ifndef CONTROL_INTERNAL_H
#define CONTROL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/json.h"
#include "control/proof.h"
#include "control/server.h"

#define TYPE_SIZE 128 /* of a media type */

struct lws;
struct lws_context;
struct lws_vhost;
struct ssl_st;
struct ssl_ctx_st;

enum door_kind {
        DOOR_SOCKET,
        DOOR_PORT,
        DOOR_PAGES,
        DOOR_COUNT,
};

/* A complaint that a hostile peer can cause as often as he likes: said once, then counted. */
struct notice {
        int64_t said_ns; /* 0: never */
        uint64_t held;
};

struct door {
        struct control_server *server;
        enum door_kind kind;
        char name[160]; /* for error and log lines */
        int fd;         /* that listens; -1: no such door */
        struct lws *wsi;
        unsigned connections;
        unsigned strangers; /* of them, on the port */
        bool paused;        /* no descriptors were left: tried again at the next tick */
        struct notice full, wrong_key;
};

enum connection_state {
        STATE_HANDSHAKE, /* of TLS */
        STATE_PROOF,
        STATE_OPEN,
        STATE_ENDING, /* its last words are being sent */
        STATE_LINGER, /* they are sent: what still comes is passed over, or they would be lost */
};

struct chunk {
        struct chunk *next;
        size_t capacity;
        size_t begin; /* what is before it was sent */
        size_t end;
        uint8_t data[];
};

struct connection {
        struct connection *next; /* under the lock */
        struct control_server *server;
        struct door *door;
        struct lws *wsi;
        int fd;
        struct ssl_st *tls;
        enum connection_state state;
        bool stranger;
        bool wants_write;
        int64_t since_ns; /* the state, or the last that it did in STATE_OPEN */
        struct buffer input;
        size_t begin; /* what is before it in input was taken */
        char nonce[PROOF_NONCE_SIZE];

        /* under the lock */
        uint64_t id; /* of the request that the owner answers; 0: none */
        struct chunk *first, *last;
        size_t waiting; /* bytes in them */
        bool overrun;   /* the reader was too slow */
        int status;     /* of a page, when it is there */
        char type[TYPE_SIZE];

        bool is_head;    /* a page of which the headers only are asked */
        bool is_started; /* its headers were sent */
};

struct asked {
        struct asked *next;
        struct control_request request;
};

/* Wrong keys, and until when strangers are turned away for them. */
struct attempts {
        int64_t wrong_ns[CONTROL_ATTEMPTS]; /* a ring; 0: none */
        unsigned next;
        int64_t shut_until_ns;
};

struct control_server {
        struct door doors[DOOR_COUNT];
        char *socket_path;
        dev_t socket_device;
        ino_t socket_inode;
        char *key;
        struct ssl_ctx_st *tls;
        void (*wake_cb)(void *user);
        void *user;
        struct json_parser *json;
        struct attempts attempts;
        struct lws_context *context;
        struct lws_vhost *vhost;
        void *tick; /* its timer */
        pthread_t thread;
        bool running;
        atomic_bool stopping;

        pthread_mutex_t lock;
        struct connection *connections; /* under the lock, as are all that follow */
        struct asked *asked_first, *asked_last;
        uint64_t last_id;
        bool woken; /* the thread was told to look and has not looked yet */
        struct control_stats stats;
};

/* words.c: what a line says, without any socket */

/* The line at the start of @data: 1, its size without its end, and what it takes up with it.
 * 0: its end has not come. ERR_FULL: it has over CONTROL_LINE_SIZE bytes. */
int line_split(const uint8_t *data, size_t size, size_t *ret_size, size_t *ret_used);

/* What is wrong with a line that should be one JSON object, or NULL. JSON_PADDING follows it. */
const char *line_check(
    struct json_parser *json, const char *line, size_t size, struct json_value *ret_root);

void attempts_note(struct attempts *attempts, int64_t now_ns);
bool attempts_are_too_many(const struct attempts *attempts, int64_t now_ns);

/* doors.c: listening sockets and TLS */

int door_open_socket(struct control_server *server, const char *path, struct error *error);
int door_open_tcp(
    struct door *door, const char *address, uint16_t port, bool loopback_only, struct error *error);
int doors_load_tls(
    struct control_server *server, const struct control_options *options, struct error *error);

/* Take the socket's file away if it is still the one that was made. */
void doors_remove_file(struct control_server *server);

/* Log a complaint, at most one a minute. @count 0: say what was held back. */
void notice_say(struct notice *notice, const struct door *door, const char *what, unsigned count);

/* queue.c: between thread and owner */

void queue_add(struct connection *connection);

/* Take it off the list; whoever waits for its answer is told. */
void queue_remove(struct connection *connection);

void queue_ask(
    struct connection *connection, enum control_kind kind, const void *text, size_t size);

/* Words of the server itself, with an end of line. */
void queue_put(struct connection *connection, const char *text);

/* No request is under way and all is sent. */
bool queue_is_idle(struct connection *connection);

/* The next bytes to be sent, or NULL; they stay where they are until queue_shift. */
const uint8_t *queue_front(struct connection *connection, size_t *ret_size);
void queue_shift(struct connection *connection, size_t size);

/* A page is done: nothing of it waits any more. */
void queue_drop(struct connection *connection);

/* server.c: what the others ask of the loop. loop_wake is the one for any thread. */

void loop_wake(struct control_server *server);
void loop_want_write(struct connection *connection);
void loop_want_read(struct connection *connection, bool wanted);
void loop_kill(struct connection *connection);

/* lines.c */

void lines_begin(struct connection *connection);

/* Something can be read or written. false: close it. */
bool lines_go_on(struct connection *connection);
bool lines_is_late(struct connection *connection, int64_t now_ns);
void lines_end(struct connection *connection);

/* pages.c: the callback of the library */

int pages_on_event(
    struct lws *wsi, struct connection *connection, int reason, void *in, size_t size);
bool pages_is_late(struct connection *connection, int64_t now_ns);

#endif
