/* Settings: who stands above whom, what is refused and how that reads. The table is the test's own,
 * with a setting of every kind. */
#include <sys/stat.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/settings.h"
#include "tests/unit/help.h"

const struct setting settings_table[] = {
    {"USE_ENV_FILE", SETTING_BOOL, "False", "True or False", 0, 0, "load ./vars.env"},
    {"T_TEXT", SETTING_TEXT, "plain", "a text", 0, 0, "text"},
    {"T_NUMBER", SETTING_NUMBER, "5", "1 to 1000", 1, 1000, "number"},
    {"T_DURATION", SETTING_DURATION, "10s", "1s to 1d", NS_PER_S, NS_PER_DAY, "duration"},
    {"T_CHOICE", SETTING_CHOICE, "us", "us|ns|minute", 0, 0, "choice"},
    {"T_BOUNDED", SETTING_TEXT, "x", "1 to 5 bytes", 1, 5, "text with bounds"},
    {"T_SECRET", SETTING_SECRET, "", "a key", 0, 0, "secret"},
    {"T_OTHER", SETTING_SECRET, "", "1 to 9 bytes", 0, 9, "another secret"},
};
const size_t settings_count = sizeof(settings_table) / sizeof(settings_table[0]);

static char folder[64];

static int setup(void **state)
{
        (void)state;
        for (size_t i = 0; i < settings_count; i++)
                unsetenv(settings_table[i].name);
        unsetenv("T_SECRET_FILE");
        unsetenv("T_OTHER_FILE");
        snprintf(folder, sizeof(folder), "/tmp/test-settings-XXXXXX");
        return mkdtemp(folder) ? chdir(folder) : -1;
}

static int teardown(void **state)
{
        (void)state;
        unlink("vars.env");
        unlink("other.env");
        unlink("secret");
        return chdir("/") || rmdir(folder);
}

static void write_file(const char *name, const char *text, size_t size)
{
        FILE *file = fopen(name, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(text, 1, size, file), size);
        fclose(file);
}

static struct settings *load(const char *file)
{
        struct settings *settings = NULL;
        struct error error = {0};
        if (settings_load(&settings, file, &error))
                fail_msg("%s", error.text);
        return settings;
}

