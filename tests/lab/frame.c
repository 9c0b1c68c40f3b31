/* Writes and reads WebSocket frames. */
#include "frame.h"

#include <string.h>

#include <openssl/evp.h>

#include "base/error.h"

#define FRAME_KEY_SIZE 24

void frame_append_head(struct buffer *out, enum frame_code code, size_t size)
{
        uint8_t head[10] = {(uint8_t)(0x80 | code)};
        size_t head_size = size < 126 ? 2 : size < 65536 ? 4 : 10;
        head[1] = size < 126 ? (uint8_t)size : head_size == 4 ? 126 : 127;
        for (size_t i = 2, value = size; i < head_size; i++, value >>= 8)
                head[head_size + 1 - i] = (uint8_t)value;
        buffer_append(out, head, head_size);
}

void frame_append(struct buffer *out, enum frame_code code, struct span payload)
{
        frame_append_head(out, code, payload.size);
        buffer_append(out, payload.data, payload.size);
}

/* Head size without the mask, or 0 while it is incomplete; the payload's size. */
static size_t head_read(const uint8_t *in, size_t size, uint64_t *ret_payload)
{
        if (size < 2)
                return 0;
        size_t length = in[1] & 0x7f, head = length < 126 ? 2 : length == 126 ? 4 : 10;
        if (size < head)
                return 0;
        uint64_t payload = head == 2 ? length : 0;
        for (size_t i = 2; i < head; i++)
                payload = payload << 8 | in[i];
        *ret_payload = payload;
        return head;
}

int frame_parse(uint8_t *in, size_t size, struct frame *ret_frame)
{
        uint64_t payload = 0;
        size_t head = head_read(in, size, &payload);
        *ret_frame = (struct frame){0};
        if (!head)
                return 0;
        unsigned code = in[0] & 0x0f;
        bool is_control = code >= FRAME_CLOSE, is_final = in[0] & 0x80;
        if (!(in[1] & 0x80) || (in[0] & 0x70) || (code > FRAME_BINARY && !is_control) ||
            code > FRAME_PONG || (is_control && (payload > 125 || !is_final)) ||
            payload > INT32_MAX)
                return ERR_PARSE;
        uint8_t *mask = in + head, *data = mask + 4;
        *ret_frame = (struct frame){code, is_final, head + 4 + payload, {(char *)data, payload}};
        if (size < ret_frame->size)
                return 0;
        for (size_t i = 0; i < payload; i++)
                data[i] ^= mask[i & 3];
        return 1;
}

void frame_accept(struct span key, char ret_accept[FRAME_ACCEPT_SIZE])
{
        static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
        uint8_t text[FRAME_KEY_SIZE + sizeof(guid)], digest[EVP_MAX_MD_SIZE];
        unsigned digest_size = 0;
        size_t size = key.size < FRAME_KEY_SIZE ? key.size : FRAME_KEY_SIZE;
        memcpy(text, key.data, size);
        memcpy(text + size, guid, sizeof(guid) - 1);
        EVP_Digest(text, size + sizeof(guid) - 1, digest, &digest_size, EVP_sha1(), NULL);
        EVP_EncodeBlock((unsigned char *)ret_accept, digest, (int)digest_size);
}
