#include "codec/frame.h"

#include <xxhash.h>

#include "base/limits.h"
#include "codec/varint.h"

/*   0       4    5    6      7       8          12            16         24
 *   | magic | v. | k. | met. | pack. | size u32 | unpacked u32 | XXH3 u64 | summary | block |
 *
 * The checksum covers all but itself. */
enum {
        AT_VERSION = 4,
        AT_KIND = 5,
        AT_METHOD = 6,
        AT_PACKING = 7,
        AT_SIZE = 8,
        AT_UNPACKED = 12,
        AT_CHECKSUM = 16,
        HEAD_SIZE = 24,
        PACKING_NONE = 0,
        PACKING_ZSTD = 1,
        PACKING_COLUMNS = 2,
};

static const uint8_t magic[4] = {'O', 'B', 'F', 'R'};

void frame_packer_init(struct frame_packer *packer)
{
        packer_init(&packer->packer);
        buffer_init(&packer->block, LIMIT_BLOCK_SIZE + FRAME_PADDING);
}

void frame_packer_deinit(struct frame_packer *packer)
{
        packer_deinit(&packer->packer);
        buffer_deinit(&packer->block);
}

/* The hash of the head's first part seeds the hash of all that follows it. */
static uint64_t frame_checksum(const uint8_t *frame, size_t size)
{
        uint64_t seed = XXH3_64bits(frame, AT_CHECKSUM);
        return XXH3_64bits_withSeed(frame + HEAD_SIZE, size - HEAD_SIZE, seed);
}

static void write_times(struct buffer *out, const struct frame_info *info)
{
        write_signed(out, info->first_event_time_ns);
        write_signed(out, difference(info->last_event_time_ns, info->first_event_time_ns));
        write_signed(out, difference(info->min_event_time_ns, info->first_event_time_ns));
        write_signed(out, difference(info->max_event_time_ns, info->last_event_time_ns));
        if (info->flags & FRAME_TIMED)
                write_signed(out, difference(info->first_event_time_ns, info->running_max_ns));
        write_signed(out, difference(info->first_receive_time_ns, info->first_event_time_ns));
        write_signed(out, difference(info->last_receive_time_ns, info->first_receive_time_ns));
}

static void read_times(struct byte_reader *in, struct frame_info *info)
{
        info->first_event_time_ns = read_signed(in);
        info->last_event_time_ns = sum(info->first_event_time_ns, read_signed(in));
        info->min_event_time_ns = sum(info->first_event_time_ns, read_signed(in));
        info->max_event_time_ns = sum(info->last_event_time_ns, read_signed(in));
        if (info->flags & FRAME_TIMED)
                info->running_max_ns = difference(info->first_event_time_ns, read_signed(in));
        info->first_receive_time_ns = sum(info->first_event_time_ns, read_signed(in));
        info->last_receive_time_ns = sum(info->first_receive_time_ns, read_signed(in));
}

static void write_summary(struct buffer *out, const struct frame_info *info)
{
        write_varint(out, info->flags);
        write_varint(out, (uint64_t)info->scale.price_digits << 1 | info->scale.fixed);
        write_varint(out, info->scale.quantity_digits);
        write_varint(out, (uint64_t)info->scale.tick);
        write_varint(out, (uint64_t)info->scale.lot);
        write_varint(out, info->epoch);
        write_varint(out, info->segment);
        write_varint(out, info->events);
        write_varint(out, info->level_updates);
        write_signed(out, info->first_id);
        write_signed(out, difference(info->last_id, info->first_id));
        write_times(out, info);
        if (!frame_is_image(info))
                return;
        write_varint(out, info->corrections);
        for (enum side s = 0; s < SIDES; s++) {
                if (info->flags & (FRAME_BOUNDED_BID << s))
                        write_signed(out, info->horizon[s]);
        }
}

static uint32_t read_u32(struct byte_reader *in)
{
        uint64_t value = read_varint(in);
        in->failed |= value > UINT32_MAX;
        return (uint32_t)value;
}

static void read_scale(struct byte_reader *in, struct scale *scale)
{
        uint64_t price = read_varint(in), quantity = read_varint(in);
        uint64_t tick = read_varint(in), lot = read_varint(in);
        in->failed |= price >> 1 > LIMIT_DIGITS || quantity > LIMIT_DIGITS ||
            tick - 1 >= INT64_MAX || lot - 1 >= INT64_MAX;
        scale->fixed = price & 1;
        scale->price_digits = (uint8_t)(price >> 1);
        scale->quantity_digits = (uint8_t)quantity;
        scale->tick = (int64_t)tick;
        scale->lot = (int64_t)lot;
}

static void read_summary(struct byte_reader *in, struct frame_info *info)
{
        info->flags = read_u32(in);
        in->failed |= (info->flags & ~(uint32_t)FRAME_FLAGS) != 0;
        read_scale(in, &info->scale);
        info->epoch = read_u32(in);
        info->segment = read_varint(in);
        info->events = read_u32(in);
        info->level_updates = read_u32(in);
        info->first_id = read_signed(in);
        info->last_id = sum(info->first_id, read_signed(in));
        read_times(in, info);
        if (!frame_is_image(info))
                return;
        info->corrections = read_u32(in);
        for (enum side s = 0; s < SIDES; s++)
                info->horizon[s] = info->flags & (FRAME_BOUNDED_BID << s) ? read_signed(in) : 0;
}

