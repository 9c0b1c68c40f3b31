#include "audit/score.h"

#define MINUTE_NS UINT64_C(60000000000)
#define TAPE_SHARE 10 /* thousandths of the trades that may be outside ... */
#define TAPE_FEW 2    /* ... or so many */

/* @wrong of @examined in parts of @whole, rounded up. */
static uint64_t share_of(uint64_t examined, uint64_t wrong, unsigned whole)
{
        if (!examined)
                return wrong ? whole : 0;
        return (uint64_t)(((unsigned __int128)wrong * whole + examined - 1) / examined);
}

bool score_is_finding(enum audit_check check, uint64_t examined, uint64_t wrong)
{
        if (check != AUDIT_TAPE)
                return wrong > 0;
        return wrong > TAPE_FEW && share_of(examined, wrong, 1000) > TAPE_SHARE;
}

uint8_t score_penalty(enum audit_check check, uint64_t examined, uint64_t wrong)
{
        static const uint8_t most[AUDIT_CHECKS] = {[AUDIT_COVERAGE] = 50,
            [AUDIT_FRESH] = 50,
            [AUDIT_FRAMES] = 60,
            [AUDIT_IDS] = 40,
            [AUDIT_CROSSED] = 30,
            [AUDIT_IMAGE] = 60,
            [AUDIT_LEVELS] = 60,
            [AUDIT_TAPE] = 20};
        uint64_t points = 0;
        if (!score_is_finding(check, examined, wrong))
                return 0;
        switch (check) {
        case AUDIT_COVERAGE:
                points = share_of(examined, wrong, 1000);
                break;
        case AUDIT_FRESH:
                points = 10 + wrong / MINUTE_NS;
                break;
        case AUDIT_IDS:
                points = wrong < 8 ? 5 * wrong : most[check];
                break;
        case AUDIT_CROSSED:
                points = 5 + share_of(examined, wrong, 1000);
                break;
        case AUDIT_IMAGE:
        case AUDIT_LEVELS:
                points = 20 + share_of(examined, wrong, 200);
                break;
        case AUDIT_TAPE:
                points = share_of(examined, wrong, 1000) - TAPE_SHARE;
                break;
        default: /* a record that cannot be read */
                points = most[check];
        }
        return points < most[check] ? (uint8_t)points : most[check];
}

void score_judge(
    struct audit_record *record, enum audit_check check, uint64_t examined, uint64_t wrong)
{
        struct audit_result *result = &record->results[check];
        result->examined = examined;
        result->wrong = wrong;
        result->penalty = score_penalty(check, examined, wrong);
        result->outcome = score_is_finding(check, examined, wrong) ? AUDIT_FOUND : AUDIT_GOOD;
}

void score_finish(struct audit_record *record)
{
        unsigned points = 0;
        for (size_t i = 0; i < AUDIT_CHECKS; i++)
                points += record->results[i].penalty;
        record->score = (uint8_t)(points < 100 ? 100 - points : 0);
}
