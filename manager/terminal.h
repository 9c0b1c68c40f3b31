/* The terminal that top draws on: its size, its keys, and that it is left as it was found.
 *
 * What is drawn goes to stdout, by ANSI escapes that every terminal of today knows. */
#ifndef MANAGER_TERMINAL_H
#define MANAGER_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct terminal_size {
        size_t columns, rows;
};

/* Take the screen over: another page, no cursor, keys without their return. leave gives all back,
 * any number of times. */
void terminal_enter(void);
void terminal_leave(void);

struct terminal_size terminal_size(void);

/* Has the size changed since it was last asked? */
bool terminal_is_resized(void);

/* The next key, 0 where none is pressed; -1: there is no terminal any more. A stop by Ctrl-Z
 * happens in here, and true is then what terminal_is_resized says. */
int terminal_key(void);

/* Wait for a key or a signal, at most so long. */
void terminal_wait(int wait_ms);

/* A new picture: its lines end with "\n" and are no wider than the terminal. */
void terminal_draw(const struct buffer *lines);

#endif
