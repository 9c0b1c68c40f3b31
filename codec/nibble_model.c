#include "codec/nibble_model.h"

#define LEAST(value, at) ((at) <= (value) ? (at) : (int)SHARE_TOTAL - NIBBLES + (at))
#define GOALS_FROM(value, at)                                                                      \
        LEAST(value, at), LEAST(value, (at) + 1), LEAST(value, (at) + 2), LEAST(value, (at) + 3)
#define GOAL(value)                                                                                \
        {                                                                                          \
                .starts = {                                                                        \
                        GOALS_FROM(value, 0),                                                      \
                        GOALS_FROM(value, 4),                                                      \
                        GOALS_FROM(value, 8),                                                      \
                        GOALS_FROM(value, 12)                                                      \
                }                                                                                  \
        }

const union nibble nibble_goals[NIBBLES] = {GOAL(0), GOAL(1), GOAL(2), GOAL(3), GOAL(4), GOAL(5),
    GOAL(6), GOAL(7), GOAL(8), GOAL(9), GOAL(10), GOAL(11), GOAL(12), GOAL(13), GOAL(14), GOAL(15)};

/* Each pace as long as it takes to learn half of what is left. */
const uint8_t nibble_paces[128] = {7, 7, 7, 7, 6, 6, 6, 6, 5, 5, 5, 5, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2};

void nibbles_init(union nibble *nibbles, size_t count)
{
        union nibble fresh = {.starts = {-NIBBLE_FRESH}};
        for (int value = 1; value < NIBBLES; value++)
                fresh.starts[value] = (int16_t)(value * (int)(SHARE_TOTAL / NIBBLES));
        for (size_t i = 0; i < count; i++)
                nibbles[i] = fresh;
}
