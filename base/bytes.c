#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *memory_check(void *memory, size_t size)
{
        if (memory)
                return memory;
        fprintf(stderr, "out of memory: %zu bytes were refused\n", size);
        abort();
}

void *memory_new(size_t size)
{
        return memory_check(calloc(1, size ? size : 1), size);
}

void *memory_resize(void *memory, size_t size)
{
        return memory_check(realloc(memory, size ? size : 1), size);
}

char *memory_text(const char *text)
{
        return memory_check(strdup(text), strlen(text));
}

void buffer_init(struct buffer *buffer, size_t limit)
{
        *buffer = (struct buffer){.limit = limit};
}

void buffer_deinit(struct buffer *buffer)
{
        free(buffer->data);
        *buffer = (struct buffer){.limit = buffer->limit};
}

void buffer_clear(struct buffer *buffer)
{
        buffer->size = 0;
        buffer->failed = false;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t size)
{
        if (buffer->failed || size > buffer->limit - buffer->size) {
                buffer->failed = true;
                return NULL;
        }
        if (size > buffer->capacity - buffer->size) {
                size_t capacity = buffer->capacity ? buffer->capacity : 256;
                while (capacity < buffer->size + size)
                        capacity *= 2;
                buffer->data = memory_resize(buffer->data, capacity);
                buffer->capacity = capacity;
        }
        return buffer->data + buffer->size;
}

void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
        if (!size)
                return;
        uint8_t *room = buffer_reserve(buffer, size);
        if (!room)
                return;
        memcpy(room, data, size);
        buffer->size += size;
}

void buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
        buffer_append(buffer, &byte, 1);
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
        buffer_append(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
        va_list args, again;
        va_start(args, format);
        va_copy(again, args);
        int size = vsnprintf(NULL, 0, format, args);
        va_end(args);
        uint8_t *room = size < 0 ? NULL : buffer_reserve(buffer, (size_t)size + 1);
        if (room) {
                vsnprintf((char *)room, (size_t)size + 1, format, again);
                buffer->size += (size_t)size;
        }
        va_end(again);
}

void buffer_append_json(struct buffer *buffer, const char *text)
{
        for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
                if (*c == '"' || *c == '\\')
                        buffer_printf(buffer, "\\%c", *c);
                else if (*c < 0x20)
                        buffer_printf(buffer, "\\u%04x", *c);
                else
                        buffer_append_byte(buffer, *c);
        }
}
