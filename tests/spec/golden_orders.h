/* The golden record of orders and trades: what a recorder writes of a short made-up story. */
#ifndef TESTS_SPEC_GOLDEN_ORDERS_H
#define TESTS_SPEC_GOLDEN_ORDERS_H

#include "tests/unit/golden_help.h"

/* Every row of it, in the order of the store. ERR_IO, ERR_CORRUPT. */
int golden_orders_rows(golden_row_cb row_cb, void *user);

/* A longer story, another one for each @seed, as the store @path. ERR_IO, ERR_CORRUPT. */
int golden_orders_store(const char *path, uint64_t seed, struct error *error);

#endif
