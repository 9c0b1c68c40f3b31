/* What the service manager is told, what the journal is given, and where secrets are found. */
#include "base/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/help.h"

static struct service_line line_of(enum log_level level, const char *text)
{
        struct service_line line;
        service_line_make(&line, "oblogger", level, text);
        return line;
}

/* The fields, separated by blanks, are these. */
static void assert_fields(const struct service_line *line, const char *expected)
{
        char text[1024] = "";
        size_t size = 0;
        for (size_t i = 0; i < line->count; i++)
                size += (size_t)snprintf(
                    text + size, sizeof(text) - size, "%s%s", i ? " " : "", line->fields[i]);
        assert_string_equal(text, expected);
}

static void a_line_has_its_priority_and_who_says_it(void **state)
{
        (void)state;
        static const char *const priorities[] = {"7", "6", "4", "3", "2"};
        for (enum log_level level = LOG_DEBUG_LEVEL; level <= LOG_CRITICAL_LEVEL; level++) {
                char expected[64];
                struct service_line line = line_of(level, "store: writing again");
                snprintf(expected, sizeof(expected), "PRIORITY=%s SYSLOG_IDENTIFIER=oblogger",
                    priorities[level]);
                assert_fields(&line, expected);
                assert_string_equal(line.message, "MESSAGE=store: writing again");
        }
}

static void a_line_of_a_stream_has_exchange_and_symbol(void **state)
{
        (void)state;
        struct service_line line = line_of(LOG_INFO_LEVEL, "binance:BTCUSDT: live, image 7");
        assert_fields(&line,
            "PRIORITY=6 SYSLOG_IDENTIFIER=oblogger OBLOGGER_EXCHANGE=binance "
            "OBLOGGER_SYMBOL=BTCUSDT");
        line = line_of(LOG_INFO_LEVEL, "coinbase:BTC-USD trades: recorded from id 1 on");
        assert_fields(&line,
            "PRIORITY=6 SYSLOG_IDENTIFIER=oblogger OBLOGGER_EXCHANGE=coinbase "
            "OBLOGGER_SYMBOL=BTC-USD");
}

static void a_gap_has_its_cause_and_an_id(void **state)
{
        (void)state;
        struct service_line line =
            line_of(LOG_WARNING_LEVEL, "binance:BTCUSDT: gap (id jump): expected 4");
        assert_fields(&line,
            "PRIORITY=4 SYSLOG_IDENTIFIER=oblogger OBLOGGER_EXCHANGE=binance "
            "OBLOGGER_SYMBOL=BTCUSDT OBLOGGER_GAP=id jump "
            "MESSAGE_ID=" SERVICE_GAP_MESSAGE_ID);
        assert_int_equal(line.count, 6);
        assert_true(line.count <= SERVICE_FIELDS_MAX);
}

static void what_only_looks_like_a_symbol_is_none(void **state)
{
        (void)state;
        static const char *const texts[] = {"binance: connected to host", "store: gap (x): y",
            "a:b", "http://host: refused", "Binance:BTCUSDT: x", ":BTCUSDT: x", "binance:: x",
            "binance:BTCUSDT tradesmen: x", "binance:BTCUSDT:x", "", ":"};
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                struct service_line line = line_of(LOG_INFO_LEVEL, texts[i]);
                assert_fields(&line, "PRIORITY=6 SYSLOG_IDENTIFIER=oblogger");
        }
        struct service_line line = line_of(LOG_INFO_LEVEL, "binance:BTCUSDT: gap (no end");
        assert_int_equal(line.count, 4);
}

static void overlong_parts_are_cut(void **state)
{
        (void)state;
        char text[3000];
        memset(text, 'X', sizeof(text) - 1);
        memcpy(text, "binance:", strlen("binance:"));
        text[sizeof(text) - 1] = '\0';
        memcpy(text + 500, ": gap (", strlen(": gap ("));
        text[1500] = ')';
        struct service_line line = line_of(LOG_ERROR_LEVEL, text);
        assert_int_equal(line.count, 6);
        for (size_t i = 0; i < line.count; i++)
                assert_true(strlen(line.fields[i]) < SERVICE_FIELD_SIZE);
        assert_int_equal(strlen(line.message), SERVICE_MESSAGE_SIZE - 1);
}

/* ---- a manager that listens ---- */

static int listen_as_manager(char *path, size_t size)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(path, size, "/tmp/test_service.%d", (int)getpid());
        unlink(path);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

static const char *heard(int fd)
{
        static char text[512];
        ssize_t size = recv(fd, text, sizeof(text) - 1, 0);
        text[size > 0 ? size : 0] = '\0';
        return text;
}

