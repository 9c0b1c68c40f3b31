/* The lines of capture files: when something was received, and what.
 *
 * Four formats are read, each line by its begin. F1: "<ns> <raw>". F2: "<seconds>: <raw>" for what
 * a socket received and "<url> -> <seconds>: <body>" for REST answers; its other lines tell about
 * the recorder. F3: a JSON object a line, "t" being "recv" or "http", "ts" the time, "data" the raw
 * text as a JSON string. F4: "YYYY-MM-DD HH:MM:SS,mmm <raw>". */
#ifndef LAB_LINES_H
#define LAB_LINES_H

#include "base/bytes.h"
#include "base/error.h"
#include "scan.h"

struct line {
        int64_t time_ns;
        struct span raw;
        struct span url; /* of a REST answer in F2 and F3, else empty */
};

struct line_list {
        struct line *lines;
        size_t count;
};

/* Read the lines of @text, which they point into; strings of F3 are undone in place. ERR_PARSE. */
int lines_read(struct buffer *text, struct line_list *ret_list, struct error *error);

/* @first and @second in the order of time, each in its own order; both are used up. */
struct line_list lines_merge(struct line_list first, struct line_list second);

#endif
