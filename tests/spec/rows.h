/* Every value of a store, place by place, table by table, in the order of the keys. */
#ifndef TESTS_SPEC_ROWS_H
#define TESTS_SPEC_ROWS_H

#include "store/store.h"

typedef void (*rows_cb)(uint32_t place, const struct store_cursor *row, void *user);

/* ERR_IO, ERR_CORRUPT. */
int rows_each(struct store *store, rows_cb row_cb, void *user, struct error *error);

#endif
