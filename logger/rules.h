/* Which symbols are wanted: rules in order, of which the last that matches a symbol decides.
 *
 * First come those of the setting SYMBOLS; then the changes made with obmanage, which are kept in a
 * file of the store and so win over the setting at every start. A rule names one symbol or, with *
 * for any characters, a pattern. A rule that a later one covers is dropped: the list stays as short
 * as what it says. */
#ifndef LOGGER_RULES_H
#define LOGGER_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/limits.h"
#include "venue/venue.h"

#define RULES_FILE "symbols.changes"

struct rule {
        const struct venue *venue; /* of an exchange its first feed */
        char symbol[LIMIT_SYMBOL_SIZE + 1];
        bool wanted;  /* else it is not to be recorded */
        bool changed; /* by obmanage */
};

struct rules {
        struct rule *list;
        size_t count, capacity;
};

/* Take a symbol or a pattern apart, as it is written on a command line. ERR_PARSE. */
int rule_parse(const char *text, struct rule *ret_rule, struct error *error);
bool rule_is_pattern(const struct rule *rule);
/* Does the rule say anything of that symbol? */
bool rule_matches(const struct rule *rule, const struct venue *venue, const char *symbol);

/* ERR_FULL: LIMIT_SYMBOLS rules. */
int rules_add(struct rules *rules, const struct rule *rule, struct error *error);
/* What decides of that symbol, or NULL: nothing was ever said of it. */
const struct rule *rules_decide(
    const struct rules *rules, const struct venue *venue, const char *symbol);
/* Are there patterns that may take in more symbols of that exchange? */
bool rules_have_pattern(const struct rules *rules, const struct venue *venue);

/* The changes kept at @path, behind what is there already; no file is no change. ERR_PARSE names
 * the line. */
int rules_load(struct rules *rules, const char *path, struct error *error);
/* The same from a text; @name is for the error. */
int rules_parse(struct rules *rules, const char *text, const char *name, struct error *error);
/* Put the changes into the place of what the file held, in one step, durably. */
int rules_save(const struct rules *rules, const char *path, struct error *error);
/* ... as text. */
void rules_print(const struct rules *rules, struct buffer *ret_text);
void rules_deinit(struct rules *rules);

#endif
