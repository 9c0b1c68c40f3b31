/* Command lines: one table a program gives its parsing, its --help and its manual page. */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define OPTIONS_WORDS_MAX 8192

struct option_spec {
        const char *name;     /* "--store" */
        const char *argument; /* "PATH"; NULL: it takes none */
        const char *meaning;
};

struct command_spec {
        const char *name; /* "coverage"; "" is the program without a command */
        const char *usage;
        const char *meaning;
};

struct program_spec {
        const char *name;
        const char *summary;     /* half a sentence */
        const char *description; /* paragraphs, separated by an empty line */
        const struct option_spec *options;
        size_t option_count;
        const struct command_spec *commands;
        size_t command_count;
        const char *const *settings; /* names of those that it reads */
        size_t setting_count;
        const char *exits; /* lines "code  meaning" */
};

struct options {
        const struct program_spec *program;
        const char
            *values[32]; /* as program->options; NULL: not given; "" for those without argument */
        const char *words[OPTIONS_WORDS_MAX];
        size_t word_count;
};

/* Options may stand before or after the words; "--" ends them. ERR_USAGE: @error says what is off.
 */
int options_parse(const struct program_spec *program, int argc, char **argv,
    struct options *ret_options, struct error *error);

/* The value of an option ("" if it takes none), or NULL if it was not given. */
const char *options_value(const struct options *options, const char *name);

/* --help, --version and --man print to stdout and are done: true. */
bool options_answer(const struct options *options);

#endif
