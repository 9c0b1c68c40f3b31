#include "codec/pack.h"

#include <zstd.h>

#include "base/error.h"
#include "base/limits.h"
#include "codec/rans.h"
#include "codec/varint.h"

/* A group of neighbouring columns: varint (columns - 1) * MODES + mode, then
 *
 *   stored     their bytes
 *   constant   one byte
 *   zstd       varint size, a zstd frame without its first four bytes, which are always the same
 *   rans       varint size, as rans.h tells
 *
 * Before the groups: varint count of columns, a bit for each that is not empty, their sizes. Empty
 * columns belong to no group. */
enum {
        MODE_STORED,
        MODE_CONSTANT,
        MODE_ZSTD,
        MODE_RANS,
        MODES
};

#define ZSTD_MAGIC_SIZE 4
#define BYTES_LEVEL 3
#define COLUMN_LEVEL 1  /* Huffman coding takes nearly all there is in them; more finds little */
#define RANS_MARGIN 50  /* zstd reads faster: where it is 2 % larger it is taken all the same */
#define JOIN_BELOW 1024 /* a larger column always pays for a table of its own */

static const uint8_t zstd_magic[ZSTD_MAGIC_SIZE] = {0x28, 0xb5, 0x2f, 0xfd};

struct columns {
        size_t count;
        struct bytes columns[PACK_COLUMNS_MAX];
};

void packer_init(struct packer *packer)
{
        *packer = (struct packer){0};
        for (size_t i = 0; i < sizeof(packer->scratch) / sizeof(packer->scratch[0]); i++)
                buffer_init(&packer->scratch[i], 2 * (size_t)LIMIT_BLOCK_SIZE);
}

void packer_deinit(struct packer *packer)
{
        ZSTD_freeCCtx(packer->compress);
        ZSTD_freeDCtx(packer->expand);
        for (size_t i = 0; i < sizeof(packer->scratch) / sizeof(packer->scratch[0]); i++)
                buffer_deinit(&packer->scratch[i]);
}

/* @named: with its content's size in its head. */
static ZSTD_CCtx *packer_compress(struct packer *packer, int level, bool named)
{
        if (!packer->compress)
                packer->compress = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(packer->compress, ZSTD_c_compressionLevel, level);
        ZSTD_CCtx_setParameter(packer->compress, ZSTD_c_contentSizeFlag, named);
        return packer->compress;
}

static ZSTD_DCtx *packer_expand(struct packer *packer)
{
        if (!packer->expand)
                packer->expand = ZSTD_createDCtx();
        return packer->expand;
}

bool pack_bytes(struct packer *packer, struct bytes block, struct buffer *ret_packed)
{
        size_t bound = ZSTD_compressBound(block.size);
        uint8_t *room = block.size ? buffer_reserve(ret_packed, bound) : NULL;
        if (!room)
                return false;
        size_t size = ZSTD_compress2(
            packer_compress(packer, BYTES_LEVEL, true), room, bound, block.data, block.size);
        if (ZSTD_isError(size) || size >= block.size)
                return false;
        ret_packed->size += size;
        return true;
}

/* One zstd frame of @size bytes, and nothing behind it. */
static int expand(struct packer *packer, struct bytes frame, uint8_t *room, size_t size)
{
        if (ZSTD_findFrameCompressedSize(frame.data, frame.size) != frame.size)
                return ERR_CORRUPT;
        size_t got = ZSTD_decompressDCtx(packer_expand(packer), room, size, frame.data, frame.size);
        return ZSTD_isError(got) || got != size ? ERR_CORRUPT : 0;
}

int unpack_bytes(struct packer *packer, struct bytes packed, size_t size, struct buffer *ret_block)
{
        uint8_t *room = buffer_reserve(ret_block, size ? size : 1);
        if (!room || ZSTD_getFrameContentSize(packed.data, packed.size) != size ||
            expand(packer, packed, room, size))
                return ERR_CORRUPT;
        ret_block->size += size;
        return 0;
}

