#include "base/options.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/settings.h"

/* Every program has these. */
static const struct option_spec common[] = {
    {"--help", NULL, "show this help"},
    {"--version", NULL, "show the version"},
    {"--man", NULL, "print the manual page (roff)"},
};

#define COMMON_COUNT (sizeof(common) / sizeof(common[0]))

static const struct option_spec *option_at(const struct program_spec *program, size_t index)
{
        return index < program->option_count ? &program->options[index]
                                             : &common[index - program->option_count];
}

static int option_find(const struct program_spec *program, const char *name, size_t size)
{
        for (size_t i = 0; i < program->option_count + COMMON_COUNT; i++) {
                const char *known = option_at(program, i)->name;
                if (strlen(known) == size && !strncmp(known, name, size))
                        return (int)i;
        }
        return -1;
}

/* One option at argv[*at], with its argument behind "=" or in the next word. */
static int parse_option(const struct program_spec *program, int argc, char **argv, int *at,
    struct options *options, struct error *error)
{
        const char *word = argv[*at], *equals = strchr(word, '=');
        size_t size = equals ? (size_t)(equals - word) : strlen(word);
        int index = option_find(program, word, size);
        if (index < 0)
                return error_set(
                    error, ERR_USAGE, "%s: no such option; see %s --help", word, program->name);
        const struct option_spec *option = option_at(program, (size_t)index);
        if (!option->argument && equals)
                return error_set(error, ERR_USAGE, "%s takes no value", option->name);
        if (option->argument && !equals && *at + 1 >= argc)
                return error_set(error, ERR_USAGE, "%s needs a value: %s %s", option->name,
                    option->name, option->argument);
        if (!option->argument)
                options->values[index] = "";
        else
                options->values[index] = equals ? equals + 1 : argv[++*at];
        return 0;
}

int options_parse(const struct program_spec *program, int argc, char **argv,
    struct options *ret_options, struct error *error)
{
        bool ended = false;
        assert(
            program->option_count + COMMON_COUNT <= sizeof(ret_options->values) / sizeof(char *));
        *ret_options = (struct options){.program = program};
        for (int i = 1; i < argc; i++) {
                if (!ended && !strcmp(argv[i], "--")) {
                        ended = true;
                } else if (!ended && argv[i][0] == '-' && argv[i][1]) {
                        int code = parse_option(program, argc, argv, &i, ret_options, error);
                        if (code)
                                return code;
                } else if (ret_options->word_count == OPTIONS_WORDS_MAX) {
                        return error_set(error, ERR_USAGE, "more than %d words", OPTIONS_WORDS_MAX);
                } else {
                        ret_options->words[ret_options->word_count++] = argv[i];
                }
        }
        return 0;
}

const char *options_value(const struct options *options, const char *name)
{
        int index = option_find(options->program, name, strlen(name));
        assert(index >= 0);
        return options->values[index];
}

static const struct setting *setting_named(const char *name)
{
        for (size_t i = 0; i < settings_count; i++) {
                if (!strcmp(settings_table[i].name, name))
                        return &settings_table[i];
        }
        assert(!"a setting of the program is not in the table");
        return NULL;
}

static void print_help(const struct program_spec *program)
{
        printf("%s - %s\n\n", program->name, program->summary);
        for (size_t i = 0; i < program->command_count; i++)
                printf("  %s %s\n      %s\n", program->name, program->commands[i].usage,
                    program->commands[i].meaning);
        printf("\nOptions:\n");
        for (size_t i = 0; i < program->option_count + COMMON_COUNT; i++) {
                const struct option_spec *option = option_at(program, i);
                char left[64];
                snprintf(left, sizeof(left), "%s %s", option->name,
                    option->argument ? option->argument : "");
                printf("  %-26s %s\n", left, option->meaning);
        }
        printf("\nSettings (environment, or NAME=value in the file of --env-file):\n");
        for (size_t i = 0; i < program->setting_count; i++) {
                const struct setting *setting = setting_named(program->settings[i]);
                printf("  %-26s %s (%s%s)\n", setting->name, setting->meaning,
                    *setting->fallback ? "default " : "",
                    *setting->fallback ? setting->fallback : "default empty");
        }
        printf("\nExit status:\n%s", program->exits);
}

/* Text for roff: a backslash and a leading dot mean something there, a minus must stay one. */
static void print_roff(const char *text)
{
        bool begin = true;
        for (; *text; text++) {
                if (begin && (*text == '.' || *text == '\''))
                        printf("\\&");
                if (*text == '\\' || *text == '-')
                        printf("\\%s", *text == '\\' ? "e" : "-");
                else if (*text == '\n' && text[1] == '\n')
                        printf("\n.PP"), text++, putchar('\n');
                else
                        putchar(*text);
                begin = *text == '\n';
        }
        putchar('\n');
}

static void print_man(const struct program_spec *program)
{
        printf(".TH %s 1 \"\" \"oblogger %s\" \"User Commands\"\n.SH NAME\n", program->name,
            OBLOGGER_VERSION);
        printf("%s \\- ", program->name);
        print_roff(program->summary);
        printf(".SH SYNOPSIS\n");
        for (size_t i = 0; i < program->command_count; i++) {
                printf(".B %s\n", program->name);
                print_roff(program->commands[i].usage);
                printf(".br\n");
        }
        printf(".SH DESCRIPTION\n");
        print_roff(program->description);
        printf(".SH COMMANDS\n");
        for (size_t i = 0; i < program->command_count; i++) {
                printf(".TP\n.B ");
                print_roff(*program->commands[i].name ? program->commands[i].name : "(none)");
                print_roff(program->commands[i].meaning);
        }
        printf(".SH OPTIONS\n");
        for (size_t i = 0; i < program->option_count + COMMON_COUNT; i++) {
                const struct option_spec *option = option_at(program, i);
                char left[64];
                snprintf(left, sizeof(left), "%s %s", option->name,
                    option->argument ? option->argument : "");
                printf(".TP\n.B ");
                print_roff(left);
                print_roff(option->meaning);
        }
        printf(".SH ENVIRONMENT\n");
        for (size_t i = 0; i < program->setting_count; i++) {
                const struct setting *setting = setting_named(program->settings[i]);
                printf(".TP\n.B %s\n", setting->name);
                print_roff(setting->meaning);
                printf(".br\nAllowed: ");
                print_roff(setting->allowed);
                printf(".br\nDefault: ");
                print_roff(*setting->fallback ? setting->fallback : "empty");
        }
        printf(".SH EXIT STATUS\n.nf\n");
        print_roff(program->exits);
        printf(".fi\n");
}

bool options_answer(const struct options *options)
{
        if (options_value(options, "--help"))
                print_help(options->program);
        else if (options_value(options, "--version"))
                printf("%s %s\n", options->program->name, OBLOGGER_VERSION);
        else if (options_value(options, "--man"))
                print_man(options->program);
        else
                return false;
        return true;
}
