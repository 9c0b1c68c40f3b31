/* The journal: one JSON line a fact, written before the fact can be seen from outside.
 *
 * Lines gather in memory; journal_flush writes them, and is called before bytes go to a socket. */
#ifndef LAB_JOURNAL_H
#define LAB_JOURNAL_H

#include "base/bytes.h"
#include "base/error.h"
#include "scan.h"

struct journal {
        int fd; /* -1: no journal is kept */
        struct buffer text;
};

int journal_open(struct journal *journal, const char *path, struct error *error);
void journal_close(struct journal *journal);
void journal_flush(struct journal *journal);

/* One whole line: {"t":@type,"ns":now, and what @format gives (",\"key\":1")}. */
void journal_line(struct journal *journal, const char *type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same in pieces; each begins with a comma of its own. */
void journal_begin(struct journal *journal, const char *type);
void journal_number(struct journal *journal, const char *key, int64_t value);
void journal_text(struct journal *journal, const char *key, struct span value);
void journal_end(struct journal *journal);

/* Append @value as a JSON string with its quotes. Bytes that are not UTF-8 text come out as
 * \u00XX, which is how binary frames are journalled. */
void journal_quote(struct buffer *text, struct span value, bool is_binary);

#endif
