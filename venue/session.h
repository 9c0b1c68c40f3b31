/* The session of one stream: when is its book known, what is a gap, what must be asked for.
 *
 * A stream may have two connections, for the while of a handover or all the time. Where there are
 * ids they are one: whatever is new counts, whichever brings it first, and what one has lost the
 * other fills in: events behind the hole are held until then, for 5 s at most, and not at all for
 * one that has said nothing for so long. A hole that both have is a gap at once. One that says
 * nothing for half a minute, while the other does, is subscribed anew.
 *
 * Pure: an input (with its time) goes in, actions come out; no socket, no clock, no memory of its
 * own. The owner carries the actions out in order. There are three ways to keep a stream:
 *
 * SYNC_BRIDGE: ids tell what is missing, an image from REST is bridged to them. Rules: Binance,
 *   "How to manage a local order book correctly" (2025-11-12), with the corrections that recorded
 *   traffic asks for.
 *     connecting -> subscribing -> buffering (until an image bridges) -> live -> buffering ...
 *
 * SYNC_SNAPSHOT: the stream brings the whole book first, then events without ids. The session
 *   counts them itself: session_next_id. What is lost shows only by a lost connection, by the
 *   connection's own count (INPUT_LOST) or by a crossed book; then a new snapshot is asked for, by
 *   a new subscription. Of two connections the old one counts until the new one's snapshot; where
 *   two are kept, until the new one has lasted ten minutes and brought another snapshot, so that
 *   one that comes and goes costs nothing. A cut of the one in use costs the book until the other
 *   one's snapshot: nothing tells which events of the two are the same.
 *     connecting -> subscribing -> buffering (until the snapshot) -> live -> buffering ...
 *
 * SYNC_TAPE: ids again, but no book and so no image: the record begins with any event.
 *     connecting -> subscribing -> live
 *   An id that is known is dropped. An exchange that counts anew would make us deaf: where 16
 *   events in a row, over a second or more, go up one by one but have fallen back by more than
 *   1,000,000 or to below half, the ids went back; a lagging connection and a repeated tail of the
 *   tape do not look like that. */
#ifndef VENUE_SESSION_H
#define VENUE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

/* How a stream's record is known to be whole. */
enum venue_sync {
        SYNC_BRIDGE,   /* by ids; an image from REST is bridged to them */
        SYNC_SNAPSHOT, /* the stream brings an image first; its events have no ids of their own */
        SYNC_TAPE,     /* by ids, and there is no book: trades */
};

enum session_state {
        SESSION_CONNECTING,
        SESSION_SUBSCRIBING,
        SESSION_BUFFERING,
        SESSION_LIVE,
        SESSION_REFUSED,
};

enum fetch_purpose {
        FETCH_FIRST,   /* there is no book */
        FETCH_RESYNC,  /* the book was lost */
        FETCH_REFRESH, /* a book is there; compare and correct it */
        FETCH_PROBE,   /* only its id: is the stream dead or quiet? */
        FETCH_PURPOSES,
};

enum session_input_kind {
        INPUT_OPENED,     /* a connection for this symbol is up */
        INPUT_SUBSCRIBED, /* ... and the subscription acknowledged */
        INPUT_CLOSED,     /* ... and gone */
        INPUT_EVENT,      /* first_id..last_id came on it; SNAPSHOT: without ids */
        INPUT_SNAPSHOT,   /* the whole book came on it: crossed. SNAPSHOT only */
        INPUT_PROOF,      /* it says that last_id is the exchange's newest. BRIDGE, TAPE only */
        INPUT_LOST,  /* something of it was lost or unreadable. SNAPSHOT; the others' ids tell */
        INPUT_IMAGE, /* the fetch with this number answered: id, crossed */
        INPUT_FETCH_FAILED, /* ... failed; at the earliest again at retry_ns */
        INPUT_REFUSED,      /* the exchange does not know the symbol */
        INPUT_CROSSED,      /* the last event, or one behind the image, crossed the book */
        INPUT_NOT_CARRIED,  /* a correction could not be carried forward */
        INPUT_TICK,
};

