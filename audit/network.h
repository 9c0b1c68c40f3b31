/* Asking the exchanges for books, at a tenth of what they allow.
 *
 * Each exchange has a budget of its own. Who answers 429 or 418 is not asked again before its time;
 * where that is too far off, not at all in this run. A logger on the same address counts too: where
 * the exchange says that much is used already, the next minute is waited for. */
#ifndef AUDIT_NETWORK_H
#define AUDIT_NETWORK_H

#include "base/settings.h"
#include "venue/rest.h"
#include "venue/venue.h"

#define NETWORK_DEPTH 1000 /* levels a side of an image */

struct network;

int network_open(
    struct network **ret_network, const struct settings *settings, struct error *error);
void network_close(struct network *network);

/* The book of levels of @symbol. 0: an answer of status 200, its body to be freed with
 * buffer_deinit; else @error says why there is none. */
int network_image(struct network *network, const struct venue *venue, const char *symbol,
    struct rest_answer *ret_answer, struct error *error);

#endif
