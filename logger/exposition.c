#include "logger/exposition.h"

#include <string.h>

#include "base/decimal.h"

void exposition_family(
    struct exposition *out, const char *name, const char *type, const char *meaning)
{
        out->name = name;
        buffer_append_text(out->text, "# HELP ");
        buffer_append_text(out->text, name);
        buffer_append_byte(out->text, ' ');
        buffer_append_text(out->text, meaning);
        buffer_append_text(out->text, "\n# TYPE ");
        buffer_append_text(out->text, name);
        buffer_append_byte(out->text, ' ');
        buffer_append_text(out->text, type);
        buffer_append_byte(out->text, '\n');
}

void exposition_begin(struct exposition *out, const char *suffix)
{
        buffer_append_text(out->text, out->name);
        buffer_append_text(out->text, suffix);
        out->labelled = false;
}

static void append_escaped(struct buffer *text, const char *value)
{
        for (size_t size; *value; value += size) {
                size = strcspn(value, "\\\"\n");
                buffer_append(text, value, size);
                if (!value[size])
                        break;
                buffer_append_byte(text, '\\');
                buffer_append_byte(text, value[size] == '\n' ? 'n' : (uint8_t)value[size]);
                size++;
        }
}

void exposition_label(struct exposition *out, const char *name, const char *value)
{
        buffer_append_byte(out->text, out->labelled ? ',' : '{');
        buffer_append_text(out->text, name);
        buffer_append_text(out->text, "=\"");
        append_escaped(out->text, value);
        buffer_append_byte(out->text, '"');
        out->labelled = true;
}

void exposition_text(struct exposition *out, const char *value)
{
        buffer_append_text(out->text, out->labelled ? "} " : " ");
        buffer_append_text(out->text, value);
        buffer_append_byte(out->text, '\n');
}

void exposition_number(struct exposition *out, uint64_t value)
{
        char text[24];
        char *at = text + sizeof(text);
        *--at = 0;
        do {
                *--at = (char)('0' + value % 10);
                value /= 10;
        } while (value);
        exposition_text(out, at);
}

void exposition_decimal(struct exposition *out, int64_t value, unsigned digits)
{
        char text[DECIMAL_TEXT_SIZE];
        decimal_format(value, digits, false, text);
        exposition_text(out, text);
}

void exposition_seconds(struct exposition *out, int64_t ns)
{
        exposition_decimal(out, ns, 9);
}

void exposition_one(
    struct exposition *out, const char *name, const char *type, const char *meaning, uint64_t value)
{
        exposition_family(out, name, type, meaning);
        exposition_begin(out, "");
        exposition_number(out, value);
}

void exposition_one_time(
    struct exposition *out, const char *name, const char *type, const char *meaning, int64_t ns)
{
        exposition_family(out, name, type, meaning);
        exposition_begin(out, "");
        exposition_seconds(out, ns);
}
