#include "codec/note.h"

#include <inttypes.h>
#include <string.h>

#include "base/decimal.h"

#define FIELD(text, member, low, high)                                                             \
        {                                                                                          \
                text, offsetof(struct note_record, member), low, high                              \
        }
#define ANY(text, member) FIELD(text, member, INT64_MIN, INT64_MAX)

static const struct note_field step_fields[] = {ANY("clock_step_ns", step_ns)};
static const struct note_field clock_fields[] = {
    FIELD("synchronized", synchronized, 0, 1),
    ANY("offset_ns", offset_ns),
    FIELD("error_ns", error_ns, 0, INT64_MAX),
};
static const struct note_field latency_fields[] = {
    FIELD("stream", stream, 1, UINT32_MAX),
    ANY("from_ns", from_ns),
    FIELD("count", count, 1, INT64_MAX),
    FIELD("early", early, 0, INT64_MAX),
    ANY("min_ns", min_ns),
    ANY("p50_ns", p50_ns),
    ANY("p99_ns", p99_ns),
    ANY("max_ns", max_ns),
};

#define FIELDS(list) list, sizeof(list) / sizeof((list)[0])

static const struct {
        const char *name, *word; /* word: that the text begins with; "": with its first field */
        const struct note_field *fields;
        size_t count;
} shapes[NOTE_KINDS] = {
    [NOTE_OTHER] = {"other", "", NULL, 0},
    [NOTE_CLOCK_STEP] = {"clock_step", "", FIELDS(step_fields)},
    [NOTE_CLOCK] = {"clock", "clock", FIELDS(clock_fields)},
    [NOTE_LATENCY] = {"latency", "latency", FIELDS(latency_fields)},
};

const struct note_field *note_fields(enum note_kind kind, size_t *ret_count)
{
        *ret_count = shapes[kind].count;
        return shapes[kind].fields;
}

int64_t note_value(const struct note_record *note, const struct note_field *field)
{
        int64_t value;
        memcpy(&value, (const char *)note + field->offset, sizeof(value));
        return value;
}

const char *note_kind_name(enum note_kind kind)
{
        return shapes[kind].name;
}

void note_write(struct buffer *out, const struct note_record *note)
{
        const char *between = *shapes[note->kind].word ? " " : "";
        buffer_append_text(out, shapes[note->kind].word);
        for (size_t i = 0; i < shapes[note->kind].count; i++) {
                const struct note_field *field = &shapes[note->kind].fields[i];
                buffer_printf(out, "%s%s=%" PRId64, between, field->name, note_value(note, field));
                between = " ";
        }
}

/* Take @text from the front of @rest. */
static bool take_text(struct bytes *rest, const char *text)
{
        size_t size = strlen(text);
        if (rest->size < size || memcmp(rest->data, text, size))
                return false;
        rest->data += size;
        rest->size -= size;
        return true;
}

/* A number as it is written: an optional minus, digits. */
static bool take_number(struct bytes *rest, int64_t *ret_value)
{
        size_t size = rest->size && rest->data[0] == '-', sign = size;
        while (size < rest->size && rest->data[size] >= '0' && rest->data[size] <= '9')
                size++;
        if (size == sign || decimal_parse((const char *)rest->data, size, 0, ret_value))
                return false;
        rest->data += size;
        rest->size -= size;
        return true;
}

static bool read_as(struct bytes in, enum note_kind kind, struct note_record *ret_note)
{
        struct note_record note = {.kind = kind};
        const char *between = *shapes[kind].word ? " " : "";
        if (!take_text(&in, shapes[kind].word))
                return false;
        for (size_t i = 0; i < shapes[kind].count; i++) {
                const struct note_field *field = &shapes[kind].fields[i];
                int64_t value;
                if (!take_text(&in, between) || !take_text(&in, field->name) ||
                    !take_text(&in, "=") || !take_number(&in, &value) || value < field->least ||
                    value > field->most)
                        return false;
                memcpy((char *)&note + field->offset, &value, sizeof(value));
                between = " ";
        }
        if (in.size && in.data[0] != ' ') /* else of a later version */
                return false;
        *ret_note = note;
        return true;
}

void note_read(struct bytes in, struct note_record *ret_note)
{
        for (enum note_kind kind = NOTE_OTHER + 1; kind < NOTE_KINDS; kind++) {
                if (read_as(in, kind, ret_note))
                        return;
        }
        *ret_note = (struct note_record){.kind = NOTE_OTHER};
}
