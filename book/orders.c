#include "book/orders.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/limits.h"
#include "book/book.h"

#define SLOTS_MIN 64

struct orders *orders_new(void)
{
        struct orders *orders = memory_new(sizeof(*orders));
        orders->free = orders->queue_free = ORDER_NONE;
        return orders;
}

void orders_free(struct orders *orders)
{
        if (!orders)
                return;
        free(orders->orders);
        free(orders->by_id);
        free(orders->queues);
        free(orders->by_price);
        free(orders);
}

static void slots_clear(uint32_t *slots, uint32_t count)
{
        for (uint32_t i = 0; i < count; i++)
                slots[i] = ORDER_NONE;
}

void orders_clear(struct orders *orders)
{
        orders->count = orders->used = orders->queue_count = orders->queue_used = 0;
        orders->free = orders->queue_free = ORDER_NONE;
        slots_clear(orders->by_id, orders->id_slots);
        slots_clear(orders->by_price, orders->price_slots);
}

/* ---- hashing: ids are random as a rule, numbered ones differ in their last bytes ---- */

static uint32_t hash_mix(uint64_t value)
{
        value ^= value >> 32;
        value *= UINT64_C(0x9e3779b97f4a7c15);
        return (uint32_t)(value >> 32);
}

static uint32_t hash_id(const struct order_id *id)
{
        uint64_t words[2];
        memcpy(words, id->bytes, sizeof(words));
        return hash_mix(words[0] ^ (words[1] << 1 | words[1] >> 63));
}

static uint32_t hash_price(enum side side, int64_t price)
{
        return hash_mix((uint64_t)price * 2 + side);
}

static uint32_t *slots_grown(uint32_t **slots, uint32_t *count)
{
        *count = *count ? *count * 2 : SLOTS_MIN;
        *slots = memory_resize(*slots, *count * sizeof(**slots));
        slots_clear(*slots, *count);
        return *slots;
}

static void grow_by_id(struct orders *orders)
{
        uint32_t *old = orders->by_id, old_slots = orders->id_slots;
        orders->by_id = NULL;
        slots_grown(&orders->by_id, &orders->id_slots);
        for (uint32_t i = 0; i < old_slots; i++) {
                for (uint32_t at = old[i], next; at != ORDER_NONE; at = next) {
                        struct order *order = &orders->orders[at];
                        uint32_t *slot =
                            &orders->by_id[hash_id(&order->id) & (orders->id_slots - 1)];
                        next = order->chain;
                        order->chain = *slot;
                        *slot = at;
                }
        }
        free(old);
}

static void grow_by_price(struct orders *orders)
{
        uint32_t *old = orders->by_price, old_slots = orders->price_slots;
        orders->by_price = NULL;
        slots_grown(&orders->by_price, &orders->price_slots);
        for (uint32_t i = 0; i < old_slots; i++) {
                for (uint32_t at = old[i], next; at != ORDER_NONE; at = next) {
                        struct order_queue *queue = &orders->queues[at];
                        uint32_t *slot = &orders->by_price[hash_price(queue->side, queue->price) &
                            (orders->price_slots - 1)];
                        next = queue->chain;
                        queue->chain = *slot;
                        *slot = at;
                }
        }
        free(old);
}

uint32_t orders_find(const struct orders *orders, const struct order_id *id)
{
        if (!orders->id_slots)
                return ORDER_NONE;
        uint32_t at = orders->by_id[hash_id(id) & (orders->id_slots - 1)];
        while (at != ORDER_NONE && !order_id_equal(&orders->orders[at].id, id))
                at = orders->orders[at].chain;
        return at;
}

static uint32_t queue_find(const struct orders *orders, enum side side, int64_t price)
{
        if (!orders->price_slots)
                return ORDER_NONE;
        uint32_t at = orders->by_price[hash_price(side, price) & (orders->price_slots - 1)];
        while (at != ORDER_NONE &&
            (orders->queues[at].price != price || orders->queues[at].side != side))
                at = orders->queues[at].chain;
        return at;
}

const struct order_queue *orders_queue(const struct orders *orders, enum side side, int64_t price)
{
        uint32_t at = queue_find(orders, side, price);
        return at == ORDER_NONE ? NULL : &orders->queues[at];
}

/* ---- places ---- */

