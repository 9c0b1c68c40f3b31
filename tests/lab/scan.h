/* Finds the parts of a JSON text by their place, so that they can be kept byte for byte.
 *
 * It trusts the text to be JSON as exchanges write it; what is not yields nothing or a failed scan,
 * never a read outside the text. */
#ifndef LAB_SCAN_H
#define LAB_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
        const char *data;
        size_t size;
};

struct scan {
        const char *at;
        const char *end;
};

bool span_is(struct span span, const char *text);
bool span_starts(struct span span, const char *text);

/* The span without its quotes; empty if it is no string. Escapes stay as they are. */
struct span span_unquote(struct span value);

/* The integer that fills the whole span, or false with @ret_value unchanged. */
bool span_int(struct span value, int64_t *ret_value);

/* The first @separator splits: what is before it is returned, @rest keeps what follows. */
struct span span_cut(struct span *rest, const char *separator);

/* Begin inside @value, which has to be an object ('{') or an array ('['). */
bool scan_begin(struct scan *scan, struct span value, char bracket);

/* The next member or element; false at the end, or where the text stops being JSON. */
bool scan_member(struct scan *scan, struct span *ret_key, struct span *ret_value);
bool scan_element(struct scan *scan, struct span *ret_value);

/* One member by its key. */
bool scan_find(struct span object, const char *key, struct span *ret_value);

#endif
