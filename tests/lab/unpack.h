/* A capture file, plain or packed (.gz, .zst), whole in memory. */
#ifndef LAB_UNPACK_H
#define LAB_UNPACK_H

#include "base/bytes.h"
#include "base/error.h"

#define UNPACK_LIMIT (512u << 20) /* a capture larger than this is a mistake in a laboratory */

/* Read and unpack @path into @ret_text (initialised here; the caller deinits it, also on failure).
 *
 * Errors: ERR_IO, ERR_CORRUPT, ERR_FULL. */
int unpack_file(const char *path, struct buffer *ret_text, struct error *error);

#endif
