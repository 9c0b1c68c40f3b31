/* What a captured run was set to: its text has lines NAME=value. */
#ifndef LOGGER_REDERIVE_SETTINGS_H
#define LOGGER_REDERIVE_SETTINGS_H

#include <stddef.h>

#include "base/error.h"
#include "base/settings.h"

/* The value of @name, written to @ret_value, or NULL; a secret that was there is some text. */
const char *rederive_value_of(const char *text, const char *name, char *ret_value, size_t size);

/* All that decides what is recorded: as in @text, or the fallback. ERR_CORRUPT. */
int rederive_take_settings(struct settings *settings, const char *text, struct error *error);

#endif
