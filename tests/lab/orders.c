/* Keeps every order of a capture, and prints the book of any position. */
#include "orders.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/error.h"
#include "loader.h"
#include "prices.h"

#define CROSSING_ID "00000000-0000-4000-8000-00000000c055"

static uint32_t bucket_of(struct span text)
{
        uint32_t hash = 2166136261u;
        for (size_t i = 0; i < text.size; i++)
                hash = (hash ^ (uint8_t)text.data[i]) * 16777619u;
        return hash % ORDERS_BUCKETS;
}

static bool same(struct span a, struct span b)
{
        return a.size == b.size && !memcmp(a.data, b.data, a.size);
}

struct orders *orders_new(int64_t image_sequence)
{
        struct orders *orders = memory_new(sizeof(*orders));
        orders->image_sequence = image_sequence;
        memset(orders->order_heads, 0xff, sizeof(orders->order_heads));
        memset(orders->group_heads, 0xff, sizeof(orders->group_heads));
        return orders;
}

void orders_free(struct orders *orders)
{
        if (!orders)
                return;
        free(orders->list);
        free(orders->groups);
        free(orders->events);
        free(orders->steps);
        free(orders);
}

static uint32_t need_group(struct orders *orders, struct span price, bool is_ask)
{
        uint32_t *head = &orders->group_heads[bucket_of(price)];
        for (uint32_t i = *head; i != ORDERS_NONE; i = orders->groups[i].next)
                if (orders->groups[i].is_ask == is_ask && same(orders->groups[i].price, price))
                        return i;
        orders->groups =
            loader_grow(orders->groups, orders->group_count, sizeof(struct order_group));
        orders->groups[orders->group_count] =
            (struct order_group){.price = price, .next = *head, .is_ask = is_ask};
        *head = (uint32_t)orders->group_count++;
        return *head;
}

/* The last that was entered under this id. */
static uint32_t find(const struct orders *orders, struct span id)
{
        uint32_t i = orders->order_heads[bucket_of(id)];
        while (i != ORDERS_NONE && !same(orders->list[i].id, id))
                i = orders->list[i].next;
        return i;
}

static uint32_t enter(
    struct orders *orders, struct span id, struct span price, bool is_ask, int64_t size)
{
        uint32_t *head = &orders->order_heads[bucket_of(id)];
        uint32_t group = need_group(orders, price, is_ask);
        orders->list = loader_grow(orders->list, orders->count, sizeof(struct order));
        orders->list[orders->count] =
            (struct order){.id = id, .size = size, .left = size, .group = group, .next = *head};
        orders->groups[group].size += size;
        *head = (uint32_t)orders->count++;
        return *head;
}

static void add_event(struct orders *orders, uint32_t order, int64_t size)
{
        orders->events =
            loader_grow(orders->events, orders->event_count, sizeof(struct order_event));
        orders->events[orders->event_count++] = (struct order_event){order, size};
}

/* Set what is left of an order; its group, or ORDERS_NONE if that changes nothing. */
static uint32_t resize(struct orders *orders, uint32_t index, int64_t size)
{
        struct order *order = &orders->list[index];
        if (size < 0)
                size = 0;
        if (order->left == size)
                return ORDERS_NONE;
        orders->groups[order->group].size += size - order->left;
        order->left = size;
        add_event(orders, index, size);
        return order->group;
}

static struct span text_of(struct span message, const char *key)
{
        struct span value = {"", 0};
        return scan_find(message, key, &value) ? span_unquote(value) : value;
}

static bool size_of(struct span message, const char *key, int64_t *ret_size)
{
        struct span text = text_of(message, key);
        return text.size && !decimal_parse(text.data, text.size, ORDERS_DIGITS, ret_size);
}

static uint32_t enter_message(
    struct orders *orders, struct span message, const char *price_key, const char *size_key)
{
        struct span id = text_of(message, "order_id"), price = text_of(message, price_key);
        int64_t size = 0;
        if (!id.size || !price.size || !size_of(message, size_key, &size))
                return ORDERS_NONE;
        return enter(orders, id, price, span_is(text_of(message, "side"), "sell"), size);
}

int orders_add_row(struct orders *orders, struct span row)
{
        if (enter_message(orders, row, "price", "remaining_size") == ORDERS_NONE)
                return ERR_PARSE;
        orders->image_count = orders->count;
        return 0;
}

static int take_open(struct orders *orders, struct span message, const char *price_key,
    const char *size_key, uint32_t *ret_group)
{
        uint32_t index = enter_message(orders, message, price_key, size_key);
        if (index == ORDERS_NONE)
                return ERR_PARSE;
        add_event(orders, index, orders->list[index].size);
        *ret_group = orders->list[index].group;
        return 0;
}

