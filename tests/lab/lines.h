/* The lines of capture files: when something was received, and what.
 *
 * Two formats are read. F1: "<ns> <raw>". F2: "<seconds>: <raw>" for what a socket received and
 * "<url> -> <seconds>: <body>" for REST answers; its other lines tell about the recorder. */
#ifndef LAB_LINES_H
#define LAB_LINES_H

#include "base/error.h"
#include "scan.h"

struct line {
        int64_t time_ns;
        struct span raw;
        struct span url; /* of a REST answer in F2, else empty */
};

struct line_list {
        struct line *lines;
        size_t count;
};

/* Read the lines of @text, which they point into. ERR_PARSE. */
int lines_read(struct span text, struct line_list *ret_list, struct error *error);

/* @first and @second in the order of time, each in its own order; both are used up. */
struct line_list lines_merge(struct line_list first, struct line_list second);

#endif
