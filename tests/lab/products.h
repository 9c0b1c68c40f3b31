/* What REST says of the products of Coinbase: from a capture of it, else made from the data. */
#ifndef LAB_PRODUCTS_H
#define LAB_PRODUCTS_H

#include "loader.h"

/* Take a REST answer that lists products, of either API; others are passed over. ERR_FULL. */
int products_add_line(struct loader *loader, const struct line *line);

/* All captures are read: make what no capture told. */
void products_finish(struct tape *tape);

/* By id; NULL if there is none. */
struct product *products_find(struct tape *tape, struct span id);

/* Set a member of a product to a JSON value. */
void products_set(struct product *product, struct span key, struct span value);

/* Is the product's status that one? */
bool products_has_status(const struct product *product, const char *status);

/* Set a fact of a symbol of any venue: for Binance status, tickSize or stepSize. False if there
 * is no such symbol or fact. @value is JSON. */
bool products_change(struct tape *tape, struct span symbol, struct span key, struct span value);

/* "BTC-USD=delisted,BTCUSDT=HALT" ERR_USAGE. */
int products_set_statuses(struct tape *tape, const char *statuses, struct error *error);

#endif