/* Append @block packed where that is smaller; returns the packing. */
static uint8_t write_block(
    struct frame_packer *packer, unsigned method, struct bytes block, struct buffer *out)
{
        size_t begin = out->size;
        if (method != METHOD_PLAIN && !pack_columns(&packer->packer, block, out) &&
            out->size - begin < block.size)
                return PACKING_COLUMNS;
        out->size = begin;
        if (method == METHOD_PLAIN && pack_bytes(&packer->packer, block, out))
                return PACKING_ZSTD;
        buffer_append(out, block.data, block.size);
        return PACKING_NONE;
}

int frame_write(struct frame_packer *packer, const struct frame_info *info, struct bytes block,
    struct buffer *ret_frame)
{
        size_t begin = ret_frame->size;
        uint8_t head[HEAD_SIZE] = {0};
        if (block.size > LIMIT_BLOCK_SIZE)
                return ERR_FULL;
        buffer_append(ret_frame, head, sizeof(head));
        write_summary(ret_frame, info);
        uint8_t packing = write_block(packer, info->method, block, ret_frame);
        if (ret_frame->failed) {
                ret_frame->size = begin;
                return ERR_FULL;
        }
        uint8_t *frame = ret_frame->data + begin;
        size_t size = ret_frame->size - begin;
        memcpy(frame, magic, sizeof(magic));
        frame[AT_VERSION] = FRAME_VERSION;
        frame[AT_KIND] = info->kind;
        frame[AT_METHOD] = info->method;
        frame[AT_PACKING] = packing;
        store_u32(frame + AT_SIZE, (uint32_t)size);
        store_u32(frame + AT_UNPACKED, (uint32_t)block.size);
        store_u64(frame + AT_CHECKSUM, frame_checksum(frame, size));
        return 0;
}

static int read_head(struct bytes frame, struct frame_info *ret_info, struct bytes *ret_packed)
{
        const uint8_t *head = frame.data;
        if (frame.size < HEAD_SIZE || memcmp(head, magic, sizeof(magic)) ||
            load_u32(head + AT_SIZE) != frame.size)
                return ERR_CORRUPT;
        if (head[AT_VERSION] > FRAME_VERSION || head[AT_METHOD] >= METHODS)
                return ERR_VERSION;
        if (!head[AT_VERSION] || head[AT_KIND] < FRAME_IMAGE || head[AT_KIND] >= FRAME_KINDS)
                return ERR_CORRUPT;
        struct frame_info info = {.kind = head[AT_KIND], .method = head[AT_METHOD]};
        struct byte_reader in = reader_of((struct bytes){head + HEAD_SIZE, frame.size - HEAD_SIZE});
        read_summary(&in, &info);
        if (in.failed)
                return ERR_CORRUPT;
        *ret_info = info;
        *ret_packed = read_bytes(&in, reader_left(&in));
        return 0;
}

static int read_frame(struct bytes frame, struct frame_info *ret_info, struct bytes *ret_packed)
{
        if (frame.size < HEAD_SIZE ||
            load_u64(frame.data + AT_CHECKSUM) != frame_checksum(frame.data, frame.size))
                return ERR_CORRUPT;
        return read_head(frame, ret_info, ret_packed);
}

int frame_read(struct bytes frame, struct frame_info *ret_info)
{
        struct bytes packed;
        return read_frame(frame, ret_info, &packed);
}

int frame_peek(struct bytes frame, struct frame_info *ret_info)
{
        struct bytes packed;
        return read_head(frame, ret_info, &packed);
}

static int unpack_block(struct frame_packer *packer, unsigned packing, struct bytes packed,
    size_t size, struct buffer *ret_block)
{
        if (size > LIMIT_BLOCK_SIZE)
                return ERR_CORRUPT;
        switch (packing) {
        case PACKING_NONE:
                buffer_append(ret_block, packed.data, packed.size);
                return packed.size == size ? 0 : ERR_CORRUPT;
        case PACKING_ZSTD:
                return unpack_bytes(&packer->packer, packed, size, ret_block);
        case PACKING_COLUMNS:
                return unpack_columns(&packer->packer, packed, size, ret_block);
        default:
                return ERR_CORRUPT;
        }
}

int frame_unpack(struct frame_packer *packer, struct bytes frame, struct frame_info *ret_info,
    struct bytes *ret_block)
{
        static const uint8_t padding[FRAME_PADDING];
        struct bytes packed;
        int code = read_frame(frame, ret_info, &packed);
        buffer_clear(&packer->block);
        if (!code)
                code = unpack_block(packer, frame.data[AT_PACKING], packed,
                    load_u32(frame.data + AT_UNPACKED), &packer->block);
        if (code)
                return code;
        *ret_block = buffer_bytes(&packer->block);
        buffer_append(&packer->block, padding, sizeof(padding));
        ret_block->data = packer->block.data;
        return packer->block.failed ? ERR_CORRUPT : 0;
}

const char *frame_kind_name(unsigned kind)
{
        static const char *const names[] = {"unknown", "image", "changes", "headless", "repair"};
        return names[kind < FRAME_KINDS ? kind : 0];
}