static uint32_t order_take(struct orders *orders)
{
        uint32_t at = orders->free;
        orders->count++;
        if (at != ORDER_NONE) {
                orders->free = orders->orders[at].next;
                return at;
        }
        if (orders->used == orders->capacity) {
                orders->capacity = orders->capacity ? orders->capacity * 2 : SLOTS_MIN;
                orders->orders =
                    memory_resize(orders->orders, orders->capacity * sizeof(struct order));
        }
        return orders->used++;
}

static uint32_t queue_take(struct orders *orders)
{
        uint32_t at = orders->queue_free;
        orders->queue_count++;
        if (at != ORDER_NONE) {
                orders->queue_free = orders->queues[at].first;
                return at;
        }
        if (orders->queue_used == orders->queue_capacity) {
                orders->queue_capacity =
                    orders->queue_capacity ? orders->queue_capacity * 2 : SLOTS_MIN;
                orders->queues = memory_resize(
                    orders->queues, orders->queue_capacity * sizeof(struct order_queue));
        }
        return orders->queue_used++;
}

static struct order_queue *queue_of(struct orders *orders, enum side side, int64_t price)
{
        uint32_t at = queue_find(orders, side, price);
        if (at != ORDER_NONE)
                return &orders->queues[at];
        if (orders->queue_count >= orders->price_slots)
                grow_by_price(orders);
        at = queue_take(orders);
        uint32_t *slot = &orders->by_price[hash_price(side, price) & (orders->price_slots - 1)];
        orders->queues[at] = (struct order_queue){.price = price,
            .first = ORDER_NONE,
            .last = ORDER_NONE,
            .chain = *slot,
            .side = (uint8_t)side};
        *slot = at;
        return &orders->queues[at];
}

static void queue_drop(struct orders *orders, struct order_queue *queue)
{
        uint32_t place = (uint32_t)(queue - orders->queues);
        uint32_t *at =
            &orders->by_price[hash_price(queue->side, queue->price) & (orders->price_slots - 1)];
        while (*at != place)
                at = &orders->queues[*at].chain;
        *at = queue->chain;
        queue->first = orders->queue_free;
        orders->queue_free = place;
        orders->queue_count--;
}

static void queue_append(struct orders *orders, struct order_queue *queue, uint32_t place)
{
        struct order *order = &orders->orders[place];
        order->previous = queue->last;
        order->next = ORDER_NONE;
        if (queue->last == ORDER_NONE)
                queue->first = place;
        else
                orders->orders[queue->last].next = place;
        queue->last = place;
        queue->count++;
}

static void queue_remove(struct orders *orders, uint32_t place)
{
        struct order *order = &orders->orders[place];
        struct order_queue *queue = queue_of(orders, order->side, order->price);
        if (order->previous == ORDER_NONE)
                queue->first = order->next;
        else
                orders->orders[order->previous].next = order->next;
        if (order->next == ORDER_NONE)
                queue->last = order->previous;
        else
                orders->orders[order->next].previous = order->previous;
        if (!--queue->count)
                queue_drop(orders, queue);
}

void orders_remove(struct orders *orders, uint32_t place)
{
        struct order *order = &orders->orders[place];
        uint32_t *at = &orders->by_id[hash_id(&order->id) & (orders->id_slots - 1)];
        queue_remove(orders, place);
        while (*at != place)
                at = &orders->orders[*at].chain;
        *at = order->chain;
        order->next = orders->free;
        orders->free = place;
        orders->count--;
}

void orders_add(
    struct orders *orders, enum side side, const struct order_id *id, int64_t price, int64_t size)
{
        if (orders->count >= orders->id_slots)
                grow_by_id(orders);
        uint32_t place = order_take(orders);
        uint32_t *slot = &orders->by_id[hash_id(id) & (orders->id_slots - 1)];
        orders->orders[place] = (struct order){
            .id = *id, .price = price, .size = size, .chain = *slot, .side = (uint8_t)side};
        *slot = place;
        queue_append(orders, queue_of(orders, side, price), place);
}

