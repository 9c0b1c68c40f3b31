#include "bench/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/limits.h"

#define MAGIC INT64_C(0x315645424f) /* "OBEV1", little-endian */
#define EVENT_HEAD 6                /* numbers before an event's levels */

_Static_assert(sizeof(struct level) == 2 * sizeof(int64_t), "levels lie in the file as in memory");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "and so do the bytes of a number");

/* Sticky: what goes beyond the file, or beyond what is allowed, is 0 or NULL from then on. */
struct cursor {
        const int64_t *at;
        size_t left; /* numbers */
        bool failed;
};

static int64_t take(struct cursor *cursor, int64_t low, int64_t high)
{
        if (cursor->failed || !cursor->left || *cursor->at < low || *cursor->at > high) {
                cursor->failed = true;
                return 0;
        }
        cursor->left--;
        return *cursor->at++;
}

static int64_t take_any(struct cursor *cursor)
{
        return take(cursor, INT64_MIN, INT64_MAX);
}

static const struct level *take_levels(struct cursor *cursor, uint32_t count)
{
        const struct level *levels = (const struct level *)cursor->at;
        if (cursor->failed || cursor->left / 2 < count) {
                cursor->failed = true;
                return NULL;
        }
        cursor->at += 2 * (size_t)count;
        cursor->left -= 2 * (size_t)count;
        return levels;
}

static void take_sides(struct cursor *cursor, int64_t limit, uint32_t ret_count[SIDES],
    const struct level *ret_levels[SIDES])
{
        for (int s = 0; s < SIDES; s++)
                ret_count[s] = (uint32_t)take(cursor, 0, limit);
        for (int s = 0; s < SIDES; s++)
                ret_levels[s] = take_levels(cursor, ret_count[s]);
}

static void take_head(struct cursor *cursor, struct event_file *file)
{
        take(cursor, MAGIC, MAGIC);
        file->scale.price_digits = (uint8_t)take(cursor, 0, LIMIT_DIGITS);
        file->scale.quantity_digits = (uint8_t)take(cursor, 0, LIMIT_DIGITS);
        file->scale.fixed = take(cursor, 0, 1);
        file->scale.tick = take(cursor, 1, INT64_MAX);
        file->scale.lot = take(cursor, 1, INT64_MAX);
        file->event_count = (size_t)take(cursor, 0, (int64_t)(cursor->left / EVENT_HEAD));
        file->level_count = (uint64_t)take(cursor, 0, (int64_t)(cursor->left / 2));
}

static void take_image(struct cursor *cursor, struct image *image)
{
        image->id = take_any(cursor);
        image->receive_time_ns = take_any(cursor);
        take_sides(cursor, LIMIT_BOOK_LEVELS, image->count, image->levels);
}

static void take_event(struct cursor *cursor, struct event *event)
{
        event->event_time_ns = take_any(cursor);
        event->receive_time_ns = take_any(cursor);
        event->first_id = take_any(cursor);
        event->last_id = take_any(cursor);
        take_sides(cursor, LIMIT_EVENT_LEVELS, event->count, event->levels);
}

static int take_all(struct cursor *cursor, struct event_file *file)
{
        uint64_t levels = 0;
        take_head(cursor, file);
        take_image(cursor, &file->image);
        file->events = memory_new(file->event_count * sizeof(*file->events));
        for (size_t i = 0; i < file->event_count && !cursor->failed; i++) {
                take_event(cursor, &file->events[i]);
                levels += event_level_count(&file->events[i]);
        }
        return cursor->failed || cursor->left || levels != file->level_count ? ERR_CORRUPT : 0;
}

static int read_whole(FILE *input, void **ret_memory, size_t *ret_size)
{
        struct stat status;
        if (fstat(fileno(input), &status) || !S_ISREG(status.st_mode))
                return ERR_IO;
        size_t size = (size_t)status.st_size;
        void *memory = memory_new(size);
        if (fread(memory, 1, size, input) != size) {
                free(memory);
                return ERR_IO;
        }
        *ret_memory = memory;
        *ret_size = size;
        return 0;
}

int event_file_read(struct event_file *ret_file, const char *path)
{
        struct event_file file = {.memory = NULL};
        size_t size = 0;
        FILE *input = fopen(path, "rb");
        if (!input)
                return ERR_IO;
        int code = read_whole(input, &file.memory, &size);
        fclose(input);
        if (code)
                return code;
        struct cursor cursor = {file.memory, size / sizeof(int64_t), size % sizeof(int64_t) != 0};
        code = take_all(&cursor, &file);
        if (code)
                event_file_free(&file);
        else
                *ret_file = file;
        return code;
}

void event_file_free(struct event_file *file)
{
        free(file->events);
        free(file->memory);
        *file = (struct event_file){.memory = NULL};
}