static int take_match(struct orders *orders, struct span message, uint32_t *ret_group)
{
        uint32_t index = find(orders, text_of(message, "maker_order_id"));
        int64_t size = 0;
        if (!size_of(message, "size", &size))
                return ERR_PARSE;
        if (index != ORDERS_NONE)
                *ret_group = resize(orders, index, orders->list[index].left - size);
        return 0;
}

/* A new price means the back of the queue there: entered anew. */
static int take_change(
    struct orders *orders, struct span message, uint32_t index, uint32_t ret_groups[2])
{
        int64_t size = 0;
        if (!text_of(message, "new_size").size)
                return 0;
        if (!size_of(message, "new_size", &size))
                return ERR_PARSE;
        if (!text_of(message, "new_price").size) {
                ret_groups[0] = resize(orders, index, size);
                return 0;
        }
        ret_groups[0] = resize(orders, index, 0);
        return take_open(orders, message, "new_price", "new_size", &ret_groups[1]);
}

int orders_take(struct orders *orders, struct span message, int64_t sequence,
    uint32_t ret_touched[2], size_t *ret_count)
{
        uint32_t groups[2] = {ORDERS_NONE, ORDERS_NONE};
        struct span type = text_of(message, "type");
        uint32_t index = find(orders, text_of(message, "order_id"));
        int result = 0;
        if (span_is(type, "open"))
                result = take_open(orders, message, "price", "remaining_size", &groups[0]);
        else if (span_is(type, "match"))
                result = take_match(orders, message, &groups[0]);
        else if (span_is(type, "done") && index != ORDERS_NONE)
                groups[0] = resize(orders, index, 0);
        else if (span_is(type, "change") && index != ORDERS_NONE)
                result = take_change(orders, message, index, groups);
        *ret_count = 0;
        for (size_t i = 0; i < 2; i++)
                if (groups[i] != ORDERS_NONE)
                        ret_touched[(*ret_count)++] = groups[i];
        orders->steps = loader_grow(orders->steps, orders->step_count, sizeof(struct order_step));
        orders->steps[orders->step_count++] = (struct order_step){sequence, orders->event_count};
        return result;
}

/* The step before a position of play; NULL: the image. */
static const struct order_step *step_at(const struct orders *orders, size_t behind)
{
        return orders->steps_done > behind ? &orders->steps[orders->steps_done - behind - 1] : NULL;
}

int64_t orders_sequence(const struct orders *orders, size_t behind)
{
        const struct order_step *step = step_at(orders, behind);
        return step ? step->sequence : orders->image_sequence;
}

struct row {
        struct span price;
        struct span id;
        int64_t size;
        size_t count;
        size_t rank;
};

static int compare_asks(const void *left, const void *right)
{
        const struct row *a = left, *b = right;
        int order = prices_compare(&a->price, &b->price);
        return order ? order : a->rank < b->rank ? -1 : 1;
}

static int compare_bids(const void *left, const void *right)
{
        const struct row *a = left, *b = right;
        int order = prices_compare(&b->price, &a->price);
        return order ? order : a->rank < b->rank ? -1 : 1;
}

/* The live orders of one side at that position, sorted; the caller frees them. */
static struct row *take_rows(
    const struct orders *orders, size_t position, bool is_ask, size_t *ret_count)
{
        int64_t *sizes = memory_new((orders->count + 1) * sizeof(int64_t));
        struct row *rows = memory_new((orders->count + 1) * sizeof(struct row));
        size_t count = 0;
        for (size_t i = 0; i < orders->image_count; i++)
                sizes[i] = orders->list[i].size;
        for (size_t i = 0; i < position; i++)
                sizes[orders->events[i].order] = orders->events[i].size;
        for (size_t i = 0; i < orders->count; i++) {
                const struct order_group *group = &orders->groups[orders->list[i].group];
                if (sizes[i] && group->is_ask == is_ask)
                        rows[count++] =
                            (struct row){group->price, orders->list[i].id, sizes[i], 1, i};
        }
        qsort(rows, count, sizeof(struct row), is_ask ? compare_asks : compare_bids);
        free(sizes);
        *ret_count = count;
        return rows;
}

/* Rows of one price become one. */
static size_t join_rows(struct row *rows, size_t count)
{
        size_t joined = 0;
        for (size_t i = 0; i < count; i++) {
                if (joined && same(rows[joined - 1].price, rows[i].price)) {
                        rows[joined - 1].size += rows[i].size;
                        rows[joined - 1].count++;
                } else {
                        rows[joined++] = rows[i];
                }
        }
        return joined;
}

void orders_print_size(int64_t size, struct buffer *text)
{
        char digits[DECIMAL_TEXT_SIZE];
        decimal_format(size, ORDERS_DIGITS, false, digits);
        buffer_append_text(text, digits);
}

