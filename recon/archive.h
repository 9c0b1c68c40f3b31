/* Archiving: sealed frames of the past coded anew, smaller and slower to read.
 *
 * The segments of a run, ten minutes of them, become one: its images but the first are dropped, its
 * frames coded by the dense method for archives. A run is replaced in one transaction, after all
 * its events were decoded from the new frames and compared with the old ones; so it can be stopped
 * at any moment, started again, and works beside a running logger. */
#ifndef RECON_ARCHIVE_H
#define RECON_ARCHIVE_H

#include "recon/recon.h"

struct archive_options {
        int64_t before_ns; /* runs that end before it, by our clock */
        /* Called after each run; may be NULL. */
        void (*progress_cb)(uint64_t frames, void *user);
        /* A run that is left as it is, because it is damaged. */
        void (*problem_cb)(
            const struct recon_stream *stream, uint32_t day, uint64_t position, void *user);
        void *user;
};

struct archive_result {
        uint64_t frames, images_dropped, bytes_before, bytes_after, problems;
};

/* The store must be open to manage or write. Adds to @ret_result. ERR_IO, ERR_FULL. */
int recon_archive(struct reader *reader, const struct recon_stream *stream,
    const struct archive_options *options, struct archive_result *ret_result, struct error *error);

#endif
