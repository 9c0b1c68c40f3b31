/* The life of a group of streams' connections to one exchange.
 *
 * One connection at a time carries all streams of the group; before the exchange ends it (24 h, or
 * when it says that it will) a second one is brought up beside it, and the first is let go once the
 * second carries everything. Where two lines are wanted, the second one stays: each is replaced
 * alone when it dies; when it reaches its life, only while the other carries all. The older one has
 * at most half a life left when the newer begins. Members may share a name (a book and its trades
 * on one channel): it is subscribed for all of them at once, and unsubscribed when the last one
 * leaves. Pure: inputs are functions with their time, link_next gives what is to be done until
 * there is no more. Limits: Binance, "WebSocket limits": 1,024 streams a connection, 5 messages a
 * second, 24 h; a SUBSCRIBE of over 4,096 bytes freezes the connection. */
#ifndef VENUE_LINK_H
#define VENUE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_MEMBERS_MAX 1024
#define LINK_NAME_SIZE 128   /* of a stream, with its end */
#define LINK_BATCH_MAX 100   /* names in one command */
#define LINK_REFUSALS 8      /* in a row, then commands wait longer and longer */
#define LINK_BATCH_SIZE 3800 /* bytes of names in one command */
#define LINK_COMMAND_NS INT64_C(350000000)
#define LINK_ACK_NS INT64_C(10000000000)
#define LINK_OPEN_NS INT64_C(20000000000)
#define LINK_OVERLAP_NS INT64_C(30000000000) /* both connections carry all so long, at most */
#define LINK_SETTLE_NS INT64_C(900000000000) /* a line at its end waits for the other so long */
#define LINK_ANY UINT32_MAX /* an answer that names no command: it is to the one that waits */

enum link_member_state {
        MEMBER_UNSENT, /* to be subscribed, if the place has a user */
        MEMBER_SENT,
        MEMBER_SUBSCRIBED,
        MEMBER_LEAVING, /* to be unsubscribed */
        MEMBER_LEFT,    /* ... the command is out; then to be subscribed anew */
};

enum link_connection_state {
        CONNECTION_NONE,
        CONNECTION_CONNECTING,
        CONNECTION_OPEN,
};

struct link_connection {
        enum link_connection_state state;
        uint32_t number;
        int64_t since_ns; /* of its state */
        int64_t alive_ns;
        int64_t command_ns;   /* the last command went out at; */
        int64_t ack_until_ns; /* its answer must come by; 0: none is awaited */
        uint32_t pending_id;
        unsigned pending_frames; /* answers to come */
        size_t pending_names;
        bool pending_unsubscribe;
        unsigned stray_frames; /* answers to come of a command that was refused */
        int64_t complete_ns;   /* everything has been subscribed since; 0: not yet */
        int64_t life_ns;
        const char *leaving; /* it is to be closed, and why */
        bool refused;        /* its last command was */
        uint8_t members[LINK_MEMBERS_MAX];
};

struct link_member {
        void *user; /* NULL: the place is free, or waits until its stream is unsubscribed */
        char name[LINK_NAME_SIZE]; /* of its stream */
        bool bridged;              /* the next connection delivers it */
        unsigned refusals;         /* of it alone, in a row; it is asked for again at retry_ns */
        int64_t retry_ns;
};

struct link {
        struct link_connection
            connections[2]; /* in use and its successor; two lines: older first */
        struct link_member members[LINK_MEMBERS_MAX];
        size_t member_count; /* places ever used */
        size_t live_count;   /* places in use */
        int64_t silence_ns, life_ns;
        unsigned lines;     /* connections that are kept: 1 or 2 */
        char silent[32];    /* why a connection was ended for its silence */
        int64_t connect_ns; /* the next attempt, not before */
        unsigned failures;
        bool rotate;       /* a successor is wanted */
        size_t batch;      /* names in one command: fewer after a refusal */
        unsigned refusals; /* in a row */
        uint32_t next_command;
        uint64_t random;
        /* news still to be given out by link_next */
        unsigned report_connection;
        size_t report_member;
        enum {
                REPORT_NONE,
                REPORT_OPENED,
                REPORT_SUBSCRIBED,
                REPORT_CLOSED
        } report;
        uint32_t report_number;
};

enum link_action_kind {
        LINK_CONNECT,    /* call link_connecting with the number, or link_closed with 0 */
        LINK_DISCONNECT, /* connection, why */
        LINK_SUBSCRIBE,  /* send a command with id and the names of the members in the list */
        LINK_UNSUBSCRIBE,
        LINK_OPENED, /* tell this member: its next connection is up */
        LINK_SUBSCRIBED,
        LINK_CLOSED,
};

struct link_action {
        enum link_action_kind kind;
        uint32_t connection;
        uint32_t command_id;
        const char *why;
        void *user; /* OPENED, SUBSCRIBED, CLOSED: of the member */
        size_t name_count;
        const char *names[LINK_BATCH_MAX]; /* until the next call of any function here */
};

/* @silence_ns: a connection without any frame for so long is dead. @life_ns: a successor is brought
 * up after so long, or a little less; 0: never. */
void link_init(
    struct link *link, uint64_t seed, int64_t silence_ns, int64_t life_ns, int64_t now_ns);

/* Connections that are kept all the time, 1 (as it begins) or 2: before the first link_next. */
void link_set_lines(struct link *link, unsigned lines);

/* A place for one more stream, or -1 if the connection is full or the name too long. @name: copied.
 */
int link_add(struct link *link, const char *name, void *user);
/* Nothing is told to this member any more; its stream is unsubscribed. */
void link_remove(struct link *link, int member);

void link_connecting(struct link *link, uint32_t connection, int64_t now_ns);
void link_opened(struct link *link, uint32_t connection, int64_t now_ns);
void link_closed(struct link *link, uint32_t connection, int64_t now_ns);
void link_alive(struct link *link, uint32_t connection, int64_t now_ns);
/* The command that link_next gave went out as so many frames, each of which will be answered; one,
 * where this is not called. */
void link_sent(struct link *link, uint32_t connection, unsigned frames);
/* A frame of the command was answered. @command_id: or LINK_ANY. One bad name makes an exchange
 * refuse the whole command: what it named is then asked for in halves, and a name that is refused
 * alone waits, longer each time, so that it harms no other. */
void link_answered(
    struct link *link, uint32_t connection, uint32_t command_id, bool refused, int64_t now_ns);
/* The exchange will end this connection soon. */
void link_shutdown(struct link *link, uint32_t connection);
/* Subscribe this member anew: its stream is dead. So are those that share its name. Two lines: on
 * both. */
void link_resubscribe(struct link *link, int member);
/* ... on this connection alone. */
void link_resubscribe_on(struct link *link, int member, uint32_t connection);
/* The successor delivers this member's events without a hole. */
void link_bridged(struct link *link, int member, uint32_t connection);

/* The next thing to do at @now_ns, or false. Call until false after each input and each tick. */
bool link_next(struct link *link, int64_t now_ns, struct link_action *ret_action);

/* The number of the connection in use (0) or its successor (1; the second line) if it is open, else
 * 0. */
uint32_t link_open_number(const struct link *link, int which);

/* Does a command wait for its answer there? */
bool link_awaits_answer(const struct link *link, uint32_t connection);

/* The connection in use is open and everything on it is subscribed. */
bool link_is_complete(const struct link *link);

#endif
