/* What the fuzzers share: a law that must hold, and numbers out of the fuzzer's bytes. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "book/event.h"

#define LAW(statement)                                                                             \
        do {                                                                                       \
                if (!(statement)) {                                                                \
                        fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #statement);    \
                        abort();                                                                   \
                }                                                                                  \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes that are left; beyond the end all is 0. */
struct source {
        const uint8_t *at;
        size_t left;
};

static inline uint8_t source_byte(struct source *source)
{
        if (!source->left)
                return 0;
        source->left--;
        return *source->at++;
}

static inline uint64_t source_u64(struct source *source, unsigned size)
{
        uint64_t value = 0;
        while (size--)
                value = value << 8 | source_byte(source);
        return value;
}

/* Small, middling, any, and the ends. */
static inline int64_t source_i64(struct source *source)
{
        uint8_t kind = source_byte(source);
        switch (kind & 7) {
        case 0:
                return (int8_t)source_byte(source);
        case 1:
                return (int16_t)source_u64(source, 2);
        case 2:
                return (int64_t)source_u64(source, 8);
        case 3:
                return INT64_MIN + (kind >> 3);
        case 4:
                return INT64_MAX - (kind >> 3);
        case 5:
                return (int64_t)source_u64(source, 4) * 1000;
        case 6:
                return (int64_t)source_u64(source, 5) * 1000000;
        default:
                return kind >> 3;
        }
}

#endif
