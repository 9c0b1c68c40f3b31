/* How much what was found takes off a score of 100: the formula of docs/audit.md. */
#ifndef AUDIT_SCORE_H
#define AUDIT_SCORE_H

#include "codec/meta.h"

/* Is that much wrong of what was examined a finding? Trades may lie outside now and then. */
bool score_is_finding(enum audit_check check, uint64_t examined, uint64_t wrong);

/* Points off, 0 to 100. */
uint8_t score_penalty(enum audit_check check, uint64_t examined, uint64_t wrong);

/* A check was done: its outcome, and its penalty. */
void score_judge(
    struct audit_record *record, enum audit_check check, uint64_t examined, uint64_t wrong);

/* The score, of all results. */
void score_finish(struct audit_record *record);

#endif
