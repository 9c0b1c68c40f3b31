/* The inside of a survey, for the import. */
#ifndef RECORD_IMPORT_SURVEY_H
#define RECORD_IMPORT_SURVEY_H

#include "record/import.h"

/* Of prices, or of quantities. */
struct survey_digits {
        uint64_t count;
        bool uneven;      /* not all were written with as many decimals */
        unsigned written; /* decimals of the last one */
        unsigned needed;  /* of the one that needs most */
        unsigned whole;   /* digits before the point */
};

struct import_survey {
        unsigned documents;
        size_t count; /* of spacings */
        int64_t *spacings;
        int64_t first_ns, last_ns;
        struct survey_digits levels[2], trades[2]; /* price, quantity */
        char exchange[META_EXCHANGE_SIZE], symbol[META_SYMBOL_SIZE], recorder[65];
};

void digits_add(struct survey_digits *digits, const char *text);
struct scale survey_scale(const struct survey_digits digits[2]);
/* The median distance of two documents; 0: not known. Sorts the spacings. */
int64_t survey_usual_ns(const struct import_survey *survey);
/* From which distance on there is a hole. */
int64_t survey_hole_ns(int64_t usual_ns);

#endif
