/* What each symbol was, and when: the newest record of every symbol, and what differs from it. */
#include <stdlib.h>
#include <string.h>

#include "record/internal.h"
#include "store/layout.h"

static int compare_names(const struct symbol_record *a, const struct symbol_record *b)
{
        int order = strcmp(a->exchange, b->exchange);
        return order ? order : strcmp(a->symbol, b->symbol);
}

/* Where the symbol of @record is, or belongs. */
static size_t symbols_find(const struct symbols *symbols, const struct symbol_record *record)
{
        size_t first = 0, end = symbols->count;
        while (first < end) {
                size_t middle = first + (end - first) / 2;
                if (compare_names(&symbols->list[middle]->newest, record) < 0)
                        first = middle + 1;
                else
                        end = middle;
        }
        return first;
}

static struct known_symbol *symbols_add(
    struct symbols *symbols, size_t at, const struct symbol_record *record, uint32_t number)
{
        struct known_symbol *symbol = memory_new(sizeof(*symbol));
        *symbol = (struct known_symbol){.number = number, .newest = *record};
        if (symbols->count == symbols->capacity) {
                symbols->capacity = symbols->capacity ? 2 * symbols->capacity : 64;
                symbols->list =
                    memory_resize(symbols->list, symbols->capacity * sizeof(*symbols->list));
        }
        memmove(symbols->list + at + 1, symbols->list + at,
            (symbols->count - at) * sizeof(*symbols->list));
        symbols->list[at] = symbol;
        symbols->count++;
        if (number >= symbols->next_number)
                symbols->next_number = number + 1;
        return symbol;
}

static struct known_symbol *symbols_get(
    const struct symbols *symbols, size_t at, const struct symbol_record *record)
{
        bool found = at < symbols->count && !compare_names(&symbols->list[at]->newest, record);
        return found ? symbols->list[at] : NULL;
}

static void symbols_take(
    struct symbols *symbols, uint32_t number, const struct symbol_record *record)
{
        size_t at = symbols_find(symbols, record);
        struct known_symbol *symbol = symbols_get(symbols, at, record);
        if (symbol)
                *symbol = (struct known_symbol){.number = number, .newest = *record};
        else
                symbols_add(symbols, at, record, number);
}

int symbols_load(struct symbols *symbols, struct store_txn *meta)
{
        const struct store_ops *ops = meta->store->ops;
        struct store_cursor cursor;
        symbols->next_number = 1;
        int code = ops->seek(meta, STORE_SYMBOLS, key_symbol(0, INT64_MIN), &cursor);
        while (!code) {
                struct symbol_record record;
                code = symbol_record_read(cursor.value, &record);
                if (!code) {
                        symbols_take(symbols, cursor.key.stream, &record);
                        code = ops->next(&cursor);
                }
        }
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}

void symbols_deinit(struct symbols *symbols)
{
        for (size_t i = 0; i < symbols->count; i++)
                free(symbols->list[i]);
        free(symbols->list);
}

static void symbol_put(struct recorder *recorder, const struct known_symbol *symbol)
{
        struct buffer value;
        buffer_init(&value, 4096);
        symbol_record_write(&value, &symbol->newest);
        batch_put(recorder->batch, STORE_META, STORE_SYMBOLS,
            key_symbol(symbol->number, symbol->newest.valid_from_ns), buffer_bytes(&value));
        buffer_deinit(&value);
}

/* What is true now was not true before what was recorded last, whatever the clock says. */
static void symbol_change(struct known_symbol *symbol, const struct symbol_record *record)
{
        int64_t before_ns = symbol->newest.valid_from_ns;
        symbol->newest = *record;
        if (record->valid_from_ns <= before_ns)
                symbol->newest.valid_from_ns = before_ns + (before_ns < INT64_MAX);
}

bool record_symbol(struct recorder *recorder, const struct symbol_record *record)
{
        struct symbols *symbols = &recorder->symbols;
        size_t at = symbols_find(symbols, record);
        struct known_symbol *symbol = symbols_get(symbols, at, record);
        if (symbol && symbol_record_same(&symbol->newest, record))
                return false;
        if (symbol)
                symbol_change(symbol, record);
        else
                symbol = symbols_add(symbols, at, record, symbols->next_number);
        symbol_put(recorder, symbol);
        return true;
}
