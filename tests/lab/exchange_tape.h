/* Puts captures of Coinbase Exchange on the tape: level2, ticker, matches, and full. */
#ifndef LAB_EXCHANGE_TAPE_H
#define LAB_EXCHANGE_TAPE_H

#include "loader.h"

#define EXCHANGE_IMAGE_PLACE 8 /* messages of full are played before the image is waited for */

/* Take a line whose message is of @type. Rows of "open" without a time are the level-3 image of
 * their product at their sequence; what follows them is the full channel, of which level2 and
 * matches are made too. ERR_PARSE, ERR_FULL. */
int exchange_add_line(struct loader *loader, const struct line *line, struct span type);

#endif