static void the_manager_hears_each_word(void **state)
{
        (void)state;
        char path[64];
        int64_t told_us;
        int end = 0;
        int fd = listen_as_manager(path, sizeof(path));
        setenv("NOTIFY_SOCKET", path, 1);
        service_tell_ready();
        assert_string_equal(heard(fd), "READY=1");
        service_tell_status("1 of 2 books live, 100%s");
        assert_string_equal(heard(fd), "STATUS=1 of 2 books live, 100%s");
        service_tell_alive();
        assert_string_equal(heard(fd), "WATCHDOG=1");
        int64_t before_us = clock_mono_ns() / NS_PER_US;
        service_tell_reloading();
        assert_int_equal(sscanf(heard(fd), "RELOADING=1\nMONOTONIC_USEC=%ld%n", &told_us, &end), 1);
        assert_true(told_us >= before_us && told_us <= clock_mono_ns() / NS_PER_US);
        service_tell_stopping();
        assert_string_equal(heard(fd), "STOPPING=1\nSTATUS=stopping");
        unsetenv("NOTIFY_SOCKET");
        service_tell_ready();
        assert_string_equal(heard(fd), "");
        close(fd);
        unlink(path);
}

static void the_watchdog_is_that_of_this_process(void **state)
{
        (void)state;
        char pid[32];
        unsetenv("WATCHDOG_USEC");
        assert_int_equal(service_watchdog_ns(), 0);
        setenv("WATCHDOG_USEC", "30000000", 1);
        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        setenv("WATCHDOG_PID", pid, 1);
        assert_int_equal(service_watchdog_ns(), 30 * NS_PER_S);
        setenv("WATCHDOG_PID", "1", 1);
        assert_int_equal(service_watchdog_ns(), 0);
        unsetenv("WATCHDOG_PID");
        unsetenv("WATCHDOG_USEC");
}

static void a_credential_is_a_secret_s_file(void **state)
{
        (void)state;
        char folder[] = "/tmp/test_service.XXXXXX", path[128];
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof(path), "%s/secret_COINBASE_API_KEY", folder);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fclose(file);
        service_find_credentials(); /* no manager gave any */
        assert_null(getenv("COINBASE_API_KEY_FILE"));
        setenv("CREDENTIALS_DIRECTORY", folder, 1);
        setenv("COINBASE_API_KEY", "other", 1);
        service_find_credentials(); /* the environment stands above */
        assert_null(getenv("COINBASE_API_KEY_FILE"));
        unsetenv("COINBASE_API_KEY");
        service_find_credentials();
        assert_string_equal(getenv("COINBASE_API_KEY_FILE"), path);
        assert_null(getenv("COINBASE_API_SECRET_FILE"));
        setenv("COINBASE_API_KEY_FILE", "/other", 1);
        service_find_credentials();
        assert_string_equal(getenv("COINBASE_API_KEY_FILE"), "/other");
        unsetenv("COINBASE_API_KEY_FILE");
        unsetenv("CREDENTIALS_DIRECTORY");
        unlink(path);
        rmdir(folder);
}

/* ---- the log's way there ---- */

static char taken[64];
static bool take;

static bool take_line(enum log_level level, const char *text)
{
        snprintf(taken, sizeof(taken), "%d %s", (int)level, text);
        return take;
}

/* What log_warning leaves on stderr. */
static void read_stderr(const char *text, char *ret_text, size_t size)
{
        FILE *file = tmpfile();
        assert_non_null(file);
        int kept = dup(STDERR_FILENO);
        fflush(stderr);
        dup2(fileno(file), STDERR_FILENO);
        log_warning("%s", text);
        fflush(stderr);
        dup2(kept, STDERR_FILENO);
        close(kept);
        rewind(file);
        ret_text[fread(ret_text, 1, size - 1, file)] = '\0';
        fclose(file);
}

static void a_line_goes_to_the_sink_or_else_to_stderr(void **state)
{
        (void)state;
        char text[256];
        log_set_sink(take_line);
        take = true;
        read_stderr("first\nline", text, sizeof(text));
        assert_string_equal(taken, "2 first?line");
        assert_string_equal(text, "");
        take = false;
        read_stderr("second", text, sizeof(text));
        assert_non_null(strstr(text, " warning: second\n"));
        log_set_sink(NULL);
        taken[0] = '\0';
        read_stderr("third", text, sizeof(text));
        assert_non_null(strstr(text, " warning: third\n"));
        assert_string_equal(taken, "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_line_has_its_priority_and_who_says_it),
            cmocka_unit_test(a_line_of_a_stream_has_exchange_and_symbol),
            cmocka_unit_test(a_gap_has_its_cause_and_an_id),
            cmocka_unit_test(what_only_looks_like_a_symbol_is_none),
            cmocka_unit_test(overlong_parts_are_cut),
            cmocka_unit_test(the_manager_hears_each_word),
            cmocka_unit_test(the_watchdog_is_that_of_this_process),
            cmocka_unit_test(a_credential_is_a_secret_s_file),
            cmocka_unit_test(a_line_goes_to_the_sink_or_else_to_stderr),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
