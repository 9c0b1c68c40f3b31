/* Puts captures of Coinbase Advanced Trade on the tape: l2_data, market_trades, ticker, candles. */
#ifndef LAB_ADVANCED_TAPE_H
#define LAB_ADVANCED_TAPE_H

#include "loader.h"

/* Take a line whose message is of @channel. The first snapshot of a product is kept for those who
 * subscribe; updates are played. ERR_PARSE, ERR_FULL. */
int advanced_add_line(struct loader *loader, const struct line *line, struct span channel);

/* Begin inside the list of events; the first event's member @key, or false. */
bool advanced_event_member(struct span message, const char *key, struct span *ret_value);

#endif
