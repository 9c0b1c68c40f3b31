/* Finds the parts of a JSON text by their place. */
#include "scan.h"

#include <string.h>

bool span_is(struct span span, const char *text)
{
        return strlen(text) == span.size && !memcmp(span.data, text, span.size);
}

bool span_starts(struct span span, const char *text)
{
        size_t size = strlen(text);
        return span.size >= size && !memcmp(span.data, text, size);
}

struct span span_unquote(struct span value)
{
        if (value.size < 2 || value.data[0] != '"' || value.data[value.size - 1] != '"')
                return (struct span){value.data, 0};
        return (struct span){value.data + 1, value.size - 2};
}

bool span_int(struct span value, int64_t *ret_value)
{
        size_t index = 0;
        bool minus = value.size && value.data[0] == '-';
        int64_t number = 0;
        if (minus)
                index++;
        if (index == value.size || value.size - index > 18)
                return false;
        for (; index < value.size; index++) {
                if (value.data[index] < '0' || value.data[index] > '9')
                        return false;
                number = number * 10 + (value.data[index] - '0');
        }
        *ret_value = minus ? -number : number;
        return true;
}

struct span span_cut(struct span *rest, const char *separator)
{
        size_t size = strlen(separator);
        const char *at = rest->size ? memmem(rest->data, rest->size, separator, size) : NULL;
        struct span head = *rest;
        if (!at) {
                *rest = (struct span){rest->data + rest->size, 0};
                return head;
        }
        head.size = (size_t)(at - rest->data);
        *rest = (struct span){at + size, rest->size - head.size - size};
        return head;
}

static void skip_blanks(struct scan *scan)
{
        while (scan->at < scan->end && memchr(" \t\r\n", *scan->at, 4))
                scan->at++;
}

static bool skip_string(struct scan *scan)
{
        for (scan->at++; scan->at < scan->end; scan->at++) {
                if (*scan->at == '\\')
                        scan->at++;
                else if (*scan->at == '"') {
                        scan->at++;
                        return true;
                }
        }
        return false;
}

static bool skip_nested(struct scan *scan)
{
        unsigned depth = 0;
        while (scan->at < scan->end) {
                char c = *scan->at;
                if (c == '"') {
                        if (!skip_string(scan))
                                return false;
                        continue;
                }
                scan->at++;
                if (c == '{' || c == '[')
                        depth++;
                else if ((c == '}' || c == ']') && --depth == 0)
                        return true;
        }
        return false;
}

static bool scan_value(struct scan *scan, struct span *ret_value)
{
        skip_blanks(scan);
        const char *start = scan->at;
        if (start >= scan->end)
                return false;
        if (*start == '"') {
                if (!skip_string(scan))
                        return false;
        } else if (*start == '{' || *start == '[') {
                if (!skip_nested(scan))
                        return false;
        } else {
                while (scan->at < scan->end && !memchr(",]} \t\r\n", *scan->at, 7))
                        scan->at++;
        }
        *ret_value = (struct span){start, (size_t)(scan->at - start)};
        return ret_value->size > 0 && scan->at <= scan->end;
}

bool scan_begin(struct scan *scan, struct span value, char bracket)
{
        if (value.size < 2 || value.data[0] != bracket)
                return false;
        *scan = (struct scan){value.data + 1, value.data + value.size - 1};
        return true;
}

bool scan_element(struct scan *scan, struct span *ret_value)
{
        skip_blanks(scan);
        if (scan->at < scan->end && *scan->at == ',')
                scan->at++;
        return scan_value(scan, ret_value);
}

bool scan_member(struct scan *scan, struct span *ret_key, struct span *ret_value)
{
        struct span key;
        if (!scan_element(scan, &key) || key.data[0] != '"')
                return false;
        skip_blanks(scan);
        if (scan->at >= scan->end || *scan->at != ':')
                return false;
        scan->at++;
        *ret_key = span_unquote(key);
        return scan_value(scan, ret_value);
}

bool scan_find(struct span object, const char *key, struct span *ret_value)
{
        struct scan scan;
        struct span name, value;
        if (!scan_begin(&scan, object, '{'))
                return false;
        while (scan_member(&scan, &name, &value)) {
                if (span_is(name, key)) {
                        *ret_value = value;
                        return true;
                }
        }
        return false;
}
