/* Rules of which symbols are wanted, and the file that keeps those made while running. */
#include "logger/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 256

/* ---- one rule ---- */

bool rule_is_pattern(const struct rule *rule)
{
        return strchr(rule->symbol, '*');
}

/* Greedy, and back to the last star where that fails: linear in practice, never recursive. */
static bool text_matches(const char *pattern, const char *text)
{
        const char *star = NULL, *from = NULL;
        while (*text) {
                if (*pattern == '*') {
                        star = pattern++;
                        from = text;
                } else if (*pattern == *text) {
                        pattern++;
                        text++;
                } else if (star) {
                        pattern = star + 1;
                        text = ++from;
                } else {
                        return false;
                }
        }
        while (*pattern == '*')
                pattern++;
        return !*pattern;
}

bool rule_matches(const struct rule *rule, const struct venue *venue, const char *symbol)
{
        return !strcmp(rule->venue->name, venue->name) && text_matches(rule->symbol, symbol);
}

static bool pattern_is_valid(const char *text)
{
        for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
                if (*c <= ' ' || *c == 0x7f || (*c >= 'a' && *c <= 'z') || strchr("\"\\,/@:", *c))
                        return false;
        }
        return true;
}

static int pattern_parse(const char *text, struct rule *ret_rule, struct error *error)
{
        const char *colon = strchr(text, ':');
        const char *symbol = colon ? colon + 1 : text;
        char name[32] = "binance";
        if (colon)
                snprintf(name, sizeof(name), "%.*s", (int)(colon - text), text);
        const struct venue *venue = venue_find(name);
        if (!venue || strlen(symbol) >= sizeof(ret_rule->symbol) || !pattern_is_valid(symbol))
                return error_set(error, ERR_PARSE,
                    "\"%s\": not a pattern of symbols, like binance:*USDT or coinbase:BTC-*", text);
        snprintf(ret_rule->symbol, sizeof(ret_rule->symbol), "%s", symbol);
        ret_rule->venue = venue;
        return 0;
}

int rule_parse(const char *text, struct rule *ret_rule, struct error *error)
{
        struct rule rule = {.wanted = true};
        int code = strchr(text, '*')
            ? pattern_parse(text, &rule, error)
            : venue_parse_symbol(text, &rule.venue, rule.symbol, sizeof(rule.symbol), error);
        if (!code)
                *ret_rule = rule;
        return code;
}

/* ---- all of them ---- */

void rules_deinit(struct rules *rules)
{
        free(rules->list);
        *rules = (struct rules){0};
}

const struct rule *rules_decide(
    const struct rules *rules, const struct venue *venue, const char *symbol)
{
        for (size_t i = rules->count; i > 0; i--) {
                if (rule_matches(&rules->list[i - 1], venue, symbol))
                        return &rules->list[i - 1];
        }
        return NULL;
}

bool rules_have_pattern(const struct rules *rules, const struct venue *venue)
{
        for (size_t i = 0; i < rules->count; i++) {
                const struct rule *rule = &rules->list[i];
                if (rule->wanted && rule_is_pattern(rule) &&
                    !strcmp(rule->venue->name, venue->name))
                        return true;
        }
        return false;
}

/* Whatever @old says of a symbol, @rule says after it. Settings stay: they come again. */
static bool covers(const struct rule *rule, const struct rule *old)
{
        return old->changed && rule_matches(rule, old->venue, old->symbol);
}

static void drop_covered(struct rules *rules, const struct rule *rule)
{
        size_t kept = 0;
        for (size_t i = 0; i < rules->count; i++) {
                if (!covers(rule, &rules->list[i]))
                        rules->list[kept++] = rules->list[i];
        }
        rules->count = kept;
}

/* Without it the same symbols would be wanted. */
static bool says_nothing(const struct rules *rules, const struct rule *rule)
{
        if (!rule_is_pattern(rule)) {
                const struct rule *before = rules_decide(rules, rule->venue, rule->symbol);
                return rule->changed && (before && before->wanted) == rule->wanted;
        }
        if (rule->wanted)
                return false;
        for (size_t i = 0; i < rules->count; i++) {
                const struct rule *other = &rules->list[i];
                if (other->wanted && !strcmp(other->venue->name, rule->venue->name) &&
                    (rule_is_pattern(other) || rule_matches(rule, other->venue, other->symbol)))
                        return false;
        }
        return true;
}

