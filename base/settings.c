#include "base/settings.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/limits.h"
#include "base/log.h"

struct value {
        char *text;
        int64_t number; /* of numbers, durations and bools */
};

struct settings {
        struct value *values; /* as the table */
};

static int setting_index(const char *name)
{
        for (size_t i = 0; i < settings_count; i++) {
                if (!strcmp(settings_table[i].name, name))
                        return (int)i;
        }
        return -1;
}

static bool word_in(const char *word, const char *words)
{
        size_t size = strcspn(word, "|");
        if (word[size])
                return false;
        for (const char *at = words; size && at;
             at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
                if (!strncasecmp(at, word, size) && (at[size] == '|' || !at[size]))
                        return true;
        }
        return false;
}

static bool text_fits(const struct setting *setting, const char *text)
{
        int64_t size = (int64_t)strlen(text);
        for (const char *at = text; *at; at++) {
                if ((unsigned char)*at < 0x20 || *at == 0x7f)
                        return false;
        }
        return size >= setting->low && size <= (setting->high ? setting->high : LIMIT_SETTING_SIZE);
}

/* Check @text against the table; @ret_number where the kind has one. */
static bool setting_check(const struct setting *setting, const char *text, int64_t *ret_number)
{
        *ret_number = 0;
        switch (setting->kind) {
        case SETTING_BOOL:
                *ret_number = !strcasecmp(text, "true");
                return *ret_number || !strcasecmp(text, "false");
        case SETTING_CHOICE:
                return word_in(text, setting->allowed);
        case SETTING_NUMBER:
                return *text && strspn(text, "0123456789") == strlen(text) &&
                    !decimal_parse(text, strlen(text), 0, ret_number) &&
                    *ret_number >= setting->low && *ret_number <= setting->high;
        case SETTING_DURATION:
                return !duration_parse(text, ret_number) && *ret_number >= setting->low &&
                    *ret_number <= setting->high;
        default:
                return text_fits(setting, text);
        }
}

static void make_lower(char *text)
{
        for (; *text; text++)
                *text = (char)tolower((unsigned char)*text);
}

static int setting_put(
    struct settings *settings, int index, const char *text, const char *where, struct error *error)
{
        const struct setting *setting = &settings_table[index];
        int64_t number;
        if (!setting_check(setting, text, &number))
                return error_set(error, ERR_USAGE, "%s=%.200s%s: allowed is %s", setting->name,
                    setting->kind == SETTING_SECRET ? "(not shown)" : text, where,
                    setting->allowed);
        free(settings->values[index].text);
        settings->values[index] = (struct value){memory_text(text), number};
        if (setting->kind == SETTING_CHOICE) /* any case is taken, one is given */
                make_lower(settings->values[index].text);
        return 0;
}

static int read_file(const char *path, struct buffer *content, struct error *error)
{
        FILE *file = fopen(path, "re");
        char chunk[4096];
        size_t size;
        if (!file)
                return error_set(error, ERR_USAGE, "%s: %s", path, strerror(errno));
        while ((size = fread(chunk, 1, sizeof(chunk), file)))
                buffer_append(content, chunk, size);
        bool failed = ferror(file);
        fclose(file);
        if (content->size && memchr(content->data, 0, content->size))
                return error_set(
                    error, ERR_USAGE, "%s: holds a NUL, that is no settings file", path);
        buffer_append_byte(content, 0);
        if (failed || content->failed)
                return error_set(error, ERR_USAGE, "%s: %s", path,
                    failed ? "cannot be read" : "larger than 1 MiB, that is no settings file");
        return 0;
}

/* One line of the file: NAME=value, a comment, or nothing. */
static int read_line(
    struct settings *settings, char *line, const char *path, unsigned number, struct error *error)
{
        char where[512];
        char *begin = line + strspn(line, " \t");
        char *equals = strchr(begin, '=');
        size_t size = strlen(begin);
        while (size && strchr(" \t\r", begin[size - 1]))
                begin[--size] = '\0';
        if (!*begin || *begin == '#')
                return 0;
        snprintf(where, sizeof(where), " (%s, line %u)", path, number);
        if (!equals)
                return error_set(error, ERR_USAGE, "%s: a line is NAME=value%s", begin, where);
        *equals = '\0';
        int index = setting_index(begin);
        if (index < 0) {
                log_warning("%s: no such setting%s", begin, where);
                return 0;
        }
        return setting_put(settings, index, equals + 1, where, error);
}

static int load_file(struct settings *settings, const char *path, struct error *error)
{
        struct buffer content;
        buffer_init(&content, LIMIT_FILE_SIZE);
        int code = read_file(path, &content, error);
        char *at = (char *)content.data;
        for (unsigned number = 1; !code && at; number++) {
                char *line = at;
                at = strchr(line, '\n');
                if (at)
                        *at++ = '\0';
                code = read_line(settings, line, path, number, error);
        }
        buffer_deinit(&content);
        return code;
}

static int load_environment(struct settings *settings, struct error *error)
{
        int code = 0;
        for (size_t i = 0; i < settings_count && !code; i++) {
                const char *text = getenv(settings_table[i].name);
                if (text)
                        code = setting_put(settings, (int)i, text, "", error);
        }
        return code;
}

int settings_load(struct settings **ret_settings, const char *env_file, struct error *error)
{
        struct settings *settings = memory_new(sizeof(*settings));
        settings->values = memory_new(settings_count * sizeof(struct value));
        int code = 0;
        for (size_t i = 0; i < settings_count && !code; i++)
                code = setting_put(settings, (int)i, settings_table[i].fallback, "", error);
        assert(!code);
        code = load_environment(settings, error);
        if (!code && !env_file && settings_bool(settings, "USE_ENV_FILE"))
                env_file = "vars.env";
        if (!code && env_file)
                code = load_file(settings, env_file, error);
        if (!code && env_file)
                code = load_environment(settings, error);
        if (code) {
                settings_free(settings);
                return code;
        }
        *ret_settings = settings;
        return 0;
}

void settings_free(struct settings *settings)
{
        if (!settings)
                return;
        for (size_t i = 0; i < settings_count; i++)
                free(settings->values[i].text);
        free(settings->values);
        free(settings);
}

int settings_override(
    struct settings *settings, const char *name, const char *value, struct error *error)
{
        int index = setting_index(name);
        assert(index >= 0);
        return setting_put(settings, index, value, "", error);
}

static const struct value *settings_value(const struct settings *settings, const char *name)
{
        int index = setting_index(name);
        assert(index >= 0);
        return &settings->values[index];
}

const char *settings_text(const struct settings *settings, const char *name)
{
        return settings_value(settings, name)->text;
}

int64_t settings_number(const struct settings *settings, const char *name)
{
        return settings_value(settings, name)->number;
}

bool settings_bool(const struct settings *settings, const char *name)
{
        return settings_value(settings, name)->number;
}
