/* One connection: bytes in, bytes out, first as HTTP, after an upgrade as WebSocket.
 *
 * What goes out is queued; each stream message leaves a mark with its end in the queue, so that
 * the journal can say "sent" when its last byte is handed to the socket. */
#ifndef LAB_CONN_H
#define LAB_CONN_H

#include "frame.h"
#include "lab.h"

#define CONN_FRAMES_PER_S 5
#define CONN_FRAMES_MOST 100 /* a second, of any venue */
#define CONN_STREAMS 1024
#define CONN_FRAME_MAX 4096          /* larger ones are ignored, and all that follows */
#define CONN_QUEUE_PACED (64u << 20) /* more than this queued: the peer does not read */
#define CONN_QUEUE_FAST (256u << 10) /* at full speed the player waits beyond this */
#define CONN_PING_SIZE 24

#define WANTED_NAME 1
#define WANTED_ALIAS 2

/* A queued stream message: journalled as sent when byte @end has been handed over. */
struct mark {
        uint64_t end;
        uint64_t sequence;
        uint32_t stream;        /* TAPE_NONE: a made message */
        char *made;             /* owned: what that is called */
        int64_t venue_sequence; /* 0: it has none */
        int64_t turn;           /* sequence_num; negative: it has none */
        bool by_alias;
        bool is_binary;
        struct span altered; /* owned; what a fault made of the message, or a made one */
        const char *fault;   /* static; NULL for an untouched message */
};

struct conn {
        struct conn *next;
        struct lab *lab;
        struct lws *wsi;
        unsigned number;
        unsigned websocket; /* its number among WebSocket connections; 0: it is none */
        int64_t opened_ns;
        bool is_ws;
        enum venue venue; /* whose client it is */
        bool undecided;   /* a client of Coinbase that has subscribed nothing yet */
        int64_t upgraded_ns;
        uint64_t turns;          /* of Advanced Trade: messages sent, which number them */
        uint64_t turn;           /* the number of the message in hand */
        int64_t heartbeat_at_ns; /* 0: before the first subscription */
        uint64_t heartbeats;
        bool combined;
        bool frozen;        /* an oversized frame came: nothing it says is heard any more */
        bool dropping;      /* close when the queue is empty */
        bool gone;          /* close now */
        bool half_message;  /* a fragmented message is being gathered */
        size_t skip;        /* bytes of an oversized frame still to pass over */
        int64_t closing_ns; /* a close frame was queued then */
        const char *closed_by;
        struct buffer in;
        struct buffer message;
        struct buffer out;
        size_t out_at;      /* bytes of out that are handed over */
        uint64_t out_total; /* bytes ever queued */
        struct mark *marks;
        size_t mark_count;
        size_t mark_at;
        char **names; /* of the subscribed streams, as asked */
        size_t name_count;
        uint8_t wanted[TAPE_STREAMS];
        int64_t frame_times[CONN_FRAMES_MOST + 1];
        size_t frame_count;
        int64_t ping_at_ns; /* the next one */
        int64_t ping_sent_ns;
        bool ping_open;
        char ping[CONN_PING_SIZE];
        int64_t stalled_until_ns;
        bool stall_loses;
        int64_t later_ns; /* a slow answer waits in late until then */
        struct buffer late;
        bool late_closes;
        int64_t shutdown_ns;
};

/* The libwebsockets callback of every connection, and its protocol table. */
extern const struct lws_protocols conn_protocols[];

/* Queue bytes, or a whole frame, and have them written. */
void conn_write(struct conn *conn, struct span bytes);
void conn_frame(struct conn *conn, enum frame_code code, struct span payload);

/* Note that what was queued last is this stream message. */
void conn_mark(struct conn *conn, const struct mark *mark);

/* Bytes that wait. */
size_t conn_queued(const struct conn *conn);

/* A close frame, then the end. */
void conn_close(struct conn *conn, unsigned code, const char *reason);

/* The end once all is written, without a close frame. */
void conn_finish(struct conn *conn, const char *reason);

/* A reset at once: what is queued is lost. */
void conn_cut(struct conn *conn, const char *reason);

/* Nothing is sent or read for a while; messages of that time are lost, or wait. */
void conn_stall(struct conn *conn, int64_t ns, bool loses);
bool conn_is_stalled(const struct conn *conn);

/* Does this connection take stream messages at present? */
bool conn_is_live(const struct conn *conn);

/* Time goes by: pings, deadlines, ends. Once for every connection, each tick. */
void conn_tick(struct lab *lab, int64_t now_ns);

#endif
