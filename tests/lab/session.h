/* A WebSocket session: its frames, its pings, its subscriptions. */
#ifndef LAB_SESSION_H
#define LAB_SESSION_H

#include "conn.h"
#include "http.h"

/* Is this where streams are served (/ws, /ws/..., /stream)? */
bool session_is_path(struct span path);

/* The upgrade is answered: subscribe what the address names. */
void session_begin(struct conn *conn, const struct request *request);

void session_received(struct conn *conn);
void session_tick(struct conn *conn, int64_t now_ns);

/* Subscribe or unsubscribe one name. An unknown one is kept and stays silent. ERR_FULL: more than
 * CONN_STREAMS would be subscribed. */
int session_subscribe(struct conn *conn, struct span name);
void session_unsubscribe(struct conn *conn, struct span name);

/* Over all connections: is the stream subscribed; how many depth streams are, of how many. */
bool session_has_stream(const struct lab *lab, uint32_t stream);
int session_count_depth(const struct lab *lab);
int session_count_all_depth(const struct lab *lab);

#endif
