/* Keeps the facts of products, and changes them. */
#include "products.h"

#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

#define TEXT_LIMIT (64u << 10)

struct product *products_find(struct tape *tape, struct span id)
{
        for (uint32_t i = 0; i < tape->product_count; i++)
                if (span_is(id, tape->products[i].id))
                        return &tape->products[i];
        return NULL;
}

static char *copy_of(struct span text)
{
        char *copy = memory_new(text.size + 1);
        memcpy(copy, text.data, text.size);
        return copy;
}

static void add(struct tape *tape, struct span id, struct span text)
{
        if (!id.size || id.size >= TAPE_NAME_SIZE || tape->product_count == TAPE_PRODUCTS ||
            products_find(tape, id))
                return;
        struct product *product = &tape->products[tape->product_count++];
        memcpy(product->id, id.data, id.size);
        product->text = copy_of(text);
}

static struct span text_of(struct span object, const char *key)
{
        struct span value = {"", 0};
        return scan_find(object, key, &value) ? span_unquote(value) : value;
}

/* A product as Exchange's REST has it. */
static void make(
    struct tape *tape, struct span id, struct span tick, struct span step, struct span status)
{
        struct span quote = id, base = span_cut(&quote, "-");
        struct buffer text;
        buffer_init(&text, TEXT_LIMIT);
        buffer_printf(&text,
            "{\"id\":\"%.*s\",\"base_currency\":\"%.*s\",\"quote_currency\":\"%.*s\","
            "\"quote_increment\":\"%.*s\",\"base_increment\":\"%.*s\",\"display_name\":\"%.*s\","
            "\"min_market_funds\":\"1\",\"margin_enabled\":false,\"post_only\":false,"
            "\"limit_only\":false,\"cancel_only\":false,\"status\":\"%.*s\","
            "\"status_message\":\"\",\"trading_disabled\":false,\"fx_stablecoin\":false,"
            "\"max_slippage_percentage\":\"0.02000000\",\"auction_mode\":false,"
            "\"high_bid_limit_percentage\":\"\"}",
            (int)id.size, id.data, (int)base.size, base.data, (int)quote.size, quote.data,
            (int)tick.size, tick.data, (int)step.size, step.data, (int)id.size, id.data,
            (int)status.size, status.data);
        add(tape, id, (struct span){(char *)text.data, text.size});
        buffer_deinit(&text);
}

/* Of Advanced Trade's own list: aliases are no products of the engine. */
static void add_advanced(struct tape *tape, struct span product)
{
        if (!text_of(product, "alias").size && text_of(product, "quote_increment").size)
                make(tape, text_of(product, "product_id"), text_of(product, "quote_increment"),
                    text_of(product, "base_increment"), text_of(product, "status"));
}

int products_add_line(struct loader *loader, const struct line *line)
{
        struct scan scan;
        struct span list = line->raw, product;
        bool is_advanced = scan_find(line->raw, "products", &list);
        if (!memmem(line->url.data, line->url.size, "/products", 9) ||
            !scan_begin(&scan, list, '['))
                return 0;
        loader->capture->has_products = true;
        while (scan_element(&scan, &product)) {
                if (is_advanced)
                        add_advanced(loader->tape, product);
                else
                        add(loader->tape, text_of(product, "id"), product);
        }
        return 0;
}

static size_t digits_of(const char *text, size_t size, size_t digits)
{
        const char *point = memchr(text, '.', size);
        size_t count = point ? (size_t)(text + size - point - 1) : 0;
        return count > digits ? count : digits;
}

static void make_of_symbol(struct tape *tape, const struct symbol *symbol)
{
        char tick[DECIMAL_TEXT_SIZE], step[DECIMAL_TEXT_SIZE];
        size_t price_digits = 0, size_digits = 0;
        for (size_t i = 0; i < symbol->level_count; i++) {
                const struct level *level = &symbol->levels[i];
                price_digits = digits_of(level->price, level->price_size, price_digits);
                size_digits = digits_of(level->quantity, level->quantity_size, size_digits);
        }
        size_t tick_size = decimal_format(1, (unsigned)price_digits, true, tick);
        size_t step_size = decimal_format(1, (unsigned)size_digits, true, step);
        make(tape, (struct span){symbol->name, strlen(symbol->name)},
            (struct span){tick, tick_size}, (struct span){step, step_size},
            (struct span){"online", 6});
}

void products_finish(struct tape *tape)
{
        for (uint32_t i = 0; i < tape->symbol_count; i++)
                if (tape->symbols[i].venue != VENUE_BINANCE)
                        make_of_symbol(tape, &tape->symbols[i]);
}

void products_set(struct product *product, struct span key, struct span value)
{
        struct span object = {product->text, strlen(product->text)}, name, old;
        struct scan scan;
        struct buffer text;
        bool found = false;
        buffer_init(&text, TEXT_LIMIT);
        scan_begin(&scan, object, '{');
        while (scan_member(&scan, &name, &old)) {
                bool same = name.size == key.size && !memcmp(name.data, key.data, key.size);
                struct span now = same ? value : old;
                found = found || same;
                buffer_printf(
                    &text, "%c\"%.*s\":", text.size ? ',' : '{', (int)name.size, name.data);
                buffer_append(&text, now.data, now.size);
        }
        if (!found) {
                buffer_printf(&text, "%c\"%.*s\":", text.size ? ',' : '{', (int)key.size, key.data);
                buffer_append(&text, value.data, value.size);
        }
        buffer_append_byte(&text, '}');
        free(product->text);
        product->text = copy_of((struct span){(char *)text.data, text.size});
        buffer_deinit(&text);
}

bool products_has_status(const struct product *product, const char *status)
{
        return span_is(
            text_of((struct span){product->text, strlen(product->text)}, "status"), status);
}

static bool change_symbol(struct symbol *symbol, struct span key, struct span value)
{
        struct {
                const char *key;
                char *text;
                size_t room;
        } facts[] = {
            {"status", symbol->status, sizeof(symbol->status)},
            {"tickSize", symbol->tick_text, sizeof(symbol->tick_text)},
            {"stepSize", symbol->step_text, sizeof(symbol->step_text)},
        };
        value = span_unquote(value);
        for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
                if (!span_is(key, facts[i].key) || value.size >= facts[i].room)
                        continue;
                memcpy(facts[i].text, value.data, value.size);
                facts[i].text[value.size] = '\0';
                return true;
        }
        return false;
}

bool products_change(struct tape *tape, struct span symbol, struct span key, struct span value)
{
        struct product *product = products_find(tape, symbol);
        uint32_t index = tape_find_symbol(tape, VENUE_BINANCE, symbol);
        if (index != TAPE_NONE)
                return change_symbol(&tape->symbols[index], key, value);
        if (product)
                products_set(product, key, value);
        return product != NULL;
}

int products_set_statuses(struct tape *tape, const char *statuses, struct error *error)
{
        struct span rest = {statuses, strlen(statuses)};
        while (rest.size) {
                struct span status = span_cut(&rest, ","), symbol = span_cut(&status, "=");
                char value[64];
                size_t size = status.size < sizeof(value) - 2 ? status.size : 0;
                value[0] = value[size + 1] = '"';
                memcpy(value + 1, status.data, size);
                if (!size ||
                    !products_change(
                        tape, symbol, (struct span){"status", 6}, (struct span){value, size + 2}))
                        return error_set(error, ERR_USAGE,
                            "--product-status: no such product: %.*s",
                            (int)(symbol.size < 64 ? symbol.size : 64), symbol.data);
        }
        return 0;
}
