/* Command lines: options and words in any order, and help that tells of each of them. */
#include "base/options.h"
#include "base/settings.h"
#include "tests/unit/help.h"

static const struct option_spec option_specs[] = {
    {"--store", "PATH", "where the record is"},
    {"--json", NULL, "an object a line"},
    {"--at", "TS", "the moment; .dot first"},
};
static const struct command_spec command_specs[] = {
    {"", "[OPTION]... [SYM]...", "print books"},
    {"cover", "cover [SYM]", "say what is there"},
};
static const char *const setting_names[] = {"STORE", "LOGLEVEL"};
static const struct program_spec program = {
    .name = "probe",
    .summary = "a program to test with",
    .description = "First paragraph - with a dash.\n\n.Second begins with a dot \\ backslash.",
    .options = option_specs,
    .option_count = 3,
    .commands = command_specs,
    .command_count = 2,
    .settings = setting_names,
    .setting_count = 2,
    .exits = "0  done\n1  failed\n",
};

static struct options options;
static struct error error;

/* @words end with NULL; the program's name is put before them. */
static int parse(const char *const *words)
{
        static char *argv[16];
        int argc = 0;
        argv[argc++] = (char *)(uintptr_t) "probe";
        for (; *words; words++)
                argv[argc++] = (char *)(uintptr_t)*words;
        error = (struct error){0};
        return options_parse(&program, argc, argv, &options, &error);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void options_stand_before_and_after_words(void **state)
{
        (void)state;
        assert_int_equal(PARSE("--json", "cover", "--store", "/a", "BTCUSDT", "--at=5"), 0);
        assert_int_equal(options.word_count, 2);
        assert_string_equal(options.words[0], "cover");
        assert_string_equal(options.words[1], "BTCUSDT");
        assert_string_equal(options_value(&options, "--json"), "");
        assert_string_equal(options_value(&options, "--store"), "/a");
        assert_string_equal(options_value(&options, "--at"), "5");
        assert_int_equal(parse((const char *const[]){NULL}), 0);
        assert_int_equal(options.word_count, 0);
        assert_null(options_value(&options, "--store"));
}

static void a_value_may_hold_anything(void **state)
{
        (void)state;
        assert_int_equal(PARSE("--store=a=b", "--at", "-"), 0);
        assert_string_equal(options_value(&options, "--store"), "a=b");
        assert_string_equal(options_value(&options, "--at"), "-");
        assert_int_equal(PARSE("--store=", "-"), 0);
        assert_string_equal(options_value(&options, "--store"), "");
        assert_string_equal(options.words[0], "-");
        assert_int_equal(PARSE("--at", "1", "--at", "2"), 0);
        assert_string_equal(options_value(&options, "--at"), "2");
}

static void two_dashes_end_the_options(void **state)
{
        (void)state;
        assert_int_equal(PARSE("--json", "--", "--store", "--", "-x"), 0);
        assert_int_equal(options.word_count, 3);
        assert_string_equal(options.words[0], "--store");
        assert_string_equal(options.words[1], "--");
        assert_null(options_value(&options, "--store"));
}

static void what_is_off_is_named(void **state)
{
        (void)state;
        assert_int_equal(PARSE("cover", "--sotre", "x"), ERR_USAGE);
        assert_non_null(strstr(error.text, "--sotre"));
        assert_int_equal(PARSE("-s"), ERR_USAGE);
        assert_int_equal(PARSE("--stor=x"), ERR_USAGE);
        assert_int_equal(PARSE("--="), ERR_USAGE);
        assert_int_equal(PARSE("cover", "--store"), ERR_USAGE);
        assert_non_null(strstr(error.text, "--store PATH"));
        assert_int_equal(PARSE("--json=yes"), ERR_USAGE);
        assert_non_null(strstr(error.text, "--json"));
}

static void too_many_words_are_refused(void **state)
{
        (void)state;
        size_t count = OPTIONS_WORDS_MAX + 2;
        char **argv = memory_new(count * sizeof(*argv));
        for (size_t i = 0; i < count; i++)
                argv[i] = (char *)(uintptr_t) "word";
        assert_int_equal(options_parse(&program, (int)count - 1, argv, &options, &error), 0);
        assert_int_equal(options_parse(&program, (int)count, argv, &options, &error), ERR_USAGE);
        free(argv);
}

static char *answer_to(const char *option)
{
        assert_int_equal(PARSE("word", option), 0);
        struct capture capture = capture_begin(stdout);
        bool answered = options_answer(&options);
        char *text = capture_end(&capture);
        assert_true(answered);
        return text;
}

static void assert_tells_of_all(const char *text, bool settings_too)
{
        static const char *const common[] = {"help", "version", "man"};
        assert_non_null(strstr(text, program.summary));
        for (size_t i = 0; i < program.option_count; i++) {
                assert_non_null(strstr(text, program.options[i].name + 2));
                assert_non_null(strstr(text, program.options[i].meaning));
        }
        for (size_t i = 0; i < 3; i++)
                assert_non_null(strstr(text, common[i]));
        for (size_t i = 0; i < program.command_count; i++)
                assert_non_null(strstr(text, program.commands[i].meaning));
        for (size_t i = 0; i < program.setting_count && settings_too; i++)
                assert_non_null(strstr(text, program.settings[i]));
        assert_non_null(strstr(text, "1  failed"));
}

static void help_tells_of_every_entry(void **state)
{
        (void)state;
        char *text = answer_to("--help");
        assert_tells_of_all(text, true);
        assert_non_null(strstr(text, "--store PATH"));
        assert_non_null(strstr(text, "probe cover [SYM]"));
        assert_non_null(strstr(text, "default ./orderbooks"));
        free(text);
}

static void the_manual_page_tells_of_every_entry_in_roff(void **state)
{
        (void)state;
        char *text = answer_to("--man");
        assert_tells_of_all(text, true);
        assert_memory_equal(text, ".TH probe 1", 11);
        assert_non_null(strstr(text, "\\-\\-store PATH"));
        assert_non_null(strstr(text, "\n.PP\n\\&.Second begins with a dot \\e backslash."));
        assert_null(strstr(text, "\n.Second"));
        free(text);
}

static void the_version_is_one_line(void **state)
{
        (void)state;
        char *text = answer_to("--version");
        assert_memory_equal(text, "probe ", 6);
        assert_int_equal(count_of(text, "\n"), 1);
        free(text);
        assert_int_equal(PARSE("word"), 0);
        assert_false(options_answer(&options));
}

static void every_default_of_the_real_table_is_a_right_value(void **state)
{
        (void)state;
        struct settings *settings = NULL;
        for (size_t i = 0; i < settings_count; i++) {
                unsetenv(settings_table[i].name);
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(settings_table[i].name, settings_table[k].name);
                assert_true(*settings_table[i].meaning && *settings_table[i].allowed);
        }
        assert_int_equal(settings_load(&settings, NULL, &error), 0);
        for (size_t i = 0; i < settings_count; i++) {
                if (settings_table[i].kind == SETTING_SECRET)
                        assert_string_equal(settings_table[i].fallback, "");
        }
        settings_free(settings);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(options_stand_before_and_after_words),
            cmocka_unit_test(a_value_may_hold_anything),
            cmocka_unit_test(two_dashes_end_the_options),
            cmocka_unit_test(what_is_off_is_named),
            cmocka_unit_test(too_many_words_are_refused),
            cmocka_unit_test(help_tells_of_every_entry),
            cmocka_unit_test(the_manual_page_tells_of_every_entry_in_roff),
            cmocka_unit_test(the_version_is_one_line),
            cmocka_unit_test(every_default_of_the_real_table_is_a_right_value),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
