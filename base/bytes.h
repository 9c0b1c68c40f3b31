/* Borrowed bytes, and a growing buffer with a sticky error.
 *
 * A buffer never grows beyond its limit: the append that would do so sets failed, and so do all
 * after it, with the content left as it was. A body appends straight on and asks once, at the end.
 * Memory exhaustion ends the program (the store survives that as it survives kill -9). */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
        const uint8_t *data;
        size_t size;
};

struct buffer {
        uint8_t *data;
        size_t size;
        size_t capacity;
        size_t limit;
        bool failed;
};

#define BYTES(text) ((struct bytes){(const uint8_t *)(text), sizeof(text) - 1})

/* Memory or the end of the program; never NULL. Release with free(). */
void *memory_new(size_t size);
void *memory_resize(void *memory, size_t size);
char *memory_text(const char *text);

void buffer_init(struct buffer *buffer, size_t limit);
void buffer_deinit(struct buffer *buffer);

/* Forget content and error, keep the memory. */
void buffer_clear(struct buffer *buffer);

void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_append_byte(struct buffer *buffer, uint8_t byte);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for @size more bytes at the end, or NULL (sticky). Advance buffer->size by what is used. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t size);

/* Append @text as the inside of a JSON string, escaped (not the quotes). */
void buffer_append_json(struct buffer *buffer, const char *text);

static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
        return (struct bytes){buffer->data, buffer->size};
}

#endif
