/* base/json.h on simdjson's DOM; the one C++ file. */
#include <cstring>
#include <new>

#include <simdjson.h>

extern "C" {
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
}

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

struct json_parser {
        simdjson::dom::parser parser{LIMIT_REST_BODY};
};

/* A handle is simdjson's own element (document, index), kept as bytes. */
static_assert(sizeof(element) == sizeof(json_value), "a value is an element");
static_assert(sizeof(array::iterator) == sizeof(json_value), "a position is an iterator");
static_assert(JSON_PADDING >= simdjson::SIMDJSON_PADDING, "padding");

template <class T> static json_value pack(const T &from)
{
        json_value to;
        std::memcpy(static_cast<void *>(&to), static_cast<const void *>(&from), sizeof(to));
        return to;
}

template <class T> static T unpack(json_value from)
{
        T to{};
        std::memcpy(static_cast<void *>(&to), static_cast<const void *>(&from), sizeof(from));
        return to;
}

static json_text text_of(std::string_view view)
{
        return json_text{view.data(), view.size()};
}

static element get(json_value value)
{
        return unpack<element>(value);
}

json_parser *json_new(void)
{
        json_parser *parser = new (std::nothrow) json_parser;
        if (parser && parser->parser.allocate(4096, LIMIT_JSON_DEPTH)) {
                delete parser;
                return nullptr;
        }
        return parser;
}

void json_free(json_parser *parser)
{
        delete parser;
}

int json_parse(json_parser *parser, const char *text, size_t size, json_value *ret_root)
{
        element root;
        auto result = parser->parser.parse(text, size, false).get(root);
        if (result == simdjson::CAPACITY || result == simdjson::DEPTH_ERROR)
                return ERR_FULL;
        if (result)
                return ERR_PARSE;
        *ret_root = pack(root);
        return 0;
}

bool json_member(json_value value, const char *key, json_value *ret_value)
{
        object members;
        element member;
        if (get(value).get(members) || members.at_key(key).get(member))
                return false;
        *ret_value = pack(member);
        return true;
}

bool json_string(json_value value, json_text *ret_text)
{
        std::string_view view;
        if (get(value).get(view))
                return false;
        *ret_text = text_of(view);
        return true;
}

bool json_int(json_value value, int64_t *ret_value)
{
        int64_t number;
        if (get(value).get(number))
                return false;
        *ret_value = number;
        return true;
}

bool json_bool(json_value value, bool *ret_value)
{
        bool truth;
        if (get(value).get(truth))
                return false;
        *ret_value = truth;
        return true;
}

bool json_is_null(json_value value)
{
        return get(value).is_null();
}

bool json_is_object(json_value value)
{
        return get(value).is_object();
}

bool json_member_string(json_value value, const char *key, json_text *ret_text)
{
        json_value member;
        return json_member(value, key, &member) && json_string(member, ret_text);
}

bool json_member_int(json_value value, const char *key, int64_t *ret_value)
{
        json_value member;
        return json_member(value, key, &member) && json_int(member, ret_value);
}

bool json_array_begin(json_value value, json_cursor *ret_cursor)
{
        array elements;
        if (get(value).get(elements))
                return false;
        ret_cursor->at = pack(elements.begin());
        ret_cursor->end = pack(elements.end());
        return true;
}

bool json_array_next(json_cursor *cursor, json_value *ret_value)
{
        auto at = unpack<array::iterator>(cursor->at);
        if (!(at != unpack<array::iterator>(cursor->end)))
                return false;
        *ret_value = pack(*at);
        ++at;
        cursor->at = pack(at);
        return true;
}

int json_pair_next(json_cursor *cursor, json_text *ret_first, json_text *ret_second)
{
        json_value value;
        array pair;
        std::string_view first, second;
        if (!json_array_next(cursor, &value))
                return 0;
        if (get(value).get(pair))
                return ERR_PARSE;
        auto at = pair.begin(), end = pair.end();
        if (!(at != end) || (*at).get(first) || !(++at != end) || (*at).get(second))
                return ERR_PARSE;
        *ret_first = text_of(first);
        *ret_second = text_of(second);
        return 1;
}
