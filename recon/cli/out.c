#include "recon/cli/out.h"

#include "book/text.h"

void out_json(struct out *out, const char *text)
{
        char escaped[8];
        for (; *text; text++) {
                int size = 0;
                if (*text == '"' || *text == '\\')
                        size = snprintf(escaped, sizeof(escaped), "\\%c", *text);
                else if ((unsigned char)*text < 0x20)
                        size = snprintf(escaped, sizeof(escaped), "\\u%04x", *text);
                out_add(out, size ? escaped : text, size ? (size_t)size : 1);
        }
}

const char *format_csv(const char *text, char ret_text[CSV_NAME_SIZE])
{
        bool quoted = strpbrk(text, ",\"\r\n");
        size_t size = 0;
        if (quoted)
                ret_text[size++] = '"';
        for (; *text && size + 4 < CSV_NAME_SIZE; text++) {
                if (*text == '"')
                        ret_text[size++] = '"';
                ret_text[size++] = *text;
        }
        if (quoted)
                ret_text[size++] = '"';
        ret_text[size] = '\0';
        return ret_text;
}

void out_order_id(struct out *out, const struct order_id *id)
{
        char text[ORDER_ID_TEXT_SIZE];
        out_add(out, text, order_id_format(id, text));
}

void out_client_id(struct out *out, const struct order_id *id, bool dashes)
{
        char text[ORDER_ID_TEXT_SIZE];
        out_add(out, text, order_id_format_bytes(id, dashes, text));
}

void out_level(struct out *out, struct level level, const struct scale *scale, const char *between)
{
        out_price(out, level.price, scale);
        out_text(out, between);
        out_quantity(out, level.quantity, scale);
}
