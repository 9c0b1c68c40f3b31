/* Writing numbers as Prometheus reads them: its text format, version 0.0.4.
 *
 * A family is a name with its type and meaning; its samples follow it, each one line: begin,
 * labels, value. Nothing is checked here but that label values are escaped. */
#ifndef LOGGER_EXPOSITION_H
#define LOGGER_EXPOSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define COUNTER "counter"
#define GAUGE "gauge"
#define HISTOGRAM "histogram"

struct exposition {
        struct buffer *text; /* the caller's */
        const char *name;    /* of the family in hand */
        bool labelled;       /* the sample in hand */
};

void exposition_family(
    struct exposition *out, const char *name, const char *type, const char *meaning);

/* @suffix: "", or of a histogram's parts. */
void exposition_begin(struct exposition *out, const char *suffix);
void exposition_label(struct exposition *out, const char *name, const char *value);

/* Each ends the sample. */
void exposition_number(struct exposition *out, uint64_t value);
void exposition_decimal(struct exposition *out, int64_t value, unsigned digits);
void exposition_seconds(struct exposition *out, int64_t ns);
void exposition_text(struct exposition *out, const char *value);

/* A family of one sample without labels. */
void exposition_one(struct exposition *out, const char *name, const char *type, const char *meaning,
    uint64_t value);
void exposition_one_time(
    struct exposition *out, const char *name, const char *type, const char *meaning, int64_t ns);

#endif
