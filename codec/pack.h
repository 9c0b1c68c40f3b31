/* Blocks of columns, packed: columns that are alike share one zstd frame.
 *
 * A block begins with the count of its columns and their sizes; their bytes follow. Neighbours are
 * packed together where that is smaller: in a small block most tables would cost more than they
 * save. A column of one byte over and over is that byte; what does not shrink stays as it is. The
 * bytes are drawn in schema/frame.md. */
#ifndef CODEC_PACK_H
#define CODEC_PACK_H

#include "base/bytes.h"

#define PACK_COLUMNS_MAX 256

struct packer {
        void *compress; /* contexts of the library, kept for speed */
        void *expand;
        struct buffer scratch[5];
};

void packer_init(struct packer *packer);
void packer_deinit(struct packer *packer);

/* Append @block, packed, to @ret_packed. ERR_CORRUPT: it is no block of columns. */
int pack_columns(struct packer *packer, struct bytes block, struct buffer *ret_packed);

/* Append the block of @size bytes to @ret_block. ERR_CORRUPT. */
int unpack_columns(
    struct packer *packer, struct bytes packed, size_t size, struct buffer *ret_block);

/* Any bytes as one zstd frame, where that is smaller. false: it is not. */
bool pack_bytes(struct packer *packer, struct bytes block, struct buffer *ret_packed);

/* Append the @size bytes that they were. ERR_CORRUPT. */
int unpack_bytes(struct packer *packer, struct bytes packed, size_t size, struct buffer *ret_block);

#endif
