/* Settings: one table of names, kinds and defaults for all programs.
 *
 * A value comes from an option, else the environment, else the settings file (lines NAME=value),
 * else the default. All are checked when they are loaded, so a program reads only valid ones. A
 * secret NAME can also come as NAME_FILE, a path: what that file holds is its value. The table is
 * also what the manual pages and vars.env.example are checked against. */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum setting_kind {
        SETTING_TEXT,     /* low..high bytes (high 0: LIMIT_SETTING_SIZE), no control bytes */
        SETTING_BOOL,     /* True or False */
        SETTING_NUMBER,   /* low..high */
        SETTING_DURATION, /* ns; low..high */
        SETTING_CHOICE,   /* one of the words in @allowed, "a|b" */
        SETTING_SECRET,   /* text that is never printed; NAME_FILE names a file that holds it */
};

struct setting {
        const char *name;
        enum setting_kind kind;
        const char *fallback; /* the default, as text; "" is empty */
        const char *allowed;  /* CHOICE: the words; else for the reader */
        int64_t low, high;
        const char *meaning;
};

extern const struct setting settings_table[];
extern const size_t settings_count;

struct settings;

/* @env_file: of --env-file, or NULL (USE_ENV_FILE then decides). A wrong value gives ERR_USAGE with
 * the variable, the value and what is allowed. A name in the file that is none is one warning. */
int settings_load(struct settings **ret_settings, const char *env_file, struct error *error);

/* The same with no other secrets than @secrets (count names): the rest stay empty, and their files
 * are not read, which others may own. */
int settings_load_some(struct settings **ret_settings, const char *env_file,
    const char *const *secrets, size_t count, struct error *error);
void settings_free(struct settings *settings);

/* An option stands above all. ERR_USAGE as above. */
int settings_override(
    struct settings *settings, const char *name, const char *value, struct error *error);

/* Values; the name must be in the table (asserted), with that kind. Texts live as long as settings.
 */
const char *settings_text(const struct settings *settings, const char *name);
const char *settings_text_or_null(
    const struct settings *settings, const char *name); /* NULL: it is empty */
int64_t settings_number(
    const struct settings *settings, const char *name); /* also durations, in ns */
bool settings_bool(const struct settings *settings, const char *name);

#endif
