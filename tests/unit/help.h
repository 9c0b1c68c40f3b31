/* What the unit tests share: seeded chance, a naive book to compare with, captured output. */
#ifndef TESTS_UNIT_HELP_H
#define TESTS_UNIT_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <fcntl.h>

#include "base/bytes.h"
#include "book/book.h"

/* ---- chance: splitmix64, the same on every machine ---- */

struct chance {
        uint64_t state;
};

static inline uint64_t chance_next(struct chance *chance)
{
        uint64_t z = chance->state += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

/* 0 .. limit - 1 */
static inline uint64_t chance_below(struct chance *chance, uint64_t limit)
{
        return chance_next(chance) % limit;
}

static inline bool chance_one_in(struct chance *chance, uint64_t count)
{
        return chance_below(chance, count) == 0;
}

/* Any int64, the extreme ones and the small ones often. */
static inline int64_t chance_int64(struct chance *chance)
{
        static const int64_t hard[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1, 0, -1, 1,
            INT32_MAX, INT32_MIN, INT64_C(1) << 62, -(INT64_C(1) << 62)};
        switch (chance_below(chance, 3)) {
        case 0:
                return hard[chance_below(chance, sizeof(hard) / sizeof(hard[0]))];
        case 1:
                return (int64_t)chance_below(chance, 2000) - 1000;
        default:
                return (int64_t)chance_next(chance);
        }
}

/* ---- a naive book: unsorted, every look-up walks ---- */

#define NAIVE_LEVELS 4096

struct naive {
        struct level levels[SIDES][NAIVE_LEVELS];
        size_t count[SIDES];
};

static inline void naive_set(struct naive *naive, enum side s, int64_t price, int64_t quantity)
{
        struct level *levels = naive->levels[s];
        size_t i = 0;
        while (i < naive->count[s] && levels[i].price != price)
                i++;
        if (i < naive->count[s] && quantity)
                levels[i].quantity = quantity;
        else if (i < naive->count[s])
                levels[i] = levels[--naive->count[s]];
        else if (quantity && i < NAIVE_LEVELS)
                levels[naive->count[s]++] = (struct level){price, quantity};
}

static inline void naive_apply(struct naive *naive, const struct event *event)
{
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < event->count[s]; i++)
                        naive_set(
                            naive, s, event->levels[s][i].price, event->levels[s][i].quantity);
        }
}

static inline int compare_ascending(const void *a, const void *b)
{
        const struct level *left = a, *right = b;
        return (left->price > right->price) - (left->price < right->price);
}

static inline int compare_descending(const void *a, const void *b)
{
        return compare_ascending(b, a);
}

/* Best first, as a book walks. */
static inline void naive_sort(struct naive *naive)
{
        qsort(naive->levels[SIDE_BID], naive->count[SIDE_BID], sizeof(struct level),
            compare_descending);
        qsort(naive->levels[SIDE_ASK], naive->count[SIDE_ASK], sizeof(struct level),
            compare_ascending);
}

/* Level for level, in order, through every query that a book has. */
static inline void assert_book_is(const struct book *book, struct naive *naive)
{
        naive_sort(naive);
        for (enum side s = 0; s < SIDES; s++) {
                struct book_cursor cursor = {0};
                struct level level;
                assert_int_equal(book_count(book, s), naive->count[s]);
                assert_int_equal(book_best(book, s, &level), naive->count[s] != 0);
                for (size_t i = 0; i < naive->count[s]; i++) {
                        assert_true(book_next(book, s, &cursor, &level));
                        assert_int_equal(level.price, naive->levels[s][i].price);
                        assert_int_equal(level.quantity, naive->levels[s][i].quantity);
                        assert_int_equal(book_quantity(book, s, level.price), level.quantity);
                }
                assert_false(book_next(book, s, &cursor, &level));
        }
}

/* ---- what is printed, caught in a file ---- */

struct capture {
        int number, before;
        FILE *file;
};

static inline struct capture capture_begin(FILE *stream)
{
        struct capture capture = {.number = fileno(stream), .file = tmpfile()};
        assert_non_null(capture.file);
        fflush(stream);
        capture.before = dup(capture.number);
        dup2(fileno(capture.file), capture.number);
        return capture;
}

/* The text; the caller frees it. */
static inline char *capture_end(struct capture *capture)
{
        fflush(NULL);
        dup2(capture->before, capture->number);
        close(capture->before);
        long size = lseek(fileno(capture->file), 0, SEEK_END);
        char *text = memory_new((size_t)size + 1);
        assert_int_equal(pread(fileno(capture->file), text, (size_t)size, 0), size);
        fclose(capture->file);
        return text;
}

static inline size_t count_of(const char *text, const char *word)
{
        size_t count = 0;
        for (; (text = strstr(text, word)); text += strlen(word))
                count++;
        return count;
}

#endif
