/* What the tests of messages share: text in a block of exactly its size and padding, parsed. */
#ifndef TESTS_UNIT_JSON_HELP_H
#define TESTS_UNIT_JSON_HELP_H

#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "tests/unit/help.h"

static struct json_parser *parser;
static char *parsed; /* the text of the newest message */

static inline int parser_begin(void **state)
{
        (void)state;
        parser = json_new();
        return parser ? 0 : -1;
}

static inline int parser_end(void **state)
{
        (void)state;
        json_free(parser);
        free(parsed);
        parsed = NULL;
        return 0;
}

/* The padding holds what would be more of a value, so that whoever reads it is found out. */
static inline int json_try_size(const char *text, size_t size, struct json_value *ret_root)
{
        free(parsed);
        parsed = memory_new(size + JSON_PADDING);
        if (size)
                memcpy(parsed, text, size);
        memset(parsed + size, '7', JSON_PADDING);
        return json_parse(parser, parsed, size, ret_root);
}

static inline int json_try(const char *text)
{
        struct json_value root;
        return json_try_size(text, strlen(text), &root);
}

static inline struct json_value json_must(const char *text)
{
        struct json_value root;
        if (json_try_size(text, strlen(text), &root))
                fail_msg("not parsed: %s", text);
        return root;
}

#endif