static void assert_refused(const char *file, const char *const *words)
{
        struct settings *settings = NULL;
        struct error error = {0};
        assert_int_equal(settings_load(&settings, file, &error), ERR_USAGE);
        assert_null(settings);
        for (; *words; words++) {
                if (!strstr(error.text, *words))
                        fail_msg("\"%s\" does not say \"%s\"", error.text, *words);
        }
        assert_null(strchr(error.text, '\n'));
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void defaults_stand_where_nothing_is_said(void **state)
{
        (void)state;
        struct settings *settings = load(NULL);
        assert_string_equal(settings_text(settings, "T_TEXT"), "plain");
        assert_int_equal(settings_number(settings, "T_NUMBER"), 5);
        assert_int_equal(settings_number(settings, "T_DURATION"), 10 * NS_PER_S);
        assert_false(settings_bool(settings, "USE_ENV_FILE"));
        settings_free(settings);
}

static void option_stands_above_environment_above_file_above_default(void **state)
{
        (void)state;
        static const char file[] = "T_TEXT=file\nT_NUMBER=7\n";
        struct error error;
        write_file("other.env", file, sizeof(file) - 1);
        struct settings *settings = load("other.env");
        assert_string_equal(settings_text(settings, "T_TEXT"), "file");
        assert_int_equal(settings_number(settings, "T_NUMBER"), 7);
        settings_free(settings);
        setenv("T_TEXT", "environment", 1);
        settings = load("other.env");
        assert_string_equal(settings_text(settings, "T_TEXT"), "environment");
        assert_int_equal(settings_number(settings, "T_NUMBER"), 7);
        assert_int_equal(settings_override(settings, "T_TEXT", "option", &error), 0);
        assert_string_equal(settings_text(settings, "T_TEXT"), "option");
        assert_int_equal(settings_override(settings, "T_NUMBER", "0", &error), ERR_USAGE);
        assert_int_equal(settings_number(settings, "T_NUMBER"), 7);
        settings_free(settings);
}

static void the_file_of_the_folder_is_read_only_when_asked_for(void **state)
{
        (void)state;
        write_file("vars.env", "T_NUMBER=9\n", 11);
        write_file("other.env", "T_NUMBER=8\n", 11);
        struct settings *settings = load(NULL);
        assert_int_equal(settings_number(settings, "T_NUMBER"), 5);
        settings_free(settings);
        setenv("USE_ENV_FILE", "True", 1);
        settings = load(NULL);
        assert_int_equal(settings_number(settings, "T_NUMBER"), 9);
        settings_free(settings);
        settings = load("other.env");
        assert_int_equal(settings_number(settings, "T_NUMBER"), 8);
        settings_free(settings);
}

static void a_wrong_value_names_the_variable_the_value_and_what_is_allowed(void **state)
{
        (void)state;
        static const char *const wrong[][3] = {{"USE_ENV_FILE", "yes", "True or False"},
            {"USE_ENV_FILE", "", "True or False"}, {"T_NUMBER", "0", "1 to 1000"},
            {"T_NUMBER", "1001", "1 to 1000"}, {"T_NUMBER", "-1", "1 to 1000"},
            {"T_NUMBER", "5.0", "1 to 1000"}, {"T_NUMBER", "5e1", "1 to 1000"},
            {"T_NUMBER", " 5", "1 to 1000"}, {"T_NUMBER", "", "1 to 1000"},
            {"T_NUMBER", "99999999999999999999", "1 to 1000"}, {"T_DURATION", "10", "1s to 1d"},
            {"T_DURATION", "999ms", "1s to 1d"}, {"T_DURATION", "2d", "1s to 1d"},
            {"T_DURATION", "", "1s to 1d"}, {"T_BOUNDED", "", "1 to 5 bytes"},
            {"T_BOUNDED", "sixsix", "1 to 5 bytes"}, {"T_CHOICE", "ms", "us|ns|minute"},
            {"T_CHOICE", "u", "us|ns|minute"}, {"T_CHOICE", "us|ns", "us|ns|minute"},
            {"T_CHOICE", "usns", "us|ns|minute"}, {"T_CHOICE", "", "us|ns|minute"}};
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                setenv(wrong[i][0], wrong[i][1], 1);
                assert_refused(NULL, WORDS(wrong[i][0], wrong[i][1], wrong[i][2]));
                unsetenv(wrong[i][0]);
        }
}

static void control_bytes_are_refused_and_not_shown(void **state)
{
        (void)state;
        setenv("T_BOUNDED", "a\n\033b", 1);
        assert_refused(NULL, WORDS("T_BOUNDED=a??b", "1 to 5 bytes"));
}

static void right_values_are_taken_in_any_case(void **state)
{
        (void)state;
        setenv("USE_ENV_FILE", "fAlSe", 1);
        setenv("T_CHOICE", "NS", 1);
        setenv("T_DURATION", "2 min", 1);
        setenv("T_TEXT", "", 1);
        struct settings *settings = load(NULL);
        assert_string_equal(settings_text(settings, "T_CHOICE"), "ns");
        assert_int_equal(settings_number(settings, "T_DURATION"), 120 * NS_PER_S);
        assert_string_equal(settings_text(settings, "T_TEXT"), "");
        settings_free(settings);
}

static void a_wrong_value_in_the_file_names_its_line(void **state)
{
        (void)state;
        static const char file[] = "# a comment\n\n  T_TEXT=x\nT_NUMBER=zero\r\n";
        write_file("other.env", file, sizeof(file) - 1);
        assert_refused("other.env", WORDS("T_NUMBER", "zero", "1 to 1000", "other.env", "line 4"));
        write_file("other.env", "T_TEXT=x\nnonsense\n", 18);
        assert_refused("other.env", WORDS("other.env", "NAME=value", "line 2"));
        assert_refused("missing.env", WORDS("missing.env"));
        assert_refused(".", WORDS("."));
}

static void a_value_without_end_does_not_hide_what_is_allowed(void **state)
{
        (void)state;
        char *value = memory_new(20000);
        memset(value, '9', 19999);
        setenv("T_NUMBER", value, 1);
        assert_refused(NULL, WORDS("T_NUMBER=999", "1 to 1000"));
        free(value);
}

