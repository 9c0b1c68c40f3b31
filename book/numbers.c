#include "book/numbers.h"

#include "book/orders.h"

void order_numbers_init(struct order_numbers *numbers)
{
        *numbers = (struct order_numbers){.known = orders_new()};
}

void order_numbers_deinit(struct order_numbers *numbers)
{
        orders_free(numbers->known);
        *numbers = (struct order_numbers){0};
}

uint64_t order_id_number(const struct order_id *id)
{
        return order_id_half(id, 0) ? 0 : order_id_half(id, 1);
}

static void name(struct order_numbers *numbers, struct order_id *id, bool forget)
{
        uint32_t place = orders_find(numbers->known, id);
        int64_t number = place == ORDER_NONE ? ++numbers->last : numbers->known->orders[place].size;
        if (place == ORDER_NONE && !forget)
                orders_add(numbers->known, SIDE_BID, id, 0, number);
        else if (place != ORDER_NONE && forget)
                orders_remove(numbers->known, place);
        order_id_set_half(id, 0, 0);
        order_id_set_half(id, 1, (uint64_t)number);
}

void order_numbers_message(struct order_numbers *numbers, struct order_message *message, bool live)
{
        if (message->type == ORDER_OTHER)
                return;
        name(numbers, &message->id, live && message->type == ORDER_DONE);
        if (message->type == ORDER_MATCH && message->has & ORDER_HAS_OTHER) {
                name(numbers, &message->other, false);
                return;
        }
        message->has &= (uint8_t) ~(ORDER_HAS_OTHER | ORDER_OTHER_PLAIN);
        message->other = (struct order_id){0};
}

void order_numbers_ids(struct order_numbers *numbers, struct order_id *ids, size_t count)
{
        for (size_t i = 0; i < count; i++)
                name(numbers, &ids[i], false);
}

void order_numbers_forget(struct order_numbers *numbers)
{
        orders_clear(numbers->known);
}
