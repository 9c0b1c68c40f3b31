/* Every price of a symbol, once, in order: the laboratory's books are keyed by the price's text. */
#ifndef LAB_PRICES_H
#define LAB_PRICES_H

#include "tape.h"

/* Fill prices, the slots of all levels, tick and step of @symbol. */
void prices_index(struct symbol *symbol);

/* Which of two prices (struct span, plain decimals without leading zeros) is lower. */
int prices_compare(const void *left, const void *right);

#endif