void orders_rescale(struct orders *orders, int64_t price_factor, int64_t quantity_factor)
{
        slots_clear(orders->by_price, orders->price_slots);
        for (uint32_t i = 0; i < orders->id_slots; i++) {
                for (uint32_t at = orders->by_id[i]; at != ORDER_NONE;
                     at = orders->orders[at].chain) {
                        orders->orders[at].price *= price_factor;
                        orders->orders[at].size *= quantity_factor;
                }
        }
        for (uint32_t i = 0; i < orders->queue_used; i++) {
                struct order_queue *queue = &orders->queues[i];
                if (!queue->count)
                        continue;
                queue->price *= price_factor;
                uint32_t *slot = &orders->by_price[hash_price(queue->side, queue->price) &
                    (orders->price_slots - 1)];
                queue->chain = *slot;
                *slot = i;
        }
}

/* ---- the book ---- */

void book_add_order(
    struct book *book, enum side side, const struct order_id *id, int64_t price, int64_t size)
{
        orders_add(book->orders, side, id, price, size);
        book_add(book, side, price, size);
}

void order_loader_begin(struct order_loader *loader, struct book *book)
{
        *loader = (struct order_loader){.book = book};
}

void order_loader_end(struct order_loader *loader)
{
        if (loader->sum)
                book_add(loader->book, loader->side, loader->price, loader->sum);
        loader->sum = 0;
}

int order_loader_add(struct order_loader *loader, enum side side, const struct order_id *id,
    int64_t price, int64_t size)
{
        struct book *book = loader->book;
        int64_t sum;
        if (!loader->sum || price != loader->price || side != loader->side) {
                order_loader_end(loader);
                loader->side = side;
                loader->price = price;
                loader->level = book_quantity(book, side, price);
        }
        if (__builtin_add_overflow(loader->level + loader->sum, size, &sum) ||
            book->orders->count >= LIMIT_BOOK_ORDERS || book_count(book, side) >= LIMIT_BOOK_LEVELS)
                return ERR_FULL;
        orders_add(book->orders, side, id, price, size);
        loader->sum += size;
        return 0;
}

void book_resize_order(struct book *book, uint32_t place, int64_t size)
{
        struct order *order = &book->orders->orders[place];
        book_add(book, order->side, order->price, size - order->size);
        order->size = size;
        if (!size)
                orders_remove(book->orders, place);
}

/* A new price, or more size than before: behind all others of that price. */
static void move_order(struct book *book, uint32_t place, int64_t price, int64_t size)
{
        struct order order = book->orders->orders[place];
        book_resize_order(book, place, 0);
        if (size)
                book_add_order(book, order.side, &order.id, price, size);
}

/* Only an owner's change moves an order: the price that self-trade prevention names is its own. */
static int64_t changed_price(const struct order *order, const struct order_message *message)
{
        bool moves = message->reason == REASON_MODIFY && message->has & ORDER_HAS_PRICE;
        return moves ? message->price : order->price;
}

static int64_t changed_size(const struct order *order, const struct order_message *message)
{
        int64_t size = message->has & ORDER_HAS_SIZE ? message->size : order->size;
        return size < 0 ? 0 : size;
}

static void apply_change(struct book *book, uint32_t place, const struct order_message *message)
{
        const struct order *order = &book->orders->orders[place];
        int64_t price = changed_price(order, message), size = changed_size(order, message);
        bool grows = size > order->size && message->reason != REASON_STP;
        if (price != order->price || grows)
                move_order(book, place, price, size);
        else
                book_resize_order(book, place, size);
}

static void apply_match(struct book *book, uint32_t place, const struct order_message *message)
{
        int64_t size = book->orders->orders[place].size;
        if (message->size > 0)
                book_resize_order(book, place, message->size < size ? size - message->size : 0);
}

static bool opens(const struct order_message *message)
{
        return message->type == ORDER_OPEN && message->has & ORDER_HAS_PRICE &&
            message->has & ORDER_HAS_SIZE && message->size > 0;
}

void book_apply_order(struct book *book, const struct order_message *message)
{
        uint32_t place = orders_find(book->orders, &message->id);
        if (place == ORDER_NONE) {
                if (opens(message))
                        book_add_order(
                            book, message->side, &message->id, message->price, message->size);
        } else if (message->type == ORDER_MATCH) {
                apply_match(book, place, message);
        } else if (message->type == ORDER_DONE) {
                book_resize_order(book, place, 0);
        } else if (message->type == ORDER_CHANGE) {
                apply_change(book, place, message);
        }
}

