/* The player: which message is next, when, and whether it has to wait. */
#ifndef LAB_PLAY_H
#define LAB_PLAY_H

#include "lab.h"

#define PLAY_HOLD_NS (15 * NS_PER_S)

/* Get ready; play begins when the expected streams are subscribed, or that takes too long. */
void play_begin(struct lab *lab);
void play_end(struct lab *lab);

/* Something changed that play may have waited for. */
void play_wake(struct lab *lab);

/* Time goes by. */
void play_tick(struct lab *lab, int64_t now_ns);

/* The symbol's depth was answered, as the exchange has it at present. */
void play_note_answer(struct lab *lab, uint32_t symbol);

#endif