static void an_unknown_name_in_the_file_is_one_warning(void **state)
{
        (void)state;
        static const char file[] = "T_TXET=x\nT_NUMBER=6\n";
        write_file("other.env", file, sizeof(file) - 1);
        setenv("T_UNKNOWN_HERE", "x", 1);
        struct capture capture = capture_begin(stderr);
        struct settings *settings = load("other.env");
        char *text = capture_end(&capture);
        assert_int_equal(settings_number(settings, "T_NUMBER"), 6);
        assert_int_equal(count_of(text, "T_TXET"), 1);
        assert_int_equal(count_of(text, "warning"), 1);
        assert_int_equal(count_of(text, "\n"), 1);
        assert_null(strstr(text, "T_UNKNOWN_HERE"));
        free(text);
        settings_free(settings);
}

static void values_keep_what_stands_in_them(void **state)
{
        (void)state;
        static const char file[] = "T_TEXT=a=b \"c\" #d\r\nT_NUMBER=6";
        write_file("other.env", file, sizeof(file) - 1);
        struct settings *settings = load("other.env");
        assert_string_equal(settings_text(settings, "T_TEXT"), "a=b \"c\" #d");
        assert_int_equal(settings_number(settings, "T_NUMBER"), 6);
        settings_free(settings);
}

static void a_file_that_is_none_is_refused(void **state)
{
        (void)state;
        size_t size = LIMIT_FILE_SIZE + 1;
        char *text = memory_new(size);
        memset(text, '\n', size);
        write_file("other.env", text, size);
        assert_refused("other.env", WORDS("other.env", "larger"));
        free(text);
        write_file("other.env", "T_TEXT=x\0T_NUMBER=0\n", 20);
        assert_refused("other.env", WORDS("other.env", "NUL"));
        char *line = memory_new(LIMIT_SETTING_SIZE + 16);
        memset(line, 'y', LIMIT_SETTING_SIZE + 15);
        memcpy(line, "T_TEXT=", 7);
        write_file("other.env", line, LIMIT_SETTING_SIZE + 15);
        assert_refused("other.env", WORDS("T_TEXT=yyy", "a text"));
        free(line);
}

static void a_secret_is_never_shown(void **state)
{
        (void)state;
        struct settings *settings = NULL;
        struct error error = {0};
        char *secret = memory_new(LIMIT_SETTING_SIZE + 2);
        memset(secret, 'k', LIMIT_SETTING_SIZE + 1);
        setenv("T_SECRET", secret, 1);
        struct capture capture = capture_begin(stderr);
        int code = settings_load(&settings, NULL, &error);
        char *text = capture_end(&capture);
        assert_int_equal(code, ERR_USAGE);
        assert_non_null(strstr(error.text, "T_SECRET"));
        assert_null(strstr(error.text, "kk"));
        assert_null(strstr(text, "kk"));
        free(text);
        free(secret);
        setenv("T_SECRET", "open sesame", 1);
        settings = load(NULL);
        assert_string_equal(settings_text(settings, "T_SECRET"), "open sesame");
        settings_free(settings);
}

/* Whatever is wrong, @secret of @file_text is in neither the error nor the log. */
static void assert_not_shown(const char *file_text, const char *secret)
{
        struct settings *settings = NULL;
        struct error error = {0};
        write_file("other.env", file_text, strlen(file_text));
        struct capture capture = capture_begin(stderr);
        settings_load(&settings, "other.env", &error);
        char *log = capture_end(&capture);
        if (strstr(error.text, secret) || strstr(log, secret))
                fail_msg("%s is shown: \"%s\" \"%s\"", secret, error.text, log);
        assert_true(*error.text || *log);
        free(log);
        settings_free(settings);
}

static void a_line_out_of_place_shows_no_secret(void **state)
{
        (void)state;
        assert_not_shown("T_SECRET hunter2\n", "hunter2");
        assert_not_shown("T_SECRET:hunter2\n", "hunter2");
        assert_not_shown("hunter2\n", "hunter2");
        assert_not_shown("T_SECRET=-----BEGIN\nAwEHoUQDQgAE+7yVq/9w==\n", "AwEHoUQDQgAE");
        assert_not_shown("T_SECRT=hunter2\n", "hunter2");
        assert_not_shown("T_SECRET=hunter2\x01\n", "hunter2");
}

