/* Text on its way to stdout, in pieces: what is printed by the million. */
#ifndef RECON_OUT_H
#define RECON_OUT_H

#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "book/event.h"

struct out {
        size_t size;
        char text[8192];
};

static inline void out_flush(struct out *out)
{
        fwrite(out->text, 1, out->size, stdout);
        out->size = 0;
}

static inline void out_add(struct out *out, const char *text, size_t size)
{
        if (size > sizeof(out->text) - out->size)
                out_flush(out);
        if (size > sizeof(out->text)) {
                fwrite(text, 1, size, stdout);
                return;
        }
        memcpy(out->text + out->size, text, size);
        out->size += size;
}

static inline void out_text(struct out *out, const char *text)
{
        out_add(out, text, strlen(text));
}

static inline void out_decimal(struct out *out, int64_t value, unsigned digits, bool fixed)
{
        if (sizeof(out->text) - out->size < DECIMAL_TEXT_SIZE)
                out_flush(out);
        out->size += decimal_format(value, digits, fixed, out->text + out->size);
}

static inline void out_int(struct out *out, int64_t value)
{
        out_decimal(out, value, 0, false);
}

static inline void out_price(struct out *out, int64_t price, const struct scale *scale)
{
        out_decimal(out, price, scale->price_digits, scale->fixed);
}

static inline void out_quantity(struct out *out, int64_t quantity, const struct scale *scale)
{
        out_decimal(out, quantity, scale->quantity_digits, scale->fixed);
}

/* As the inside of a JSON string. */
void out_json(struct out *out, const char *text);

/* As one field of a csv row: in quotes, where it must be. */
#define CSV_NAME_SIZE 520 /* of a recorder's name of quotes alone */
const char *format_csv(const char *text, char ret_text[CSV_NAME_SIZE]);

void out_order_id(struct out *out, const struct order_id *id);

/* What its owner calls an order: never a number of ours. */
void out_client_id(struct out *out, const struct order_id *id, bool dashes);

/* Price, @between, quantity. */
void out_level(struct out *out, struct level level, const struct scale *scale, const char *between);

#endif
