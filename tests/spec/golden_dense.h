/* The golden record of the dense coding: what a recorder writes of a short made-up stream. */
#ifndef TESTS_SPEC_GOLDEN_DENSE_H
#define TESTS_SPEC_GOLDEN_DENSE_H

#include "tests/unit/golden_help.h"

/* Every row of it, in the order of the store. ERR_IO, ERR_CORRUPT. */
int golden_dense_rows(golden_row_cb row_cb, void *user);

#endif
