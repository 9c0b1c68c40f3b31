/* The laboratory exchange: what its parts share.
 *
 * One thread, one libwebsockets loop. The parts know each other only through struct lab: the tape
 * (what is played), the player (when), delivery and faults (to whom, and how it goes wrong),
 * connections (bytes in, bytes out), REST, and the journal of what really happened. */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include <libwebsockets.h>

#include "base/clock.h"
#include "base/json.h"
#include "journal.h"
#include "replica.h"
#include "tape.h"

struct options {
        int port;
        bool plain;
        bool hold;
        const char *ca_out;
        const char *ready_out;
        const char *journal;
        const char *streams;
        const char *faults;
        double speed; /* 0: as fast as the peers take it */
        int expect;   /* depth streams that must be subscribed first; -1: all */
        int64_t expect_timeout_ns;
        int64_t linger_ns; /* -1: for ever */
        unsigned loop;
        uint64_t seed;
        int64_t ping_interval_ns;
        int64_t pong_timeout_ns;
        int64_t life_ns;
        int rest_weight;
        bool tick_from_data;
        const char *coinbase_key;
        const char *coinbase_secret;
        const char *coinbase_passphrase;
        bool coinbase_book_auth;
        const char *product_status;
};

/* One capture's place in play. */
struct reel {
        size_t next;
        unsigned repetition;
        int64_t shift_ns; /* added to its times by holds */
        int64_t held_since_ns;
        uint32_t held_symbol;
};

enum play_state {
        PLAY_WAITING, /* for subscriptions */
        PLAY_RUNNING,
        PLAY_ENDED,
};

struct player {
        enum play_state state;
        int64_t ready_ns; /* serving since */
        int64_t start_ns;
        int64_t end_ns;
        int64_t idle_since_ns; /* at full speed with nobody there */
        int64_t drained_ns;
        uint64_t emitted;
        struct reel reels[TAPE_CAPTURES];
        struct replica replicas[TAPE_SYMBOLS];
        bool answered[TAPE_SYMBOLS]; /* depth was asked for after the subscription */
        lws_sorted_usec_list_t timer;
};

#define REST_ENDPOINTS 8

/* Counters of Coinbase's requests; those of Binance come first. */
enum rest_counter {
        REST_COINBASE_TIME = 5,
        REST_PRODUCTS,
        REST_PRODUCT,
};

struct rest_state {
        int64_t minute;
        int64_t weight;
        int64_t banned_until_ns;
        int ignored; /* requests since the first 429 */
        int64_t depth_requests[TAPE_SYMBOLS];
        int64_t requests[REST_ENDPOINTS];
};

struct conn;
struct fault;
struct held;

struct lab {
        struct options options;
        struct tape tape;
        struct journal journal;
        struct json_parser *parser;
        struct lws_context *context;
        struct lws_vhost *vhost;
        int port;
        bool stopping;
        struct conn *conns;
        unsigned conn_count; /* ever opened: their numbers */
        unsigned websocket_count;
        struct player player;
        struct rest_state rest;
        struct fault *faults;
        size_t fault_count;
        struct held *held;
        struct buffer scratch;
        uint64_t random;
        lws_sorted_usec_list_t tick;
};

#endif