unsigned book_touch(const struct book *book, const struct order_message *message,
    enum side *ret_side, struct level ret_levels[ORDER_TOUCHES], int64_t ret_befores[ORDER_TOUCHES])
{
        uint32_t place = orders_find(book->orders, &message->id);
        const struct order *order = place == ORDER_NONE ? NULL : &book->orders->orders[place];
        unsigned count = 0;
        *ret_side = order ? order->side : message->side;
        if (!order && !opens(message))
                return 0;
        if (order && message->type != ORDER_MATCH && message->type != ORDER_DONE &&
            message->type != ORDER_CHANGE)
                return 0;
        ret_levels[count++].price = order ? order->price : message->price;
        if (order && message->type == ORDER_CHANGE && changed_price(order, message) != order->price)
                ret_levels[count++].price = message->price;
        for (unsigned i = 0; i < count; i++)
                ret_befores[i] = book_quantity(book, *ret_side, ret_levels[i].price);
        return count;
}

/* What @message would put at which price; 0: nothing that could be too much. */
static int64_t order_brings(const struct book *book, const struct order_message *message,
    enum side *ret_side, int64_t *ret_price)
{
        uint32_t place = orders_find(book->orders, &message->id);
        *ret_side = message->side;
        *ret_price = message->price;
        if (place == ORDER_NONE)
                return opens(message) ? message->size : 0;
        if (message->type != ORDER_CHANGE)
                return 0;
        const struct order *order = &book->orders->orders[place];
        *ret_side = order->side;
        *ret_price = changed_price(order, message);
        return changed_size(order, message);
}

int book_room_order(const struct book *book, const struct order_message *message)
{
        enum side side;
        int64_t price, sum, size = order_brings(book, message, &side, &price);
        if (!size)
                return 0;
        if (book->orders->count >= LIMIT_BOOK_ORDERS ||
            book_count(book, side) >= LIMIT_BOOK_LEVELS ||
            __builtin_add_overflow(book_quantity(book, side, price), size, &sum))
                return ERR_FULL;
        return 0;
}

bool book_order_crosses(const struct book *book, const struct order_message *message)
{
        enum side side;
        int64_t price, size = order_brings(book, message, &side, &price);
        struct level best;
        if (!size || !book_best(book, side == SIDE_BID ? SIDE_ASK : SIDE_BID, &best))
                return false;
        return side == SIDE_BID ? price >= best.price : price <= best.price;
}

const struct order *book_next_order(
    const struct book *book, enum side side, struct order_cursor *cursor)
{
        const struct orders *orders = book->orders;
        if (!cursor->next) {
                struct book_cursor at = {cursor->chunk, cursor->slot};
                struct level level;
                if (!book_next(book, side, &at, &level))
                        return NULL;
                cursor->chunk = at.chunk;
                cursor->slot = at.slot;
                cursor->next = orders_queue(orders, side, level.price)->first + 1;
        }
        const struct order *order = &orders->orders[cursor->next - 1];
        cursor->next = order->next == ORDER_NONE ? 0 : order->next + 1;
        return order;
}

/* Of a queue: do its orders add up to @quantity, and are they linked both ways? */
static bool queue_agrees(
    const struct orders *orders, const struct order_queue *queue, int64_t quantity)
{
        uint32_t previous = ORDER_NONE, count = 0;
        int64_t sum = 0;
        for (uint32_t at = queue->first; at != ORDER_NONE; at = orders->orders[at].next) {
                const struct order *order = &orders->orders[at];
                if (order->previous != previous || order->price != queue->price ||
                    order->side != queue->side || order->size <= 0 ||
                    orders_find(orders, &order->id) != at)
                        return false;
                sum += order->size;
                previous = at;
                count++;
        }
        return sum == quantity && count == queue->count && queue->last == previous;
}

bool book_orders_agree(const struct book *book)
{
        const struct orders *orders = book->orders;
        size_t levels = 0;
        uint32_t count = 0;
        for (enum side s = 0; s < SIDES; s++) {
                struct book_cursor cursor = {0};
                struct level level;
                while (book_next(book, s, &cursor, &level)) {
                        const struct order_queue *queue = orders_queue(orders, s, level.price);
                        if (!queue || !queue_agrees(orders, queue, level.quantity))
                                return false;
                        levels++;
                        count += queue->count;
                }
        }
        return levels == orders->queue_count && count == orders->count;
}
