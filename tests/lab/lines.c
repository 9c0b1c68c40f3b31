/* Reads the lines of capture files. */
#include "lines.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/decimal.h"

#define SECONDS_DIGITS 9

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

/* 1: a line, 0: of no interest, negative: wrong. */
static int parse_line(struct span text, struct line *line)
{
        *line = (struct line){0};
        if (!text.size)
                return 0;
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

int lines_read(struct span text, struct line_list *ret_list, struct error *error)
{
        struct line_list list = {0};
        size_t room = 0, number = 0;
        while (text.size) {
                struct line line;
                int kind = parse_line(span_cut(&text, "\n"), &line);
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