struct session_input {
        enum session_input_kind kind;
        int64_t now_ns; /* monotonic */
        uint32_t connection;
        int64_t first_id, last_id; /* EVENT; PROOF; CROSSED behind an image: the run that is kept */
        bool kept;                 /* CROSSED: the event is kept already */
        uint32_t fetch;            /* IMAGE, FETCH_FAILED: number of the fetch */
        int64_t image_id;
        bool image_crossed; /* IMAGE, SNAPSHOT */
        int64_t retry_ns;
};

enum session_action_kind {
        ACTION_KEEP,        /* store the event without a book (new_run: nothing before it counts) */
        ACTION_BEGIN,       /* TAPE: the record begins, or goes on, with this event */
        ACTION_APPLY,       /* apply and record the event */
        ACTION_DROP,        /* a duplicate, from an old connection, or an image of no use */
        ACTION_HOLD,        /* hold it in memory: it is ahead, the other connection fills in */
        ACTION_FORGET_HELD, /* what is held is of no use */
        ACTION_REPLAY_HELD, /* give what is held again, as events of this connection */
        ACTION_FETCH,       /* ask for an image: purpose, fetch number */
        ACTION_USE_IMAGE,   /* the image of this answer (SNAPSHOT: of this input) is the book */
        ACTION_WAIT_IMAGE,  /* keep the image of this answer: our book has not reached it yet */
        ACTION_CORRECT,     /* carry the image (kept or of this answer) forward, replace the book */
        ACTION_FORGET_IMAGE, /* the one that is kept */
        ACTION_GAP,          /* the book is lost: cause */
        ACTION_RESUBSCRIBE,  /* the subscription is dead, or a new snapshot is wanted: connection */
        ACTION_LIVE,         /* for the log: the book is live */
};

enum session_gap {
        SESSION_GAP_SEQUENCE,
        SESSION_GAP_DISCONNECT,
        SESSION_GAP_CROSSED,
        SESSION_GAP_SILENT,
};

struct session_action {
        enum session_action_kind kind;
        bool new_run;
        enum fetch_purpose purpose;
        uint32_t fetch;
        enum session_gap gap;
        int64_t expected_id; /* GAP: the id that should have come */
        uint32_t connection; /* RESUBSCRIBE: on this one; 0: on all */
        const char *why;     /* one word or two, for the log and the trace */
};

#define SESSION_ACTIONS_MAX 8

struct session_actions {
        unsigned count;
        struct session_action list[SESSION_ACTIONS_MAX];
};

struct session {
        enum venue_sync sync;
        enum session_state state;
        uint32_t primary, secondary; /* connections; 0: none */
        bool subscribed;             /* the primary's subscription is acknowledged */
        bool secondary_subscribed;
        uint32_t former; /* was the primary until its successor took over, and is still up */
        bool former_subscribed;
        uint32_t alone;            /* the only one that has brought anything new since; 0: none */
        int64_t alone_ns, mute_ns; /* ... and the other one is asked for again after so long */

        bool has_book;    /* TAPE: the record goes on without a gap */
        int64_t id;       /* of the book; TAPE: of the newest event; SNAPSHOT: our own count */
        bool any_id;      /* an empty image without an id: any event may follow */
        bool unconfirmed; /* the connection was lost since the last event; the ids will tell */

        bool has_run; /* events without a book */
        int64_t run_first, run_last;
        uint32_t run_by; /* the connection that brought the last of them */

        bool has_held;
        int64_t held_first, held_last;
        uint32_t held_by;
        int64_t held_until_ns; /* of two that carry the stream: the other fills in until then */
        bool given_up;         /* nobody will: what comes next is behind a gap */

