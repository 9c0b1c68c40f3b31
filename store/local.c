/* What the stores on this machine have in common, told by their own functions. */
#include <stdlib.h>
#include <string.h>

#include "store/internal.h"

void store_local_add(
    struct store_txn *txn, enum store_table table, struct store_key key, struct bytes value)
{
        struct bytes known;
        if (txn->code)
                return;
        int code = txn->write ? txn->store->ops->get(txn, table, key, &known) : ERR_USAGE;
        if (code == ERR_NOT_FOUND)
                txn->store->ops->put(txn, table, key, value);
        else if (code)
                txn->code = code;
        else if (known.size != value.size ||
            (value.size && memcmp(known.data, value.data, value.size)))
                txn->code = ERR_CORRUPT;
}

int store_local_recorders(const struct store_ops *ops, const struct store_options *options,
    char ***ret_names, size_t *ret_count, struct error *error)
{
        struct store *store;
        struct store_options reading = *options;
        reading.mode = STORE_READ;
        int code = ops->open(&store, &reading, error);
        if (code)
                return code;
        *ret_names = memory_new(sizeof(char *));
        (*ret_names)[0] = memory_text(ops->recorder(store));
        *ret_count = 1;
        ops->close(store);
        return 0;
}
