#include "codec/waiting.h"

void waiting_add(struct waiting *waiting, const struct waiting_order *order)
{
        if (waiting->count == WAITING_MAX)
                waiting_remove(waiting, WAITING_MAX - 1);
        waiting->orders[waiting->count++] = *order;
}

uint32_t waiting_find(const struct waiting *waiting, const struct order_id *id)
{
        for (uint32_t rank = 0; rank < waiting->count; rank++) {
                if (order_id_equal(&waiting->orders[waiting->count - 1 - rank].id, id))
                        return rank;
        }
        return WAITING_NONE;
}

void waiting_remove(struct waiting *waiting, uint32_t rank)
{
        struct waiting_order *at = waiting_at(waiting, rank);
        memmove(at, at + 1, rank * sizeof(*at));
        waiting->count--;
}
