#include "venue/venue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every feed that is spoken, those of one exchange together. */
static const struct venue *const venue_table[] = {
    &venue_binance, &venue_coinbase, &venue_coinbase_advanced};

const struct venue *venue_at(size_t index)
{
        return index < sizeof(venue_table) / sizeof(venue_table[0]) ? venue_table[index] : NULL;
}

const struct venue *venue_find(const char *name)
{
        const struct venue *venue;
        for (size_t i = 0; (venue = venue_at(i)); i++) {
                if (!strcmp(venue->name, name))
                        return venue;
        }
        return NULL;
}

const struct venue *venue_feed(const char *name, const char *feed)
{
        const struct venue *venue;
        for (size_t i = 0; (venue = venue_at(i)); i++) {
                if (!strcmp(venue->name, name) && !strcmp(venue->feed, feed))
                        return venue;
        }
        return NULL;
}

static int refuse_exchange(const char *text, const char *name, struct error *error)
{
        char known[128] = "";
        const struct venue *venue;
        for (size_t i = 0, size = 0; (venue = venue_at(i)); i++) {
                if (venue_find(venue->name) == venue && size < sizeof(known))
                        size += (size_t)snprintf(known + size, sizeof(known) - size, "%s%s",
                            size ? ", " : "", venue->name);
        }
        return error_set(
            error, ERR_PARSE, "\"%s\": the exchange \"%s\" is not known (%s)", text, name, known);
}

int venue_parse_symbol(const char *text, const struct venue **ret_venue, char *ret_symbol,
    size_t size, struct error *error)
{
        char name[32] = "binance";
        const char *colon = strchr(text, ':');
        const char *symbol = colon ? colon + 1 : text;
        if (colon)
                snprintf(name, sizeof(name), "%.*s", (int)(colon - text), text);
        const struct venue *venue = venue_find(name);
        if (!venue)
                return refuse_exchange(text, name, error);
        if (strlen(symbol) >= size || !venue->symbol_is_valid(symbol))
                return error_set(error, ERR_PARSE,
                    "\"%s\": not a symbol as %s spells it, like %s:%s", text, venue->name,
                    venue->name, venue->example);
        snprintf(ret_symbol, size, "%s", symbol);
        *ret_venue = venue;
        return 0;
}

void level_list_clear(struct level_list *list)
{
        list->count = 0;
}

void level_list_add(struct level_list *list, struct level level)
{
        if (list->count == list->capacity) {
                list->capacity = list->capacity ? list->capacity * 2 : 1024;
                list->levels = memory_resize(list->levels, list->capacity * sizeof(level));
        }
        list->levels[list->count++] = level;
}

void level_list_add_order(struct level_list *list, struct level level, const struct order_id *order)
{
        size_t at = list->count;
        level_list_add(list, level);
        if (at >= list->order_capacity) {
                list->order_capacity = list->capacity;
                list->orders =
                    memory_resize(list->orders, list->order_capacity * sizeof(*list->orders));
        }
        list->orders[at] = *order;
}

void level_list_deinit(struct level_list *list)
{
        free(list->levels);
        free(list->orders);
        *list = (struct level_list){0};
}

void url_append(struct buffer *url, const char *text)
{
        static const char plain[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
        for (; *text; text++) {
                if (strchr(plain, *text))
                        buffer_append_byte(url, (uint8_t)*text);
                else
                        buffer_printf(url, "%%%02X", (unsigned char)*text);
        }
}
