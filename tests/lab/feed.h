/* The feeds of Coinbase: what a client's first subscription makes of a connection to "/". */
#ifndef LAB_FEED_H
#define LAB_FEED_H

#include "conn.h"

#define FEED_FIRST_NS                                                                              \
        (5 * NS_PER_S) /* to the first subscription, else the connection is closed                 \
                        */
#define FEED_FRAME_MAX (256u << 10)
#define FEED_NAMES CONN_STREAMS

/* Names of streams ("matches:BTC-USD") that a message asks for. */
struct feed_names {
        char *names[FEED_NAMES];
        size_t count;
        bool too_many;
};

/* Execute the message in conn->message and answer it. */
void feed_take(struct conn *conn);

/* Time goes by: the deadline of the first subscription, heartbeats. */
void feed_tick(struct conn *conn, int64_t now_ns);

/* The message of one API: it subscribes, or unsubscribes. */
void feed_exchange(struct conn *conn, struct json_value root, bool subscribes);
void feed_advanced(struct conn *conn, struct json_value root, bool subscribes);

/* Keep @channel:@product unless it is there; free them all. */
void feed_add_name(struct feed_names *names, const char *channel, struct span product);
void feed_free_names(struct feed_names *names);

/* Is that a product one may subscribe? */
bool feed_knows_product(struct lab *lab, enum venue venue, struct span product);

/* {"type":"error","message":...,"reason":...}, the reason if there is one. */
void feed_refuse(struct conn *conn, const char *message, const char *reason);

/* Subscribe them; the new ones move to the front and are counted. */
size_t feed_subscribe(struct conn *conn, struct feed_names *names);

/* Unsubscribe all names that begin with "@channel:", or only those of @names. */
void feed_unsubscribe(struct conn *conn, const struct feed_names *names);
void feed_unsubscribe_channel(struct conn *conn, const char *channel);

/* Append "BTC-USD","ETH-USD" of the channel; false if there is none. */
bool feed_print_products(const struct conn *conn, const char *channel, struct buffer *text);

#endif
