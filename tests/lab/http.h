/* HTTP/1.1 as much as REST clients and a WebSocket upgrade need. */
#ifndef LAB_HTTP_H
#define LAB_HTTP_H

#include "conn.h"

struct request {
        struct span method;
        struct span path;       /* before the question mark */
        struct span query;      /* after it */
        struct span target;     /* both, as they were sent */
        struct span key;        /* Sec-WebSocket-Key, empty without an upgrade */
        struct span agent;      /* User-Agent */
        struct span access_key; /* CB-ACCESS-... */
        struct span access_sign;
        struct span access_timestamp;
        struct span access_passphrase;
        bool keep_alive;
};

/* An answer; body is owned by whoever made it. */
struct answer {
        int status;
        int retry_after_s;   /* 0: no such header */
        int64_t used_weight; /* negative: no such header */
        int64_t delay_ns;
        bool cut_body; /* announce it whole, send half, close */
        struct buffer body;
};

/* Take the requests that have come in and answer them; an upgrade begins a session. */
void http_received(struct conn *conn);

/* Send the slow answer that is due, and go on with the next request. */
void http_send_late(struct conn *conn);

/* Append @text with its %XX undone. */
void http_decode(struct span text, struct buffer *out);

/* The value of @name in a query string, percent-decoded into @text; false if it is not there. */
bool http_query(struct span query, const char *name, struct buffer *text);

#endif
