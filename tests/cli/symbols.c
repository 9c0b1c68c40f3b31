/* obsymbols STORE: records symbols in a store, for tests/cli/test_symbols.py.
 *
 * A line of stdin is a record: from_ns, exchange, symbol, base, quote, tick, lot, min_quantity,
 * min_notional, status, trading, auction, parted by commas; printed is whether it was new.
 * obsymbols STORE NUMBER FROM_NS HEX: puts these bytes there instead. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "record/record.h"
#include "store/layout.h"

static int fail(const char *why)
{
        fprintf(stderr, "obsymbols: %s\n", why);
        return 1;
}

static void take_text(char **line, char *ret_text, size_t size)
{
        const char *word = strsep(line, ",");
        snprintf(ret_text, size, "%s", word ? word : "");
}

static bool take_flag(char **line)
{
        const char *word = strsep(line, ",");
        return word && !strcmp(word, "1");
}

static void take_record(char *line, struct symbol_record *ret_record)
{
        char from[32];
        struct symbol_record record = {0};
        take_text(&line, from, sizeof(from));
        record.valid_from_ns = strtoll(from, NULL, 10);
        take_text(&line, record.exchange, sizeof(record.exchange));
        take_text(&line, record.symbol, sizeof(record.symbol));
        take_text(&line, record.base, sizeof(record.base));
        take_text(&line, record.quote, sizeof(record.quote));
        take_text(&line, record.tick, sizeof(record.tick));
        take_text(&line, record.lot, sizeof(record.lot));
        take_text(&line, record.min_quantity, sizeof(record.min_quantity));
        take_text(&line, record.min_notional, sizeof(record.min_notional));
        take_text(&line, record.status, sizeof(record.status));
        record.trading = take_flag(&line);
        record.auction = take_flag(&line);
        *ret_record = record;
}

static int record_lines(struct store *store)
{
        struct record_options options = record_defaults;
        struct recorder *recorder;
        struct error error = {0};
        char line[1024];
        options.without_thread = true;
        if (recorder_open(&recorder, store, &options, &error))
                return fail(error.text);
        while (fgets(line, sizeof(line), stdin)) {
                struct symbol_record record;
                line[strcspn(line, "\n")] = '\0';
                take_record(line, &record);
                printf("%d\n", record_symbol(recorder, &record));
        }
        return recorder_close(recorder, 0, NS_PER_S, &error) ? fail(error.text) : 0;
}

static int put_bytes(struct store *store, struct store_key key, const char *hex)
{
        uint8_t bytes[1024];
        size_t size = 0;
        struct store_txn txn;
        struct error error = {0};
        if (store->ops->begin(store, STORE_META, true, &txn, &error))
                return fail(error.text);
        for (; hex[0] && hex[1] && size < sizeof(bytes); hex += 2) {
                const char pair[] = {hex[0], hex[1], '\0'};
                bytes[size++] = (uint8_t)strtoul(pair, NULL, 16);
        }
        store->ops->put(&txn, STORE_SYMBOLS, key, (struct bytes){bytes, size});
        return store->ops->commit(&txn, &error) ? fail(error.text) : 0;
}

int main(int argc, char **argv)
{
        struct store_options options = {.mode = STORE_WRITE};
        struct store *store;
        struct error error = {0};
        if (argc != 2 && argc != 5)
                return fail("STORE, or STORE NUMBER FROM_NS HEX");
        options.path = argv[1];
        if (store_lmdb.open(&store, &options, &error))
                return fail(error.text);
        int code = argc == 2
            ? record_lines(store)
            : put_bytes(store,
                  key_symbol((uint32_t)strtoul(argv[2], NULL, 10), strtoll(argv[3], NULL, 10)),
                  argv[4]);
        store_lmdb.close(store);
        return code;
}