static int read_columns(struct bytes block, struct columns *ret_columns)
{
        struct byte_reader reader = reader_of(block);
        uint64_t count = read_varint(&reader), sizes[PACK_COLUMNS_MAX];
        size_t head_size = varint_size(count);
        if (count > PACK_COLUMNS_MAX)
                return ERR_CORRUPT;
        ret_columns->count = count;
        for (size_t i = 0; i < count; i++) {
                sizes[i] = read_varint(&reader);
                head_size += varint_size(sizes[i]);
        }
        if (block.size - reader_left(&reader) != head_size)
                return ERR_CORRUPT;
        for (size_t i = 0; i < count; i++)
                ret_columns->columns[i] = read_bytes(&reader, sizes[i]);
        return reader.failed || reader_left(&reader) ? ERR_CORRUPT : 0;
}

/* ---- packing ---- */

static bool is_constant(struct bytes bytes)
{
        return !memcmp(bytes.data, bytes.data + 1, bytes.size - 1);
}

/* Bytes that zstd makes of @bytes, without the four, at @frame; @bytes.size if it does not shrink.
 */
static size_t pack_zstd(struct packer *packer, struct bytes bytes, struct buffer *frame)
{
        size_t bound = ZSTD_compressBound(bytes.size);
        buffer_clear(frame);
        uint8_t *room = buffer_reserve(frame, bound);
        size_t size = room ? ZSTD_compress2(packer_compress(packer, COLUMN_LEVEL, false), room,
                                 bound, bytes.data, bytes.size)
                           : bytes.size;
        if (ZSTD_isError(size) || size - ZSTD_MAGIC_SIZE >= bytes.size)
                return bytes.size;
        frame->size = size;
        return size - ZSTD_MAGIC_SIZE;
}

/* @bytes as one group of @count columns, into @out, which is cleared. */
static void pack_group(struct packer *packer, struct bytes bytes, size_t count, struct buffer *out)
{
        struct buffer *frame = &packer->scratch[2], *rans = &packer->scratch[4];
        uint64_t head = (uint64_t)(count - 1) * MODES;
        buffer_clear(out);
        if (is_constant(bytes)) {
                write_varint(out, head + MODE_CONSTANT);
                buffer_append_byte(out, bytes.data[0]);
                return;
        }
        size_t size = pack_zstd(packer, bytes, frame);
        buffer_clear(rans);
        if (rans_encode(bytes, rans) && rans->size + rans->size / RANS_MARGIN < size) {
                write_varint(out, head + MODE_RANS);
                write_varint(out, rans->size);
                buffer_append(out, rans->data, rans->size);
        } else if (size < bytes.size) {
                write_varint(out, head + MODE_ZSTD);
                write_varint(out, size);
                buffer_append(out, frame->data + ZSTD_MAGIC_SIZE, size);
        } else {
                write_varint(out, head + MODE_STORED);
                buffer_append(out, bytes.data, bytes.size);
        }
}

/* A group in the making: a range of the block, since its columns lie beside each other there. */
struct group {
        struct bytes bytes;
        size_t count;
        struct buffer *packed;
};

static void group_swap(struct group *a, struct group *b)
{
        struct group swap = *a;
        *a = *b;
        *b = swap;
}

/* Take @next into @group if that makes it smaller. */
static bool group_join(
    struct packer *packer, struct group *group, const struct group *next, struct group *joined)
{
        if (group->bytes.size >= JOIN_BELOW && next->bytes.size >= JOIN_BELOW)
                return false;
        joined->bytes = (struct bytes){group->bytes.data, group->bytes.size + next->bytes.size};
        joined->count = group->count + 1;
        pack_group(packer, joined->bytes, joined->count, joined->packed);
        if (joined->packed->size > group->packed->size + next->packed->size)
                return false;
        group_swap(group, joined);
        return true;
}

/* Each group takes its neighbours in while that makes it smaller. */
static void pack_groups(
    struct packer *packer, const struct columns *columns, struct buffer *ret_packed)
{
        struct group group = {.packed = &packer->scratch[0]};
        struct group next = {.packed = &packer->scratch[1]};
        struct group joined = {.packed = &packer->scratch[3]};
        for (size_t i = 0; i < columns->count; i++) {
                if (!columns->columns[i].size)
                        continue;
                next.bytes = columns->columns[i];
                next.count = 1;
                pack_group(packer, next.bytes, 1, next.packed);
                if (group.count && group_join(packer, &group, &next, &joined))
                        continue;
                if (group.count)
                        buffer_append(ret_packed, group.packed->data, group.packed->size);
                group_swap(&group, &next);
        }
        if (group.count)
                buffer_append(ret_packed, group.packed->data, group.packed->size);
}