int rules_add(struct rules *rules, const struct rule *rule, struct error *error)
{
        struct rule added = *rule; /* it may be one of the list */
        drop_covered(rules, &added);
        if (says_nothing(rules, &added))
                return 0;
        if (rules->count == LIMIT_SYMBOLS)
                return error_set(
                    error, ERR_FULL, "there are %d symbols and patterns already", LIMIT_SYMBOLS);
        if (rules->count == rules->capacity) {
                rules->capacity = rules->capacity ? rules->capacity * 2 : 16;
                rules->list = memory_resize(rules->list, rules->capacity * sizeof(*rules->list));
        }
        rules->list[rules->count++] = added;
        return 0;
}

/* ---- the file ---- */

/* "+ binance:ETHUSDT": to be recorded; "- ...": not to be. */
static int take_line(struct rules *rules, char *line, struct error *error)
{
        struct rule rule;
        line[strcspn(line, "\r\n")] = '\0';
        if (!*line || *line == '#')
                return 0;
        if ((line[0] != '+' && line[0] != '-') || line[1] != ' ')
                return error_set(
                    error, ERR_PARSE, "\"%s\": allowed is \"+ SYMBOL\" or \"- SYMBOL\"", line);
        int code = rule_parse(line + 2, &rule, error);
        if (code)
                return code;
        rule.wanted = line[0] == '+';
        rule.changed = true;
        return rules_add(rules, &rule, error);
}

int rules_parse(struct rules *rules, const char *text, const char *name, struct error *error)
{
        char line[LINE_SIZE];
        struct error why = {0};
        int code = 0;
        for (unsigned number = 1; !code && *text; number++) {
                size_t size = strcspn(text, "\n");
                snprintf(line, sizeof(line), "%.*s", (int)(size < LINE_SIZE ? size : 0), text);
                code = size < LINE_SIZE && text[size]
                    ? take_line(rules, line, &why)
                    : error_set(&why, ERR_PARSE, "a line without an end, or too long");
                if (code)
                        return error_set(error, code, "%s:%u: %s", name, number, why.text);
                text += size + 1;
        }
        return 0;
}

int rules_load(struct rules *rules, const char *path, struct error *error)
{
        struct buffer text;
        FILE *file = fopen(path, "re");
        if (!file && errno == ENOENT)
                return 0;
        if (!file)
                return error_set(error, ERR_IO, "%s: %s", path, strerror(errno));
        buffer_init(&text, LIMIT_SYMBOLS * LINE_SIZE);
        uint8_t *room;
        size_t size = 1;
        while (size && (room = buffer_reserve(&text, 4096)))
                text.size += size = fread(room, 1, 4096, file);
        bool failed = ferror(file) || text.failed;
        fclose(file);
        buffer_append_byte(&text, 0);
        int code = failed ? error_set(error, ERR_IO, "%s: it cannot be read, or is too large", path)
                          : rules_parse(rules, (char *)text.data, path, error);
        buffer_deinit(&text);
        return code;
}

void rules_print(const struct rules *rules, struct buffer *ret_text)
{
        buffer_append_text(ret_text,
            "# Changes to SYMBOLS, made with obmanage: the last line that matches a symbol "
            "decides.\n");
        for (size_t i = 0; i < rules->count; i++) {
                const struct rule *rule = &rules->list[i];
                if (rule->changed)
                        buffer_printf(ret_text, "%c %s:%s\n", rule->wanted ? '+' : '-',
                            rule->venue->name, rule->symbol);
        }
}

static bool write_text(FILE *file, const struct buffer *text)
{
        bool written = fwrite(text->data, 1, text->size, file) == text->size && !fflush(file) &&
            !fsync(fileno(file));
        int failed = errno;
        written = !fclose(file) && written;
        errno = failed;
        return written;
}

/* The folder's entry is on disk as well. */
static int sync_folder(const char *path)
{
        char folder[4096];
        const char *slash = strrchr(path, '/');
        snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path + 1) : 1,
            slash ? path : ".");
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int code = fd < 0 || fsync(fd) ? -1 : 0;
        if (fd >= 0)
                close(fd);
        return code;
}

int rules_save(const struct rules *rules, const char *path, struct error *error)
{
        char fresh[4096];
        if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh))
                return error_set(error, ERR_USAGE, "%s: the path is too long", path);
        FILE *file = fopen(fresh, "we");
        if (!file)
                return error_set(error, ERR_IO, "%s: %s", fresh, strerror(errno));
        struct buffer text;
        buffer_init(&text, LIMIT_SYMBOLS * LINE_SIZE);
        rules_print(rules, &text);
        bool written = write_text(file, &text) && !rename(fresh, path) && !sync_folder(path);
        int failed = errno;
        buffer_deinit(&text);
        if (written)
                return 0;
        unlink(fresh);
        return error_set(error, ERR_IO, "%s: %s", path, strerror(failed));
}
