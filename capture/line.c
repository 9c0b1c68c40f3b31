/* Lines as text and back (schema/capture.md): pure functions, and the only place that knows which
 * kind has which fields.
 *
 * There is one way to write a line: what is read and written again gives the same bytes. */
#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "capture/internal.h"

#define TITLE "oblogger capture "

struct fields {
        bool known, connection, number, text;
};

static const struct fields kinds[128] = {
    [CAPTURE_START] = {.known = true, .text = true},
    [CAPTURE_RULES] = {.known = true, .text = true},
    [CAPTURE_END] = {.known = true},
    [CAPTURE_TURN] = {.known = true},
    [CAPTURE_COMMAND] = {.known = true, .text = true},
    [CAPTURE_SETTING] = {.known = true, .text = true},
    [CAPTURE_CLOCK] = {.known = true, .text = true},
    [CAPTURE_CONNECT] = {.known = true, .connection = true},
    [CAPTURE_OPEN] = {.known = true, .connection = true},
    [CAPTURE_ALIVE] = {.known = true, .connection = true},
    [CAPTURE_MESSAGE] = {.known = true, .connection = true, .number = true, .text = true},
    [CAPTURE_REFUSED] = {.known = true, .connection = true, .number = true, .text = true},
    [CAPTURE_CLOSED] = {.known = true, .connection = true, .text = true},
    [CAPTURE_ANSWER] = {.known = true, .connection = true, .number = true, .text = true},
    [CAPTURE_LOST] = {.known = true, .number = true},
};

bool capture_name_is_valid(const char *name)
{
        size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
        return size && size < CAPTURE_NAME_SIZE && !name[size];
}

bool capture_kind_has_text(enum capture_kind kind)
{
        return kinds[kind].text;
}

/* ---- writing ---- */

/* Two digits at a time: most of what a line costs are its numbers. */
static const char pairs[] = "0001020304050607080910111213141516171819"
                            "2021222324252627282930313233343536373839"
                            "4041424344454647484950515253545556575859"
                            "6061626364656667686970717273747576777879"
                            "8081828384858687888990919293949596979899";

static char *put_digits(char *to, uint64_t value)
{
        char digits[20];
        size_t at = sizeof(digits);
        for (; value >= 100; value /= 100)
                memcpy(digits + (at -= 2), pairs + 2 * (value % 100), 2);
        memcpy(digits + (at -= 2), pairs + 2 * value, 2);
        at += value < 10;
        memcpy(to, digits + at, sizeof(digits) - at);
        return to + sizeof(digits) - at;
}

