/* Reading JSON: a thin C face on simdjson's DOM.
 *
 * A message is checked whole (grammar and UTF-8) before anything of it is read. Values are small
 * handles, valid until the next json_parse of the same parser. Key order never matters. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_PADDING 64 /* readable bytes (of any value) that must follow the text */

struct json_parser;

struct json_value {
        const void *document;
        size_t index;
};

struct json_text {
        const char *data; /* NUL-terminated as well */
        size_t size;
};

/* Position in an array or object; begin once, then next until it returns false. */
struct json_cursor {
        struct json_value at;
        struct json_value end;
};

struct json_parser *json_new(void);
void json_free(struct json_parser *parser);

/* Parse @text, after which JSON_PADDING bytes are readable.
 *
 * Errors (@ret_root unchanged): ERR_PARSE not JSON, ERR_FULL too large or nested too deep. */
int json_parse(
    struct json_parser *parser, const char *text, size_t size, struct json_value *ret_root);

/* The member @key of @object, or false if it is no object or has no such member. */
bool json_member(struct json_value object, const char *key, struct json_value *ret_value);

/* The value as what it is; false for any other type. A number must fit int64. */
bool json_string(struct json_value value, struct json_text *ret_text);
bool json_int(struct json_value value, int64_t *ret_value);
bool json_bool(struct json_value value, bool *ret_value);
bool json_is_null(struct json_value value);
bool json_is_object(struct json_value value);

/* Members at once: json_member, then the type. */
bool json_member_string(struct json_value object, const char *key, struct json_text *ret_text);
bool json_member_int(struct json_value object, const char *key, int64_t *ret_value);

bool json_array_begin(struct json_value array, struct json_cursor *ret_cursor);
bool json_array_next(struct json_cursor *cursor, struct json_value *ret_value);

/* The next element of an array of [text, text, ...]: 1 and both texts, 0 at the end, ERR_PARSE. */
int json_pair_next(
    struct json_cursor *cursor, struct json_text *ret_first, struct json_text *ret_second);

static inline bool json_text_is(struct json_text text, const char *expected)
{
        return __builtin_strlen(expected) == text.size &&
            !__builtin_memcmp(text.data, expected, text.size);
}

#endif
