/* Dropping old days. A mark for each stream and day stays: coverage shows what was there. */
#ifndef RECON_PRUNE_H
#define RECON_PRUNE_H

#include "recon/recon.h"

/* Drop the days before day @limit, never the newest one. The store must be open to manage or write.
 * The marks are on disk before anything is dropped. ERR_IO, ERR_CORRUPT, ERR_FULL. */
int recon_prune(struct reader *reader, uint32_t limit, size_t *ret_dropped, struct error *error);

#endif
