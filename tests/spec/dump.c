/* obdump STORE: every value of a store as a line of JSON, for decoders that know no store. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "tests/spec/rows.h"

static const char *const table_names[STORE_TABLES] = {"info", "streams", "days", "pruned", "sinks",
    "symbols", "audits", "frames", "times", "epochs", "gaps", "marks", "notes"};

static void print_row(uint32_t place, const struct store_cursor *row, void *user)
{
        (void)user;
        char day[DAY_TEXT_SIZE];
        printf("{\"place\":\"%s\",\"table\":\"%s\",\"stream\":%" PRIu32 ",\"major\":%" PRId64
               ",\"minor\":%" PRIu64 ",\"value\":\"",
            place == STORE_META ? "meta" : day_format(place, day), table_names[row->table],
            row->key.stream, row->key.major, row->key.minor);
        for (size_t i = 0; i < row->value.size; i++)
                printf("%02x", row->value.data[i]);
        printf("\"}\n");
}

int main(int argc, char **argv)
{
        struct error error = {0};
        struct store *store;
        if (argc != 2) {
                fprintf(stderr, "usage: obdump STORE\n");
                return 2;
        }
        struct store_options options = {.path = argv[1], .mode = STORE_READ};
        int code = store_lmdb.open(&store, &options, &error);
        if (!code) {
                code = rows_each(store, print_row, NULL, &error);
                store->ops->close(store);
        }
        if (code)
                fprintf(stderr, "obdump: %s\n", error.text);
        return code || fflush(stdout) || ferror(stdout) ? 1 : 0;
}
