/* What a document says of a value in plain fields, for people who query a database. */
#ifndef SHIP_DESCRIBE_H
#define SHIP_DESCRIBE_H

#include "base/decimal.h"
#include "book/book.h"
#include "codec/decoder.h"
#include "codec/meta.h"
#include "store/store.h"

struct describer {
        /* The name of a stream, or NULL: to be set before the first value. */
        const struct stream_name *(*name_cb)(uint32_t stream, void *user);
        void *user;
        struct decoder decoder;
        struct book book;
        /* texts of the newest description */
        struct stream_name name;
        struct gap_record gap;
        struct epoch_record epoch;
        struct symbol_record symbol;
        char best[SIDES][DECIMAL_TEXT_SIZE];
        char text[256];
};

void describer_init(struct describer *describer);
void describer_deinit(struct describer *describer);

/* A store_describe_cb; @user is the describer. */
void describe(enum store_table table, struct store_key key, struct bytes value,
    struct store_description *ret_description, void *user);

#endif
