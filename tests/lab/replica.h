/* The laboratory's own book: what the exchange would answer at a position of play.
 *
 * It is the captured image and the captured events after it, level texts set by slot; nothing is
 * computed. A position is (pass, events done of that pass): every pass begins with the image,
 * because the seam between two passes turns the last book into the first one. */
#ifndef LAB_REPLICA_H
#define LAB_REPLICA_H

#include "tape.h"

struct replica {
        const struct symbol *symbol;
        int64_t last_id;
        struct span *bids; /* quantity by slot, size 0 without a level */
        struct span *asks;
        size_t position; /* events applied */
};

/* The book of @symbol @behind events before its present position. Deinit it. */
void replica_init(struct replica *replica, const struct symbol *symbol, size_t behind);
void replica_deinit(struct replica *replica);

/* Make the book that of @symbol's present position, applying only what is new. */
void replica_advance(struct replica *replica);

/* What update ids grow by from pass to pass, and the id of the seam that ends pass @repetition. */
int64_t replica_id_shift(const struct symbol *symbol);
int64_t replica_seam_id(const struct symbol *symbol, unsigned repetition);

/* The best slots; price_count where a side is empty. */
size_t replica_best_bid(const struct replica *replica);
size_t replica_best_ask(const struct replica *replica);

/* Append the levels of one side, best first, at most @limit, as [["price","quantity"],...];
 * @crossed puts a bid above the best ask in front. Returns how many. */
size_t replica_print_side(
    const struct replica *replica, bool is_ask, size_t limit, bool crossed, struct buffer *text);

/* Append the event {"e":"depthUpdate",...} that turns the present book into the image. */
void replica_print_seam(
    const struct replica *replica, unsigned repetition, int64_t event_ms, struct buffer *text);

#endif