        bool fetching;
        enum fetch_purpose purpose;
        uint32_t fetch;    /* number of the newest fetch */
        int64_t retry_ns;  /* fetch again at, where no fetch is under way; 0: not planned */
        unsigned failures; /* in a row, for the back-off */

        bool waiting_image;
        int64_t waiting_id, waiting_until_ns;

        int64_t refresh_ns; /* next re-image */
        int64_t refresh_period_ns;
        int64_t last_event_ns;            /* anything new of this symbol */
        int64_t probe_after_ns;           /* silence before the next probe; grows while quiet */
        unsigned behind;                  /* probes in a row that answered with an older id */
        bool probe_pending;               /* the exchange is ahead of us ... */
        int64_t probe_id, probe_until_ns; /* ... and we must have reached it by then */

        unsigned back_count; /* TAPE: known events in a row whose ids may have gone back ... */
        int64_t back_id, back_since_ns; /* ... up to this one, since then */
        int64_t resubscribe_ns;         /* SNAPSHOT, TAPE: subscribe anew at; 0: not planned */
        int64_t patience_ns; /* ... and the next time after so long; grows while nothing comes */
        int64_t live_ns;     /* SNAPSHOT: the book is live since */

        bool keeps_two;    /* SNAPSHOT: connections; the second one is a spare at first ... */
        bool spare;        /* ... whose snapshot came and was not used; */
        bool settled;      /* ... which has lasted: its next snapshot takes over */
        int64_t settle_ns; /* a snapshot is asked of it at; 0: not planned */
        uint64_t random;
};

#define SESSION_PROBE_MIN_NS INT64_C(60000000000)
#define SESSION_PROBE_MAX_NS INT64_C(600000000000)
#define SESSION_PROBE_GRACE_NS INT64_C(5000000000)
#define SESSION_BRIDGE_NS                                                                          \
        INT64_C(1500000000) /* an image ahead of the stream waits for it so long */
#define SESSION_WAIT_IMAGE_NS INT64_C(30000000000)
#define SESSION_FILL_NS INT64_C(5000000000)
#define SESSION_MUTE_NS INT64_C(30000000000)
#define SESSION_SETTLE_NS INT64_C(600000000000) /* a link replaces none that is needed so long */
#define SESSION_PATIENCE_MIN_NS INT64_C(30000000000)
#define SESSION_PATIENCE_MAX_NS INT64_C(600000000000)
#define SESSION_BACK_COUNT 16
#define SESSION_BACK_NS INT64_C(1000000000)
#define SESSION_BACK_IDS 1000000

/* @refresh_period_ns: between two re-images (BRIDGE). @seed: of the back-off's jitter. */
void session_init(struct session *session, enum venue_sync sync, int64_t refresh_period_ns,
    uint64_t seed, int64_t now_ns);

/* Go on where an earlier record ended, before the first input. SNAPSHOT: the count goes on; TAPE:
 * what is recorded already is known. */
void session_set_id(struct session *session, int64_t last_id);

/* Two connections are kept all the time: before the first input. */
void session_keep_two(struct session *session);

/* SNAPSHOT: the id that the next event gets. The owner stamps each event with it (first and last)
 * before the step; an image, also that of a correction, gets session->id. */
int64_t session_next_id(const struct session *session);

/* One step. @ret_actions is filled anew. */
void session_step(struct session *session, const struct session_input *input,
    struct session_actions *ret_actions);

/* The owner could not keep more: an image must reach this event now, or what is held is gone. */
void session_run_began(struct session *session, int64_t first_id);
void session_held_lost(struct session *session);
/* The image that waits is of no use any more: another one is fetched. */
void session_image_lost(struct session *session);

/* More levels are wanted than the last image had: refresh soon. */
void session_refresh_soon(struct session *session, int64_t at_ns);

const char *session_state_name(enum session_state state);
const char *session_gap_name(enum session_gap gap);
const char *fetch_purpose_name(enum fetch_purpose purpose);

#endif