static void print_row(const struct row *row, int level, bool first, struct buffer *text)
{
        buffer_printf(
            text, "%s[\"%.*s\",\"", first ? "" : ",", (int)row->price.size, row->price.data);
        orders_print_size(row->size, text);
        if (level == 3)
                buffer_printf(text, "\",\"%.*s\"]", (int)row->id.size, row->id.data);
        else
                buffer_printf(text, "\",%zu]", row->count);
}

/* The price of the second best ask, for a bid that crosses the best. */
static bool crossing_row(const struct orders *orders, size_t position, struct row *ret_row)
{
        size_t count;
        struct row *rows = take_rows(orders, position, true, &count);
        count = join_rows(rows, count);
        *ret_row = (struct row){.id = {CROSSING_ID, sizeof(CROSSING_ID) - 1}, .count = 1};
        ret_row->size = 1;
        for (int i = 0; i < ORDERS_DIGITS; i++)
                ret_row->size *= 10;
        if (count > 1)
                ret_row->price = rows[1].price;
        free(rows);
        return count > 1;
}

size_t orders_print_side(const struct orders *orders, size_t behind, bool is_ask, int level,
    bool crossed, struct buffer *text)
{
        const struct order_step *step = step_at(orders, behind);
        size_t position = step ? step->event_count : 0;
        size_t count, printed = 0;
        struct row *rows = take_rows(orders, position, is_ask, &count), extra;
        if (level < 3)
                count = join_rows(rows, count);
        if (level == 1 && count > 1)
                count = 1;
        buffer_append_byte(text, '[');
        if (crossed && !is_ask && crossing_row(orders, position, &extra)) {
                print_row(&extra, level, true, text);
                printed++;
        }
        for (size_t i = 0; i < count; i++)
                print_row(&rows[i], level, !printed++, text);
        buffer_append_byte(text, ']');
        free(rows);
        return printed;
}

void orders_print_groups(const struct orders *orders, bool is_ask, struct buffer *text)
{
        bool first = true;
        buffer_append_byte(text, '[');
        for (size_t i = 0; i < orders->group_count; i++) {
                const struct order_group *group = &orders->groups[i];
                if (group->is_ask != is_ask || !group->size)
                        continue;
                buffer_printf(text, "%s[\"%.*s\",\"", first ? "" : ",", (int)group->price.size,
                    group->price.data);
                orders_print_size(group->size, text);
                buffer_append_text(text, "\"]");
                first = false;
        }
        buffer_append_byte(text, ']');
}

/* Which prices differ in orders, sizes or their succession from the image. */
static bool *find_changed(const struct orders *orders)
{
        uint64_t *image = memory_new((orders->group_count + 1) * sizeof(uint64_t));
        uint64_t *now = memory_new((orders->group_count + 1) * sizeof(uint64_t));
        bool *changed = memory_new(orders->group_count + 1);
        for (size_t i = 0; i < orders->count; i++) {
                const struct order *order = &orders->list[i];
                uint64_t hash = (uint64_t)(uintptr_t)order->id.data * UINT64_C(0x9e3779b97f4a7c15);
                if (i < orders->image_count)
                        image[order->group] =
                            image[order->group] * 31 + (hash ^ (uint64_t)order->size);
                if (order->left)
                        now[order->group] = now[order->group] * 31 + (hash ^ (uint64_t)order->left);
        }
        for (size_t i = 0; i < orders->group_count; i++)
                changed[i] = image[i] != now[i];
        free(image);
        free(now);
        return changed;
}

static void print_step(const struct orders *orders, const struct order *order, bool opens,
    int64_t sequence, const char *product, struct buffer *text)
{
        const struct order_group *group = &orders->groups[order->group];
        buffer_printf(text,
            "{\"type\":\"%s\",\"sequence\":%" PRId64 ",\"side\":\"%s\",\"price\":\"%.*s\","
            "\"order_id\":\"%.*s\",\"remaining_size\":\"",
            opens ? "open" : "done", sequence, group->is_ask ? "sell" : "buy",
            (int)group->price.size, group->price.data, (int)order->id.size, order->id.data);
        orders_print_size(opens ? order->size : order->left, text);
        buffer_printf(text, "\"%s,\"product_id\":\"%s\",\"time\":\"",
            opens ? "" : ",\"reason\":\"canceled\"", product);
}

void orders_print_seam(
    const struct orders *orders, const char *product, struct span time, struct buffer *text)
{
        bool *changed = find_changed(orders);
        int64_t sequence = orders->steps[orders->step_count - 1].sequence;
        for (int opens = 0; opens < 2; opens++) {
                size_t end = opens ? orders->image_count : orders->count;
                for (size_t i = 0; i < end; i++) {
                        const struct order *order = &orders->list[i];
                        if (!changed[order->group] || (!opens && !order->left))
                                continue;
                        print_step(orders, order, opens, ++sequence, product, text);
                        buffer_append(text, time.data, time.size);
                        buffer_append_text(text, "\"}\n");
                }
        }
        free(changed);
}
