/* How large the store is, and when its disk will be full: looked at once a minute, on a thread of
 * its own, since a disk may let one wait. */
#ifndef LOGGER_DISK_H
#define LOGGER_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define DISK_LOOKS 60     /* that are remembered: an hour */
#define DISK_LOOKS_MIN 10 /* before that nothing is foretold */

struct disk;

struct disk_state {
        bool known;           /* it was looked at */
        uint64_t store_bytes; /* that the store's files take; holes do not count */
        uint64_t free_bytes;  /* that are left to the logger */
        uint64_t size_bytes;  /* of the disk */
        int64_t full_in_s;    /* -1: not known yet, or never, as it has gone for an hour */
};

/* What was free, a minute apart; the oldest is forgotten. */
struct disk_looks {
        int64_t mono_ns[DISK_LOOKS];
        uint64_t free_bytes[DISK_LOOKS];
        size_t count; /* ever */
};

void disk_note(struct disk_looks *looks, int64_t mono_ns, uint64_t free_bytes);
/* Seconds until nothing is free, or -1. */
int64_t disk_foretell(const struct disk_looks *looks);

/* @path is copied. ERR_IO: no thread. */
int disk_open(struct disk **ret_disk, const char *path, struct error *error);
/* NULL is allowed. */
void disk_close(struct disk *disk);

struct disk_state disk_state(struct disk *disk);

#endif
