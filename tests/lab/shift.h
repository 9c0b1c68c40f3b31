/* A message of a later pass: the captured text with its times and ids moved on. */
#ifndef LAB_SHIFT_H
#define LAB_SHIFT_H

#include "tape.h"

#define SHIFT_TEXT_LIMIT (32u << 20)

/* By how much a number of that kind grows from pass to pass (times: in ms). */
int64_t shift_width(
    const struct symbol *symbol, const struct capture *capture, enum number_kind kind);

/* Append @message as it reads in pass @repetition (1 is the second). */
void shift_message(const struct symbol *symbol, const struct capture *capture,
    const struct message *message, unsigned repetition, struct buffer *text);

#endif
