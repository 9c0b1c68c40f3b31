#include "venue/budget.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"

#define BLOCK_MIN_S 2      /* where the exchange names no time */
#define BLOCK_MAX_S 259200 /* the longest ban that it knows: three days */

void budget_init(struct budget *budget, uint32_t exchange_weight_per_minute)
{
        *budget = (struct budget){0};
        budget_set_limit(budget, exchange_weight_per_minute);
}

void budget_deinit(struct budget *budget)
{
        for (int i = 0; i < BUDGET_PRIORITIES; i++)
                free(budget->queues[i].requests);
        *budget = (struct budget){0};
}

void budget_set_limit(struct budget *budget, uint32_t exchange_weight_per_minute)
{
        budget->weight_per_minute = exchange_weight_per_minute / 2;
}

static void queue_grow(struct budget_queue *queue)
{
        size_t capacity = queue->capacity ? queue->capacity * 2 : 16;
        struct budget_request *requests = memory_new(capacity * sizeof(*requests));
        for (size_t i = 0; i < queue->count; i++)
                requests[i] = queue->requests[(queue->head + i) % queue->capacity];
        free(queue->requests);
        queue->requests = requests;
        queue->capacity = capacity;
        queue->head = 0;
}

void budget_add(struct budget *budget, enum budget_priority priority, uint64_t id, uint32_t weight)
{
        struct budget_queue *queue = &budget->queues[priority];
        if (queue->count == queue->capacity)
                queue_grow(queue);
        queue->requests[(queue->head + queue->count++) % queue->capacity] =
            (struct budget_request){id, weight};
}

static void budget_enter_minute(struct budget *budget, int64_t wall_ns)
{
        int64_t minute = wall_ns / (60 * NS_PER_S);
        if (minute == budget->minute)
                return;
        budget->minute = minute;
        budget->used = 0;
}

bool budget_next(struct budget *budget, int64_t wall_ns, struct budget_request *ret_request)
{
        budget_enter_minute(budget, wall_ns);
        if (wall_ns < budget->blocked_until_ns)
                return false;
        for (int i = 0; i < BUDGET_PRIORITIES; i++) {
                struct budget_queue *queue = &budget->queues[i];
                if (!queue->count)
                        continue;
                struct budget_request request = queue->requests[queue->head];
                /* A request that could never fit goes out alone at the start of a minute. */
                if (budget->used &&
                    (uint64_t)budget->used + request.weight > budget->weight_per_minute)
                        return false;
                queue->head = (queue->head + 1) % queue->capacity;
                queue->count--;
                budget->used += request.weight;
                *ret_request = request;
                return true;
        }
        return false;
}

void budget_used(struct budget *budget, int64_t wall_ns, int64_t used_weight)
{
        budget_enter_minute(budget, wall_ns);
        if (used_weight > budget->used)
                budget->used = used_weight < UINT32_MAX ? (uint32_t)used_weight : UINT32_MAX;
}

void budget_block(struct budget *budget, int64_t wall_ns, int64_t retry_after_s)
{
        if (retry_after_s < BLOCK_MIN_S)
                retry_after_s = BLOCK_MIN_S;
        if (retry_after_s > BLOCK_MAX_S)
                retry_after_s = BLOCK_MAX_S;
        int64_t until = wall_ns + retry_after_s * NS_PER_S;
        if (until > budget->blocked_until_ns)
                budget->blocked_until_ns = until;
}

size_t budget_waiting(const struct budget *budget, enum budget_priority priority)
{
        return budget->queues[priority].count;
}
