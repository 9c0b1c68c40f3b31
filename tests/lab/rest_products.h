/* REST answers of Coinbase: products, their books, the time. */
#ifndef LAB_REST_PRODUCTS_H
#define LAB_REST_PRODUCTS_H

#include "rest.h"

/* False if the path is none of Coinbase's. */
bool rest_products_answer(struct call *call);

#endif
