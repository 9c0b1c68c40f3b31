/* Reads the lines of capture files. */
#include "lines.h"

#include <stdlib.h>

#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"

#define SECONDS_DIGITS 9
#define LOG_STAMP_SIZE 23 /* "2016-03-12 00:08:37,352" */

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

static bool parse_seconds(struct span text, int64_t *ret_time_ns)
{
        return !decimal_parse(text.data, text.size, SECONDS_DIGITS, ret_time_ns);
}

/* "<ns> <raw>" or "<seconds>: <raw>" */
static bool parse_received(struct span text, struct line *line)
{
        struct span stamp = span_cut(&text, " ");
        line->raw = text;
        if (stamp.size && stamp.data[stamp.size - 1] == ':') {
                stamp.size--;
                return parse_seconds(stamp, &line->time_ns);
        }
        int64_t ns;
        if (stamp.size > 19 || decimal_parse(stamp.data, stamp.size, 0, &ns))
                return false;
        line->time_ns = ns;
        return true;
}

static bool is_log_line(struct span text)
{
        return text.size > LOG_STAMP_SIZE && text.data[4] == '-' && text.data[10] == ' ' &&
            text.data[19] == ',' && text.data[LOG_STAMP_SIZE] == ' ';
}

/* "2016-03-12 00:08:37,352 <raw>" */
static bool parse_logged(struct span text, struct line *line)
{
        char stamp[LOG_STAMP_SIZE + 2];
        memcpy(stamp, text.data, LOG_STAMP_SIZE);
        memcpy(stamp + LOG_STAMP_SIZE, "Z", 2);
        stamp[19] = '.';
        line->raw = (struct span){text.data + LOG_STAMP_SIZE + 1, text.size - LOG_STAMP_SIZE - 1};
        return !time_parse(stamp, &line->time_ns);
}

static int hex_value(char c)
{
        const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
        return at ? (int)(at - digits) : -1;
}

/* \uXXXX of the basic plane, as UTF-8; captures hold no other. */
static size_t put_code(char *to, const char *digits)
{
        unsigned code = 0;
        for (int i = 0; i < 4; i++)
                code = code << 4 | ((unsigned)hex_value(digits[i]) & 15);
        if (code < 0x80) {
                to[0] = (char)code;
                return 1;
        }
        if (code < 0x800) {
                to[0] = (char)(0xc0 | code >> 6);
                to[1] = (char)(0x80 | (code & 0x3f));
                return 2;
        }
        to[0] = (char)(0xe0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3f));
        to[2] = (char)(0x80 | (code & 0x3f));
        return 3;
}

/* A JSON string without its quotes and escapes, written over itself: it only gets shorter. */
static struct span undo_string(char *text, size_t size)
{
        static const char from[] = "bfnrt", into[] = "\b\f\n\r\t";
        size_t out = 0;
        for (size_t at = 0; at < size; at++) {
                if (text[at] != '\\' || at + 1 == size) {
                        text[out++] = text[at];
                        continue;
                }
                char c = text[++at];
                const char *named = strchr(from, c);
                if (c == 'u' && at + 4 < size) {
                        out += put_code(text + out, text + at + 1);
                        at += 4;
                } else {
                        text[out++] = c && named ? into[named - from] : c;
                }
        }
        return (struct span){text, out};
}

/* {"t":"recv","ts":1786309548.62,"data":"<raw, escaped>"}; of other kinds nothing is taken. */
static int parse_record(char *text, size_t size, struct line *line)
{
        struct span record = {text, size}, kind, stamp, data;
        if (!scan_find(record, "t", &kind))
                return ERR_PARSE;
        if (!span_is(kind, "\"recv\"") && !span_is(kind, "\"http\""))
                return 0;
        if (!scan_find(record, "ts", &stamp) || !parse_seconds(stamp, &line->time_ns) ||
            !scan_find(record, "data", &data))
                return ERR_PARSE;
        if (scan_find(record, "url", &line->url))
                line->url = span_unquote(line->url);
        data = span_unquote(data);
        line->raw = undo_string(text + (data.data - text), data.size);
        return 1;
}

/* 1: a line, 0: of no interest, negative: wrong. */
static int parse_line(char *start, size_t size, struct line *line)
{
        struct span text = {start, size};
        *line = (struct line){0};
        if (!text.size)
                return 0;
        if (text.data[0] == '{')
                return parse_record(start, size, line);
        if (is_log_line(text))
                return parse_logged(text, line) ? 1 : ERR_PARSE;
        if (is_digit(text.data[0]))
                return parse_received(text, line) ? 1 : ERR_PARSE;
        struct span rest = text;
        line->url = span_cut(&rest, " -> ");
        if (!rest.size || !span_starts(text, "http"))
                return 0;
        struct span stamp = span_cut(&rest, ": ");
        line->raw = rest;
        return parse_seconds(stamp, &line->time_ns) ? 1 : ERR_PARSE;
}

int lines_read(struct buffer *text, struct line_list *ret_list, struct error *error)
{
        struct line_list list = {0};
        struct span rest = {(char *)text->data, text->size};
        size_t room = 0, number = 0;
        while (rest.size) {
                struct line line;
                struct span words = span_cut(&rest, "\n");
                int kind = parse_line(
                    (char *)text->data + (words.data - (char *)text->data), words.size, &line);
                number++;
                if (kind < 0) {
                        free(list.lines);
                        return error_set(
                            error, ERR_PARSE, "line %zu is in no capture format", number);
                }
                if (!kind)
                        continue;
                if (list.count == room) {
                        room = room ? room * 2 : 1024;
                        list.lines = memory_resize(list.lines, room * sizeof(list.lines[0]));
                }
                list.lines[list.count++] = line;
        }
        *ret_list = list;
        return 0;
}

struct line_list lines_merge(struct line_list first, struct line_list second)
{
        struct line_list merged = {
            memory_new((first.count + second.count) * sizeof(struct line)), 0};
        size_t a = 0, b = 0;
        while (a < first.count || b < second.count) {
                bool take_first = b == second.count ||
                    (a < first.count && first.lines[a].time_ns <= second.lines[b].time_ns);
                merged.lines[merged.count++] = take_first ? first.lines[a++] : second.lines[b++];
        }
        free(first.lines);
        free(second.lines);
        return merged;
}
