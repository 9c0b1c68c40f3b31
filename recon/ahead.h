/* A replay whose decoder runs in a thread of its own, ahead of those who take its events.
 *
 * The callbacks are called in the caller's thread, in the order and with the values that
 * recon_replay gives. The book stays with the decoder: what a caller wants to know of it is a
 * number, worked out there. The decoder is at most LIMIT_AHEAD_CHUNKS chunks ahead. */
#ifndef RECON_AHEAD_H
#define RECON_AHEAD_H

#include "recon/recon.h"

/* A number of a book, like digest_book. Called in the decoder's thread: it may read its arguments,
 * and nothing else that is not its own. */
typedef uint64_t (*ahead_sum_cb)(const struct book *book, const struct scale *scale);

typedef void (*ahead_image_cb)(uint64_t sum, const struct scale *scale, void *user);

struct ahead_callbacks {
        replay_event_cb event_cb; /* @book is NULL; all else is borrowed until it returns */
        replay_event_cb pass_cb;  /* events outside the range, likewise; may be NULL */
        ahead_sum_cb sum_cb;      /* of each book that an image set; not NULL with image_cb */
        ahead_image_cb image_cb;  /* takes that number before the next event; may be NULL */
        void *user;
};

/* As recon_replay. Until it returns, reader and stream belong to it. An error of the decoder comes
 * after the events that lie before it. With one processor there is no second thread. */
int recon_replay_ahead(struct reader *reader, const struct recon_stream *stream,
    const struct replay_options *options, const struct ahead_callbacks *callbacks,
    struct error *error);

/* The same, with a second thread (@apart) or without, whatever the machine has. */
int ahead_replay(struct reader *reader, const struct recon_stream *stream,
    const struct replay_options *options, const struct ahead_callbacks *callbacks, bool apart,
    struct error *error);

#endif
