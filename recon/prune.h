/* Dropping old days. A mark for each stream and day stays: coverage shows what was there. */
#ifndef RECON_PRUNE_H
#define RECON_PRUNE_H

#include "recon/recon.h"

struct prune_result {
        size_t dropped;
        size_t awaited; /* kept: they are not everywhere yet where the store is copied to */
};

/* Drop the days before day @limit, never the newest one, nor one that is still to be copied. The
 * store must be open to manage or write. The marks are on disk before anything is dropped. ERR_IO,
 * ERR_CORRUPT, ERR_FULL. */
int recon_prune(
    struct reader *reader, uint32_t limit, struct prune_result *ret_result, struct error *error);

#endif