static char *put_number(char *to, int64_t value)
{
        *to++ = ' ';
        if (value < 0)
                *to++ = '-';
        return put_digits(to, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

/* Sums of times wrap, here and where they are read: so any times come back. */
static int64_t minus(int64_t a, int64_t b)
{
        return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t plus(int64_t a, int64_t b)
{
        return (int64_t)((uint64_t)a + (uint64_t)b);
}

size_t capture_head_write(
    const struct capture_run *run, const struct capture_line *line, char *ret_head)
{
        const struct fields *fields = &kinds[line->kind];
        char *to = ret_head;
        assert(fields->known);
        int64_t at_ns = minus(line->wall_ns, run->wall_ns);
        *to++ = (char)line->kind;
        to = put_number(to, (int64_t)line->sequence);
        to = put_number(to, at_ns);
        to = put_number(to, minus(minus(line->mono_ns, run->mono_ns), at_ns));
        if (fields->connection)
                to = put_number(to, line->connection);
        if (fields->number)
                to = put_number(to, line->number);
        if (fields->text)
                to = put_number(to, (int64_t)line->text.size);
        *to++ = '\n';
        return (size_t)(to - ret_head);
}

static char *put_text(char *to, const char *text)
{
        size_t size = strlen(text);
        memcpy(to, text, size);
        return to + size;
}

size_t capture_title_write(const struct capture_run *run, const char *exchange, char *ret_title)
{
        char *to = put_text(ret_title, TITLE);
        to = put_digits(to, CAPTURE_VERSION);
        *to++ = ' ';
        to = put_text(to, exchange);
        to = put_number(to, run->wall_ns);
        to = put_number(to, run->mono_ns);
        *to++ = '\n';
        return (size_t)(to - ret_title);
}

/* ---- reading ---- */

/* The words of a line; once one is not as it must be, bad. */
struct words {
        const char *at, *end;
        bool bad;
};

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

bool capture_number_read(const char **at, const char *end, int64_t *ret_value)
{
        const char *c = *at;
        bool negative = c < end && *c == '-';
        c += negative;
        if (c == end || !is_digit(*c) || (*c == '0' && negative) ||
            (*c == '0' && c + 1 < end && is_digit(c[1])))
                return false;
        int64_t value = 0;
        for (; c < end && is_digit(*c); c++) {
                int digit = negative ? '0' - *c : *c - '0';
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, digit, &value))
                        return false;
        }
        *ret_value = value;
        *at = c;
        return true;
}

static int64_t next_number(struct words *words, int64_t low, int64_t high)
{
        int64_t value = 0;
        words->bad = words->bad || words->at == words->end || *words->at++ != ' ' ||
            !capture_number_read(&words->at, words->end, &value) || value < low || value > high;
        return value;
}

int capture_head_read(const struct capture_run *run, struct bytes head,
    struct capture_line *ret_line, size_t *ret_text_size)
{
        const char *text = (const char *)head.data;
        if (!head.size || head.data[0] >= sizeof(kinds) / sizeof(kinds[0]))
                return ERR_PARSE;
        const struct fields *fields = &kinds[head.data[0]];
        struct words words = {text + 1, text + head.size, !fields->known};
        struct capture_line line = {.kind = (enum capture_kind)head.data[0]};
        size_t text_size = SIZE_MAX;
        line.sequence = (uint64_t)next_number(&words, 1, INT64_MAX - 1);
        int64_t at_ns = next_number(&words, INT64_MIN, INT64_MAX);
        int64_t skew_ns = next_number(&words, INT64_MIN, INT64_MAX);
        if (fields->connection)
                line.connection = (uint32_t)next_number(&words, 0, UINT32_MAX);
        if (fields->number)
                line.number = next_number(&words, INT64_MIN, INT64_MAX);
        if (fields->text)
                text_size = (size_t)next_number(&words, 0, LIMIT_REST_BODY);
        if (words.bad || words.at != words.end)
                return ERR_PARSE;
        line.wall_ns = plus(run->wall_ns, at_ns);
        line.mono_ns = plus(plus(run->mono_ns, at_ns), skew_ns);
        *ret_line = line;
        *ret_text_size = text_size;
        return 0;
}

static bool next_name(struct words *words, char ret_name[CAPTURE_NAME_SIZE])
{
        size_t size = 0;
        if (words->bad || words->at == words->end || *words->at++ != ' ')
                return false;
        for (; words->at < words->end && *words->at != ' '; words->at++) {
                if (size == CAPTURE_NAME_SIZE - 1 || !*words->at)
                        return false;
                ret_name[size++] = *words->at;
        }
        ret_name[size] = '\0';
        return capture_name_is_valid(ret_name);
}

int capture_title_read(
    struct bytes title, struct capture_run *ret_run, char ret_exchange[CAPTURE_NAME_SIZE])
{
        const char *text = (const char *)title.data;
        char name[CAPTURE_NAME_SIZE];
        int64_t version;
        if (title.size < sizeof(TITLE) || memcmp(text, TITLE, sizeof(TITLE) - 1) != 0)
                return ERR_PARSE;
        struct words words = {text + sizeof(TITLE) - 1, text + title.size, false};
        if (!capture_number_read(&words.at, words.end, &version) || version < 1)
                return ERR_PARSE;
        if (version > CAPTURE_VERSION)
                return ERR_VERSION;
        words.bad = !next_name(&words, name);
        int64_t wall_ns = next_number(&words, INT64_MIN, INT64_MAX);
        int64_t mono_ns = next_number(&words, INT64_MIN, INT64_MAX);
        if (words.bad || words.at != words.end)
                return ERR_PARSE;
        *ret_run = (struct capture_run){wall_ns, mono_ns};
        memcpy(ret_exchange, name, sizeof(name));
        return 0;
}
