/* WebSocket frames (RFC 6455): the server's own, and those of clients. */
#ifndef LAB_FRAME_H
#define LAB_FRAME_H

#include "base/bytes.h"
#include "scan.h"

enum frame_code {
        FRAME_CONTINUATION = 0,
        FRAME_TEXT = 1,
        FRAME_BINARY = 2,
        FRAME_CLOSE = 8,
        FRAME_PING = 9,
        FRAME_PONG = 10,
};

#define FRAME_ACCEPT_SIZE 29

struct frame {
        enum frame_code code;
        bool is_final;
        size_t size; /* header included */
        struct span payload;
};

/* The head of an unmasked final frame of @size payload bytes. */
void frame_append_head(struct buffer *out, enum frame_code code, size_t size);
void frame_append(struct buffer *out, enum frame_code code, struct span payload);

/* The first frame of @in, unmasked in place.
 *
 * 1: @ret_frame holds it, borrowed from @in. 0: more bytes are needed; ret_frame->size tells the
 * whole size once the head is there, else it is 0. ERR_PARSE: what no client may send. */
int frame_parse(uint8_t *in, size_t size, struct frame *ret_frame);

/* The answer to a client's Sec-WebSocket-Key. */
void frame_accept(struct span key, char ret_accept[FRAME_ACCEPT_SIZE]);

#endif