int pack_columns(struct packer *packer, struct bytes block, struct buffer *ret_packed)
{
        struct columns columns;
        uint8_t present[PACK_COLUMNS_MAX / 8] = {0};
        if (read_columns(block, &columns))
                return ERR_CORRUPT;
        for (size_t i = 0; i < columns.count; i++)
                present[i / 8] |= (uint8_t)((columns.columns[i].size > 0) << i % 8);
        write_varint(ret_packed, columns.count);
        buffer_append(ret_packed, present, (columns.count + 7) / 8);
        for (size_t i = 0; i < columns.count; i++) {
                if (columns.columns[i].size)
                        write_varint(ret_packed, columns.columns[i].size);
        }
        pack_groups(packer, &columns, ret_packed);
        return 0;
}

/* ---- unpacking ---- */

static int expand_zstd(struct packer *packer, struct bytes packed, uint8_t *room, size_t size)
{
        struct buffer *frame = &packer->scratch[2];
        buffer_clear(frame);
        buffer_append(frame, zstd_magic, sizeof(zstd_magic));
        buffer_append(frame, packed.data, packed.size);
        return expand(packer, buffer_bytes(frame), room, size);
}

static int unpack_group(
    struct packer *packer, struct byte_reader *reader, unsigned mode, uint8_t *room, size_t size)
{
        struct bytes bytes;
        switch (mode) {
        case MODE_CONSTANT:
                memset(room, read_byte(reader), size);
                return 0;
        case MODE_STORED:
                bytes = read_bytes(reader, size);
                if (!reader->failed)
                        memcpy(room, bytes.data, size);
                return 0;
        case MODE_ZSTD:
                bytes = read_bytes(reader, read_varint(reader));
                return reader->failed ? ERR_CORRUPT : expand_zstd(packer, bytes, room, size);
        default:
                bytes = read_bytes(reader, read_varint(reader));
                return reader->failed ? ERR_CORRUPT : rans_decode(bytes, room, size);
        }
}

/* The bytes of all columns, group by group, to the end of @block. */
static int unpack_groups(struct packer *packer, struct byte_reader *reader, const uint64_t *sizes,
    size_t count, uint8_t *room)
{
        size_t i = 0;
        for (;;) {
                while (i < count && !sizes[i])
                        i++;
                if (i == count)
                        return reader->failed || reader_left(reader) ? ERR_CORRUPT : 0;
                uint64_t head = read_varint(reader), left = head / MODES + 1;
                size_t size = 0;
                for (; i < count && left; i++) {
                        size += sizes[i];
                        left -= sizes[i] > 0;
                }
                if (left || reader->failed ||
                    unpack_group(packer, reader, (unsigned)(head % MODES), room, size))
                        return ERR_CORRUPT;
                room += size;
        }
}

int unpack_columns(
    struct packer *packer, struct bytes packed, size_t size, struct buffer *ret_block)
{
        struct byte_reader reader = reader_of(packed);
        uint64_t count = read_varint(&reader), sizes[PACK_COLUMNS_MAX] = {0}, total = 0;
        size_t begin = ret_block->size;
        if (count > PACK_COLUMNS_MAX || size > LIMIT_BLOCK_SIZE)
                return ERR_CORRUPT;
        struct bytes present = read_bytes(&reader, (count + 7) / 8);
        for (size_t i = 0; i < count && !reader.failed; i++) {
                if (present.data[i / 8] >> i % 8 & 1)
                        sizes[i] = read_varint(&reader);
                reader.failed |= sizes[i] > size;
                total += sizes[i];
        }
        write_varint(ret_block, count);
        for (size_t i = 0; i < count; i++)
                write_varint(ret_block, sizes[i]);
        if (reader.failed || ret_block->size - begin + total != size)
                return ERR_CORRUPT;
        uint8_t *room = buffer_reserve(ret_block, total + 1);
        if (!room || unpack_groups(packer, &reader, sizes, count, room))
                return ERR_CORRUPT;
        ret_block->size += total;
        return 0;
}
