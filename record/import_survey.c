/* What the first documents tell of all: their digits, and how far apart they lie. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/limits.h"
#include "record/import_survey.h"

#define SURVEY_DOCUMENTS 10000
#define HOLE_FACTOR 10
#define HOLE_NS (5 * NS_PER_S)

struct import_survey *import_survey_new(void)
{
        struct import_survey *survey = memory_new(sizeof(*survey));
        survey->spacings = memory_new(SURVEY_DOCUMENTS * sizeof(int64_t));
        return survey;
}

void import_survey_free(struct import_survey *survey)
{
        if (!survey)
                return;
        free(survey->spacings);
        free(survey);
}

/* ---- digits ---- */

void digits_add(struct survey_digits *digits, const char *text)
{
        size_t size = strlen(text);
        const char *point = memchr(text, '.', size);
        unsigned written = point ? (unsigned)(text + size - point - 1) : 0;
        size_t whole = point ? (size_t)(point - text) : size;
        int needed = decimal_digits(text, size);
        if (needed < 0 || needed > LIMIT_DIGITS || !text[strspn(text, "0.")])
                return; /* a zero tells nothing */
        bool plain = strspn(text, "0123456789.") == size;
        digits->uneven |= !plain || (digits->count && written != digits->written);
        digits->written = written;
        digits->count++;
        if ((unsigned)needed > digits->needed)
                digits->needed = (unsigned)needed;
        if (plain && whole > digits->whole)
                digits->whole = (unsigned)whole;
}

static void pairs_add(struct survey_digits digits[2], const struct legacy_pairs *pairs)
{
        for (size_t i = 0; i < pairs->count; i++) {
                digits_add(&digits[0], pairs->pairs[i].price);
                digits_add(&digits[1], pairs->pairs[i].quantity);
        }
}

/* All that was written, where it is always as much and fits; else what is needed. */
static bool digits_fixed(const struct survey_digits *digits)
{
        return digits->count && !digits->uneven && digits->written + digits->whole < LIMIT_DIGITS;
}

static int64_t power_of_ten(unsigned exponent)
{
        int64_t power = 1;
        return decimal_shift(1, exponent, &power) ? 1 : power;
}

struct scale survey_scale(const struct survey_digits digits[2])
{
        bool decimals = digits[0].written || digits[1].written;
        struct scale scale = {
            .fixed = decimals && digits_fixed(&digits[0]) && digits_fixed(&digits[1])};
        unsigned price = scale.fixed ? digits[0].written : digits[0].needed;
        unsigned quantity = scale.fixed ? digits[1].written : digits[1].needed;
        scale.price_digits = (uint8_t)price;
        scale.quantity_digits = (uint8_t)quantity;
        scale.tick = power_of_ten(price - digits[0].needed);
        scale.lot = power_of_ten(quantity - digits[1].needed);
        return scale;
}

/* ---- the whole ---- */

static void keep_word(char *ret_word, size_t size, const char *word)
{
        if (!*ret_word)
                snprintf(ret_word, size, "%s", word);
}

bool import_survey_add(struct import_survey *survey, const struct legacy_document *document)
{
        if (survey->documents == SURVEY_DOCUMENTS)
                return false;
        survey->documents++;
        keep_word(survey->exchange, sizeof(survey->exchange), document->exchange);
        keep_word(survey->symbol, sizeof(survey->symbol), document->symbol);
        keep_word(survey->recorder, sizeof(survey->recorder), document->recorder);
        if (document->type == LEGACY_OTHER || document->fault)
                return true;
        if (!survey->last_ns)
                survey->first_ns = document->time_ns;
        else if (document->time_ns > survey->last_ns)
                survey->spacings[survey->count++] = document->time_ns - survey->last_ns;
        survey->last_ns = document->time_ns;
        for (size_t s = 0; s < LEGACY_SIDES; s++) {
                pairs_add(survey->levels, &document->levels[s]);
                pairs_add(survey->trades, &document->trades[s]);
        }
        return true;
}

static int compare_numbers(const void *a, const void *b)
{
        int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
        return (left > right) - (left < right);
}

int64_t survey_usual_ns(const struct import_survey *survey)
{
        if (!survey->count)
                return 0;
        qsort(survey->spacings, survey->count, sizeof(int64_t), compare_numbers);
        return survey->spacings[survey->count / 2];
}

int64_t survey_hole_ns(int64_t usual_ns)
{
        int64_t far_ns = usual_ns > INT64_MAX / HOLE_FACTOR ? INT64_MAX : HOLE_FACTOR * usual_ns;
        return far_ns > HOLE_NS ? far_ns : HOLE_NS;
}

int64_t import_survey_begin(const struct import_survey *survey)
{
        return survey->first_ns;
}

const char *import_survey_exchange(const struct import_survey *survey)
{
        return survey->exchange;
}

const char *import_survey_symbol(const struct import_survey *survey)
{
        return survey->symbol;
}

const char *import_survey_recorder(const struct import_survey *survey)
{
        return survey->recorder;
}