static void a_secret_can_come_in_a_file(void **state)
{
        (void)state;
        static const struct {
                const char *content, *value;
        } cases[] = {{"open sesame\n", "open sesame"}, {"open sesame", "open sesame"},
            {"open=sesame\r\n", "open=sesame"}, {" x ", " x "}};
        setenv("T_SECRET_FILE", "secret", 1);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                write_file("secret", cases[i].content, strlen(cases[i].content));
                struct settings *settings = load(NULL);
                assert_string_equal(settings_text(settings, "T_SECRET"), cases[i].value);
                assert_string_equal(settings_text(settings, "T_OTHER"), "");
                settings_free(settings);
        }
}

static void the_settings_file_can_name_the_secrets_file(void **state)
{
        (void)state;
        static const char file[] = "T_SECRET=\nT_SECRET_FILE=secret\nT_OTHER=\nT_OTHER_FILE=\n";
        write_file("secret", "sesame\n", 7);
        write_file("other.env", file, sizeof(file) - 1);
        struct capture capture = capture_begin(stderr);
        struct settings *settings = load("other.env");
        char *log = capture_end(&capture);
        assert_string_equal(log, "");
        assert_string_equal(settings_text(settings, "T_SECRET"), "sesame");
        free(log);
        settings_free(settings);
        setenv("T_SECRET_FILE", "there/is/none", 1); /* the environment stands above the file */
        assert_refused("other.env", WORDS("T_SECRET_FILE=there/is/none", "No such file"));
        setenv("T_SECRET_FILE", "", 1);
        settings = load("other.env");
        assert_string_equal(settings_text(settings, "T_SECRET"), "");
        settings_free(settings);
}

static void a_secret_is_given_once(void **state)
{
        (void)state;
        write_file("secret", "sesame\n", 7);
        setenv("T_SECRET_FILE", "secret", 1);
        setenv("T_SECRET", "hunter2", 1);
        assert_refused(NULL, WORDS("T_SECRET and T_SECRET_FILE", "both"));
        unsetenv("T_SECRET");
        write_file("other.env", "T_SECRET=hunter2\n", 17);
        assert_refused("other.env", WORDS("T_SECRET and T_SECRET_FILE", "both"));
        assert_not_shown("T_SECRET=hunter2\n", "hunter2");
        setenv("T_SECRET", "", 1); /* above the file: none */
        settings_free(load("other.env"));
}

static void assert_file_refused(const char *content, size_t size, const char *fault)
{
        struct settings *settings = NULL;
        struct error error = {0};
        write_file("secret", content, size);
        assert_int_equal(settings_load(&settings, NULL, &error), ERR_USAGE);
        assert_non_null(strstr(error.text, "T_SECRET_FILE=secret"));
        if (!strstr(error.text, fault))
                fail_msg("\"%s\" does not say \"%s\"", error.text, fault);
        assert_null(strstr(error.text, "kk"));
}

static void a_secrets_file_that_holds_none_is_named(void **state)
{
        (void)state;
        char *text = memory_new(LIMIT_SETTING_SIZE + 8);
        memset(text, 'k', LIMIT_SETTING_SIZE + 8);
        setenv("T_SECRET_FILE", "secret", 1);
        assert_refused(NULL, WORDS("T_SECRET_FILE=secret", "No such file"));
        assert_file_refused("", 0, "empty");
        assert_file_refused("\n", 1, "empty");
        assert_file_refused("kk\nkk", 5, "control bytes");
        assert_file_refused("kk\0kk", 5, "control bytes");
        assert_file_refused("\0", 1, "control bytes");
        assert_file_refused("kk\x7f", 3, "control bytes");
        for (size_t more = 1; more < 6; more++)
                assert_file_refused(text, LIMIT_SETTING_SIZE + more, "64 KiB");
        text[LIMIT_SETTING_SIZE] = '\n';
        write_file("secret", text, LIMIT_SETTING_SIZE + 1);
        struct settings *settings = load(NULL);
        assert_int_equal(strlen(settings_text(settings, "T_SECRET")), LIMIT_SETTING_SIZE);
        settings_free(settings);
        free(text);
        setenv("T_SECRET_FILE", ".", 1);
        assert_refused(NULL, WORDS("T_SECRET_FILE=.", "Is a directory"));
        unsetenv("T_SECRET_FILE");
        write_file("secret", "ten bytes!", 10);
        setenv("T_OTHER_FILE", "secret", 1);
        assert_refused(NULL, WORDS("T_OTHER_FILE=secret", "too long"));
}

