/* Bytes coded by how often each occurs: a table of rounded counts, then a range coder (rANS).
 *
 * Close to the entropy where Huffman coding is not: in columns where one byte is most of them, and
 * in small ones. Source: J. Duda, "Asymmetric numeral systems", arXiv 1311.2540; the rounding and
 * the bytes are drawn in schema/frame.md. */
#ifndef CODEC_RANS_H
#define CODEC_RANS_H

#include "base/bytes.h"

#define RANS_SYMBOLS_MIN 2 /* different ones: a constant column needs no coding */

/* Append @bytes, coded. They are at least two different ones, at most LIMIT_BLOCK_SIZE. false: so
 * many of them are rare that the others cannot make room for them; what is appended is of no use.
 */
bool rans_encode(struct bytes bytes, struct buffer *out);

/* Decode @coded to the @size bytes at @room. ERR_CORRUPT: it is not what an encoder makes of as
 * many bytes. */
int rans_decode(struct bytes coded, uint8_t *room, size_t size);

#endif
