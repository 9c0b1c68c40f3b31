/* Tables: what a row of an answer says, as short texts in columns.
 *
 * A cell is a text without control bytes; what is null or missing is "-". */
#ifndef MANAGER_CELLS_H
#define MANAGER_CELLS_H

#include "manager/manager.h"

#define CELL_SIZE 96 /* an exchange, a colon, a symbol of 64 bytes, and the end */

struct cell {
        char text[CELL_SIZE];
};

typedef void (*cell_fn)(const struct row *row, const char *key, struct cell *ret_cell);

void cell_name(const struct row *row, const char *key, struct cell *ret_cell); /* of any key */
void cell_text(const struct row *row, const char *key, struct cell *ret_cell);
void cell_number(const struct row *row, const char *key, struct cell *ret_cell);
void cell_plain(const struct row *row, const char *key, struct cell *ret_cell); /* of an id */
void cell_price(const struct row *row, const char *key, struct cell *ret_cell);
void cell_pair(const struct row *row, const char *key, struct cell *ret_cell);
void cell_levels(const struct row *row, const char *key, struct cell *ret_cell);
void cell_length(const struct row *row, const char *key, struct cell *ret_cell);
void cell_time(const struct row *row, const char *key, struct cell *ret_cell);
void cell_seconds(const struct row *row, const char *key, struct cell *ret_cell);

/* The same of values in hand. */
void cell_of_number(int64_t number, struct cell *ret_cell);    /* 1,234,567 */
void cell_of_length(int64_t length_ns, struct cell *ret_cell); /* 85 ms, 1.2 s, 40 min, 3 d */
void cell_of_uptime(int64_t length_s, struct cell *ret_cell);  /* 3 d 04:05:06 */
void cell_of_text(const char *text, struct cell *ret_cell);    /* cut where it is too long */

/* A member that is a text, whole, without control bytes: into @ret_text, cut to its size; "" where
 * there is none. */
const char *row_text(const struct row *row, const char *key, char *ret_text, size_t size);

/* Control bytes become '?', those that UTF-8 writes in two bytes as well. */
void text_make_harmless(char *text);

/* How many columns of a terminal @text takes. */
size_t text_columns(const char *text);

struct column {
        const char *title;
        const char *key;
        cell_fn cell;
        int width; /* as of printf: negative for texts that begin at the left */
};

void table_begin(const struct column *columns, size_t count);
void table_row(const struct column *columns, size_t count, const struct row *row);

/* A column a line: for one thing with much to tell. */
void table_details(const struct column *columns, size_t count, const struct row *row);

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
