/* Frames: the units that a store keeps. A head that tells what is inside, and a packed block.
 *
 * The head is readable without unpacking the block; both are under one checksum. A frame that was
 * torn, cut or flipped is refused, never decoded. The bytes are drawn in schema/frame.md. */
#ifndef CODEC_FRAME_H
#define CODEC_FRAME_H

#include "base/bytes.h"
#include "base/error.h"
#include "book/event.h"
#include "codec/pack.h"

#define FRAME_VERSION 1
#define FRAME_PADDING 16

enum frame_kind {
        FRAME_IMAGE = 1,
        FRAME_CHANGES = 2,
        FRAME_HEADLESS = 3, /* changes without a book to apply them to */
        FRAME_REPAIR = 4,   /* what an image from the exchange changed in our own book */
        FRAME_KINDS,
};

enum frame_method {
        METHOD_PLAIN = 0,   /* plain.h */
        METHOD_TOKENS = 1,  /* tokens.h */
        METHOD_NIBBLES = 2, /* nibbles.h */
        METHOD_ORDERS = 3,  /* orders.h */
        METHOD_TRADES = 4,  /* trades.h */
        METHODS,            /* not known */
};

enum frame_flag {
        FRAME_OPEN = 1 << 0,        /* will be replaced by a sealed one */
        FRAME_SYNC = 1 << 1,        /* image: from the exchange, else from our own book */
        FRAME_CORRECTION = 1 << 2,  /* image: replaced our own book within an epoch */
        FRAME_BOUNDED_BID = 1 << 3, /* image: the exchange may hold more bids beyond the horizon */
        FRAME_BOUNDED_ASK = 1 << 4,
        FRAME_TIMED = 1 << 5,   /* the running maximum before it is known */
        FRAME_THINNED = 1 << 6, /* an image stood at the position before it, and was dropped */
        FRAME_FLAGS = (1 << 7) - 1,
};

struct frame_info {
        uint8_t kind;
        uint8_t method;
        uint32_t flags;
        struct scale scale;
        uint32_t epoch;
        uint64_t segment; /* position of the image that it builds on; of an image its own */
        uint32_t events;  /* of an image 1: the book as inserts, or all its orders */
        uint32_t level_updates;
        uint32_t corrections; /* image, repair: levels that differed from our own book */
        int64_t first_id;
        int64_t last_id;
        int64_t first_event_time_ns; /* of an image: the running maximum where there is one, */
        int64_t last_event_time_ns;  /* else its receive time */
        int64_t min_event_time_ns;
        int64_t max_event_time_ns;
        int64_t running_max_ns; /* greatest event time before this frame (FRAME_TIMED) */
        int64_t first_receive_time_ns;
        int64_t last_receive_time_ns;
        int64_t horizon[SIDES]; /* image, repair, where bounded */
};

struct frame_packer {
        struct packer packer;
        struct buffer block; /* unpacked block of the last frame_unpack */
};

void frame_packer_init(struct frame_packer *packer);
void frame_packer_deinit(struct frame_packer *packer);

/* Append the frame of @info around @block to @ret_frame. ERR_FULL. */
int frame_write(struct frame_packer *packer, const struct frame_info *info, struct bytes block,
    struct buffer *ret_frame);

/* Check the checksum and take the head apart.
 *
 *   ERR_CORRUPT  not a whole frame as written     ERR_VERSION  of a newer version or method */
int frame_read(struct bytes frame, struct frame_info *ret_info);

/* The head alone, its checksum not looked at: quick, for those who only count. ERR_CORRUPT. */
int frame_peek(struct bytes frame, struct frame_info *ret_info);

/* frame_read, then the block unpacked, borrowed until the next call, with FRAME_PADDING readable
 * bytes behind it. ERR_CORRUPT, ERR_VERSION. */
int frame_unpack(struct frame_packer *packer, struct bytes frame, struct frame_info *ret_info,
    struct bytes *ret_block);

/* Does the frame set or mend a book, rather than hold the exchange's events? */
static inline bool frame_is_image(const struct frame_info *info)
{
        return info->kind == FRAME_IMAGE || info->kind == FRAME_REPAIR;
}

/* How many positions of the stream the frame takes. */
static inline uint64_t frame_positions(const struct frame_info *info)
{
        return frame_is_image(info) ? 1 : info->events;
}

/* What the time index has the frame by: INT64_MIN where there was no event before it. */
static inline int64_t frame_time_key(const struct frame_info *info)
{
        return info->flags & FRAME_TIMED ? info->running_max_ns : INT64_MIN;
}

/* Does the frame at @position follow right after what ended before @expected? */
static inline bool frame_follows(
    const struct frame_info *info, uint64_t position, uint64_t expected)
{
        return position == expected + ((info->flags & FRAME_THINNED) != 0);
}

/* The words for a kind: "image", "changes", "headless", "repair". */
const char *frame_kind_name(unsigned kind);

#endif