static void who_needs_no_secret_reads_none(void **state)
{
        (void)state;
        static const char file[] = "T_SECRET=hunter2\nT_OTHER_FILE=there/is/none\nT_NUMBER=6\n";
        struct settings *settings = NULL;
        struct error error = {0};
        write_file("other.env", file, sizeof(file) - 1);
        setenv("T_SECRET_FILE", "there/is/none", 1);
        assert_int_equal(settings_load_some(&settings, "other.env", NULL, 0, &error), 0);
        assert_string_equal(settings_text(settings, "T_SECRET"), "");
        assert_int_equal(settings_number(settings, "T_NUMBER"), 6);
        settings_free(settings);
        setenv("T_NUMBER", "0", 1);
        assert_int_equal(settings_load_some(&settings, "other.env", NULL, 0, &error), ERR_USAGE);
}

static void who_needs_one_secret_reads_that_one(void **state)
{
        (void)state;
        static const char file[] = "T_SECRET_FILE=there/is/none\nT_OTHER=other7\n";
        static const char *const wanted[] = {"T_OTHER"};
        struct settings *settings = NULL;
        struct error error = {0};
        write_file("other.env", file, sizeof(file) - 1);
        assert_int_equal(settings_load_some(&settings, "other.env", wanted, 1, &error), 0);
        assert_string_equal(settings_text(settings, "T_OTHER"), "other7");
        assert_string_equal(settings_text(settings, "T_SECRET"), "");
        settings_free(settings);
        write_file("other.env", "T_OTHER_FILE=secret\n", 20);
        write_file("secret", "other8\n", 7);
        assert_int_equal(settings_load_some(&settings, "other.env", wanted, 1, &error), 0);
        assert_string_equal(settings_text(settings, "T_OTHER"), "other8");
        settings_free(settings);
        unlink("secret");
        assert_int_equal(settings_load_some(&settings, "other.env", wanted, 1, &error), ERR_USAGE);
        assert_non_null(strstr(error.text, "T_OTHER_FILE=secret"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(defaults_stand_where_nothing_is_said, setup, teardown),
            cmocka_unit_test_setup_teardown(
                option_stands_above_environment_above_file_above_default, setup, teardown),
            cmocka_unit_test_setup_teardown(
                the_file_of_the_folder_is_read_only_when_asked_for, setup, teardown),
            cmocka_unit_test_setup_teardown(
                a_wrong_value_names_the_variable_the_value_and_what_is_allowed, setup, teardown),
            cmocka_unit_test_setup_teardown(
                control_bytes_are_refused_and_not_shown, setup, teardown),
            cmocka_unit_test_setup_teardown(right_values_are_taken_in_any_case, setup, teardown),
            cmocka_unit_test_setup_teardown(
                a_wrong_value_in_the_file_names_its_line, setup, teardown),
            cmocka_unit_test_setup_teardown(
                a_value_without_end_does_not_hide_what_is_allowed, setup, teardown),
            cmocka_unit_test_setup_teardown(
                an_unknown_name_in_the_file_is_one_warning, setup, teardown),
            cmocka_unit_test_setup_teardown(values_keep_what_stands_in_them, setup, teardown),
            cmocka_unit_test_setup_teardown(a_file_that_is_none_is_refused, setup, teardown),
            cmocka_unit_test_setup_teardown(a_secret_is_never_shown, setup, teardown),
            cmocka_unit_test_setup_teardown(a_line_out_of_place_shows_no_secret, setup, teardown),
            cmocka_unit_test_setup_teardown(a_secret_can_come_in_a_file, setup, teardown),
            cmocka_unit_test_setup_teardown(
                the_settings_file_can_name_the_secrets_file, setup, teardown),
            cmocka_unit_test_setup_teardown(a_secret_is_given_once, setup, teardown),
            cmocka_unit_test_setup_teardown(
                a_secrets_file_that_holds_none_is_named, setup, teardown),
            cmocka_unit_test_setup_teardown(who_needs_no_secret_reads_none, setup, teardown),
            cmocka_unit_test_setup_teardown(who_needs_one_secret_reads_that_one, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
