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

#define NAME_SIZE 40 /* of a setting's name with "_FILE" and the end */

struct value {
        char *text;
        int64_t number; /* of numbers, durations and bools */
        char *path;     /* of secrets: the file that holds it, or NULL */
};

struct settings {
        struct value *values; /* as the table */
        bool all_secrets;
        const char *const *secrets; /* else these; while loading */
        size_t secret_count;
};

static int setting_index(const char *name)
{
        for (size_t i = 0; i < settings_count; i++) {
                if (!strcmp(settings_table[i].name, name))
                        return (int)i;
        }
        return -1;
}

/* "NAME_FILE" of a secret, in @ret_name. */
static const char *file_name(const struct setting *setting, char ret_name[NAME_SIZE])
{
        int size = snprintf(ret_name, NAME_SIZE, "%s_FILE", setting->name);
        assert(size < NAME_SIZE);
        (void)size;
        return ret_name;
}

/* The secret whose file @name names, or -1. */
static int secret_index(const char *name)
{
        char file[NAME_SIZE];
        for (size_t i = 0; i < settings_count; i++) {
                if (settings_table[i].kind == SETTING_SECRET &&
                    !strcmp(name, file_name(&settings_table[i], file)))
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
        settings->values[index].text = memory_text(text);
        settings->values[index].number = number;
        if (setting->kind == SETTING_CHOICE) /* any case is taken, one is given */
                make_lower(settings->values[index].text);
        return 0;
}

/* An empty path is none. */
static void path_put(struct settings *settings, int index, const char *path)
{
        free(settings->values[index].path);
        settings->values[index].path = *path ? memory_text(path) : NULL;
}

static bool is_left_out(const struct settings *settings, int index)
{
        if (settings_table[index].kind != SETTING_SECRET || settings->all_secrets)
                return false;
        for (size_t i = 0; i < settings->secret_count; i++) {
                if (!strcmp(settings->secrets[i], settings_table[index].name))
                        return false;
        }
        return true;
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

/* May @text be shown? A line that is out of place can be a piece of a secret, like a key's last
 * line with its "=". */
static bool looks_like_name(const char *text)
{
        static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_",
                          lower[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
        size_t size = strlen(text);
        return size && size < NAME_SIZE && !isdigit((unsigned char)*text) &&
            (strspn(text, upper) == size || strspn(text, lower) == size);
}

static int put_named(struct settings *settings, const char *name, const char *text,
    const char *where, struct error *error)
{
        int index = setting_index(name), secret = secret_index(name);
        if (index >= 0)
                return is_left_out(settings, index)
                    ? 0
                    : setting_put(settings, index, text, where, error);
        if (secret >= 0)
                path_put(settings, secret, text);
        else
                log_warning("%s: no such setting%s",
                    looks_like_name(name) ? name : "what stands before the =", where);
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
        if (!equals)
                return error_set(
                    error, ERR_USAGE, "%s, line %u: not a line like NAME=value", path, number);
        snprintf(where, sizeof(where), " (%s, line %u)", path, number);
        *equals = '\0';
        return put_named(settings, begin, equals + 1, where, error);
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
        char name[NAME_SIZE];
        int code = 0;
        for (size_t i = 0; i < settings_count && !code; i++) {
                const struct setting *setting = &settings_table[i];
                const char *text = getenv(setting->name), *path = NULL;
                if (is_left_out(settings, (int)i))
                        continue;
                if (setting->kind == SETTING_SECRET)
                        path = getenv(file_name(setting, name));
                if (path)
                        path_put(settings, (int)i, path);
                if (text)
                        code = setting_put(settings, (int)i, text, "", error);
        }
        return code;
}

/* ---- secrets in files ---- */

#define SECRET_READ (LIMIT_SETTING_SIZE + 3) /* one more than the longest with its line's end */

/* What the file holds, without a newline at its end, into @ret_text; or what is wrong with it. */
static const char *read_secret(const char *path, char ret_text[SECRET_READ + 1])
{
        FILE *file = fopen(path, "re");
        if (!file)
                return strerror(errno);
        size_t size = fread(ret_text, 1, SECRET_READ, file);
        const char *fault = ferror(file) ? strerror(errno) : NULL;
        fclose(file);
        if (size && ret_text[size - 1] == '\n')
                size -= size > 1 && ret_text[size - 2] == '\r' ? 2 : 1;
        ret_text[size] = '\0';
        if (fault)
                return fault;
        if (size > LIMIT_SETTING_SIZE)
                return "larger than 64 KiB";
        return !size ? "empty" : strlen(ret_text) < size ? "it holds control bytes" : NULL;
}

static int load_secret(struct settings *settings, int index, char *text, struct error *error)
{
        const struct setting *setting = &settings_table[index];
        const struct value *value = &settings->values[index];
        char name[NAME_SIZE];
        file_name(setting, name);
        if (*value->text)
                return error_set(error, ERR_USAGE, "%s and %s are both given: allowed is one",
                    setting->name, name);
        const char *fault = read_secret(value->path, text);
        int64_t number;
        if (!fault && !setting_check(setting, text, &number))
                fault = "it holds control bytes, or is too short or too long";
        if (fault)
                return error_set(error, ERR_USAGE, "%s=%.200s: %s", name, value->path, fault);
        return setting_put(settings, index, text, "", error);
}

static int load_secrets(struct settings *settings, struct error *error)
{
        char *text = memory_new(SECRET_READ + 1);
        int code = 0;
        for (size_t i = 0; i < settings_count && !code; i++) {
                if (settings->values[i].path && !is_left_out(settings, (int)i))
                        code = load_secret(settings, (int)i, text, error);
        }
        explicit_bzero(text, SECRET_READ);
        free(text);
        return code;
}

/* ---- all of it ---- */

static int load_all(struct settings *settings, const char *env_file, struct error *error)
{
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
        return code ? code : load_secrets(settings, error);
}

static int load(struct settings **ret_settings, const char *env_file, const struct settings *wanted,
    struct error *error)
{
        struct settings *settings = memory_new(sizeof(*settings));
        *settings = *wanted;
        settings->values = memory_new(settings_count * sizeof(struct value));
        int code = load_all(settings, env_file, error);
        settings->secrets = NULL;
        if (code)
                settings_free(settings);
        else
                *ret_settings = settings;
        return code;
}

int settings_load(struct settings **ret_settings, const char *env_file, struct error *error)
{
        return load(ret_settings, env_file, &(struct settings){.all_secrets = true}, error);
}

int settings_load_some(struct settings **ret_settings, const char *env_file,
    const char *const *secrets, size_t count, struct error *error)
{
        struct settings wanted = {.secrets = secrets, .secret_count = count};
        return load(ret_settings, env_file, &wanted, error);
}

void settings_free(struct settings *settings)
{
        if (!settings)
                return;
        for (size_t i = 0; i < settings_count; i++) {
                free(settings->values[i].text);
                free(settings->values[i].path);
        }
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

const char *settings_text_or_null(const struct settings *settings, const char *name)
{
        const char *text = settings_text(settings, name);
        return *text ? text : NULL;
}

int64_t settings_number(const struct settings *settings, const char *name)
{
        return settings_value(settings, name)->number;
}

bool settings_bool(const struct settings *settings, const char *name)
{
        return settings_value(settings, name)->number;
}
