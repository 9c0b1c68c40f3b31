/* Numbers as bytes: LEB128 varints, signed ones zigzag, with sticky errors both ways. */
#ifndef CODEC_VARINT_H
#define CODEC_VARINT_H

#include <string.h>

#include "base/bytes.h"

#define VARINT_SIZE_MAX 10

struct byte_reader {
        const uint8_t *at;
        const uint8_t *end;
        bool failed; /* read past the end, or a number that no writer writes */
};

static inline struct byte_reader reader_of(struct bytes bytes)
{
        return (struct byte_reader){bytes.data, bytes.data + bytes.size, false};
}

static inline size_t reader_left(const struct byte_reader *reader)
{
        return (size_t)(reader->end - reader->at);
}

static inline uint64_t zigzag(int64_t value)
{
        return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static inline int64_t unzigzag(uint64_t value)
{
        return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* Differences wrap around, so that any two int64 have one. */
static inline int64_t difference(int64_t a, int64_t b)
{
        return (int64_t)((uint64_t)a - (uint64_t)b);
}

static inline int64_t sum(int64_t a, int64_t b)
{
        return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline uint64_t read_varint_long(struct byte_reader *reader)
{
        uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
                if (reader->at == reader->end)
                        break;
                uint8_t byte = *reader->at++;
                if (shift == 63 && byte > 1)
                        break;
                value |= (uint64_t)(byte & 0x7f) << shift;
                if (!(byte & 0x80))
                        return value;
        }
        reader->failed = true;
        reader->at = reader->end;
        return 0;
}

static inline uint64_t read_varint(struct byte_reader *reader)
{
        if (reader->at != reader->end && *reader->at < 0x80)
                return *reader->at++;
        return read_varint_long(reader);
}

static inline int64_t read_signed(struct byte_reader *reader)
{
        return unzigzag(read_varint(reader));
}

static inline uint8_t read_byte(struct byte_reader *reader)
{
        if (reader->at == reader->end) {
                reader->failed = true;
                return 0;
        }
        return *reader->at++;
}

static inline struct bytes read_bytes(struct byte_reader *reader, size_t size)
{
        if (size > reader_left(reader)) {
                reader->failed = true;
                reader->at = reader->end;
                return (struct bytes){reader->at, 0};
        }
        struct bytes bytes = {reader->at, size};
        reader->at += size;
        return bytes;
}

/* A text of at most @capacity - 1 bytes, as write_text writes it. */
static inline void read_text(struct byte_reader *reader, char *ret_text, size_t capacity)
{
        struct bytes bytes = read_bytes(reader, read_varint(reader));
        if (bytes.size >= capacity || memchr(bytes.data, 0, bytes.size)) {
                reader->failed = true;
                bytes.size = 0;
        }
        memcpy(ret_text, bytes.data, bytes.size);
        ret_text[bytes.size] = '\0';
}

static inline void write_varint(struct buffer *buffer, uint64_t value)
{
        uint8_t *room = buffer_reserve(buffer, VARINT_SIZE_MAX);
        if (!room)
                return;
        size_t size = 0;
        for (; value >= 0x80; value >>= 7)
                room[size++] = (uint8_t)(value | 0x80);
        room[size++] = (uint8_t)value;
        buffer->size += size;
}

/* Bytes that write_varint appends. */
static inline size_t varint_size(uint64_t value)
{
        size_t size = 1;
        for (; value >= 0x80; value >>= 7)
                size++;
        return size;
}

static inline void write_signed(struct buffer *buffer, int64_t value)
{
        write_varint(buffer, zigzag(value));
}

static inline void write_text(struct buffer *buffer, const char *text)
{
        write_varint(buffer, strlen(text));
        buffer_append_text(buffer, text);
}

static inline void store_u32(uint8_t *to, uint32_t value)
{
        for (int i = 0; i < 4; i++)
                to[i] = (uint8_t)(value >> (8 * i));
}

static inline void store_u64(uint8_t *to, uint64_t value)
{
        for (int i = 0; i < 8; i++)
                to[i] = (uint8_t)(value >> (8 * i));
}

static inline uint32_t load_u32(const uint8_t *from)
{
        return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
            (uint32_t)from[3] << 24;
}

static inline uint64_t load_u64(const uint8_t *from)
{
        return (uint64_t)load_u32(from) | (uint64_t)load_u32(from + 4) << 32;
}

#endif
