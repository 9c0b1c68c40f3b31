/* A sum over the levels of a book, that a test can keep beside it. */
#include "base/decimal.h"
#include "recon/recon.h"

static uint64_t fnv(uint64_t hash, const char *text, size_t size)
{
        for (size_t i = 0; i < size; i++)
                hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
        return hash;
}

uint64_t digest_level(enum side side, struct level level, const struct scale *scale)
{
        char text[2 * DECIMAL_TEXT_SIZE + 2];
        size_t size = 0;
        text[size++] = side == SIDE_BID ? 'b' : 'a';
        size += decimal_format(level.price, scale->price_digits, scale->fixed, text + size);
        text[size++] = ' ';
        size += decimal_format(level.quantity, scale->quantity_digits, scale->fixed, text + size);
        return fnv(UINT64_C(0xcbf29ce484222325), text, size);
}

uint64_t digest_book(const struct book *book, const struct scale *scale)
{
        uint64_t digest = 0;
        struct level level;
        for (enum side s = 0; s < SIDES; s++) {
                struct book_cursor cursor = {0};
                while (book_next(book, s, &cursor, &level))
                        digest += digest_level(s, level, scale);
        }
        return digest;
}
