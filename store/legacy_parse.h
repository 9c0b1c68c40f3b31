/* One legacy document, as BSON, taken apart. */
#ifndef STORE_LEGACY_PARSE_H
#define STORE_LEGACY_PARSE_H

#include "store/legacy.h"

typedef struct _bson_t bson_t;

struct legacy_parser;

/* Where a document belongs among its neighbours. */
struct legacy_order {
        bool by_time; /* else where it stands */
        int64_t time_ns;
        const char *recorder; /* "": none; borrowed from the document */
};

struct legacy_parser *legacy_parser_new(void);
void legacy_parser_free(struct legacy_parser *parser);

/* What @ret_document refers to lives as long as @document, and until the next call. */
void legacy_parse(
    struct legacy_parser *parser, const bson_t *document, struct legacy_document *ret_document);
void legacy_order(const bson_t *document, struct legacy_order *ret_order);

/* Is it a snapshot or an update with a book? */
bool legacy_looks(const bson_t *document);

#endif
