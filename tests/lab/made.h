/* Messages of Coinbase that are made for one connection: snapshots, last_match, heartbeats, and
 * the answers to what it asked for. */
#ifndef LAB_MADE_H
#define LAB_MADE_H

#include "conn.h"

#define MADE_LIMIT (32u << 20)

/* Send a made message; @name is what journal and faults call it ("snapshot:level2:BTC-USD"). */
void made_send(struct conn *conn, const char *name, struct span text);

/* What a subscriber of @name ("matches:BTC-USD") gets first. */
void made_send_first(struct conn *conn, const char *name);

/* The heartbeats that are due. */
void made_tick(struct conn *conn, int64_t now_ns);

/* Begin a message of Advanced Trade, up to its list of events; takes the next sequence_num. */
void made_begin_advanced(struct conn *conn, const char *channel, struct buffer *text);

#endif
