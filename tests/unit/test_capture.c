/* Captures: what is written comes back, in files that zstd reads; faults of the disk are told. */
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/capture_help.h"

extern char **environ;

static int setup(void **state)
{
        (void)state;
        step_ns = NS_PER_MS;
        folder_make();
        return 0;
}

static void set_file_limit(rlim_t size)
{
        struct rlimit limit;
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur = size == RLIM_INFINITY ? limit.rlim_max : size;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int teardown(void **state)
{
        (void)state;
        set_file_limit(RLIM_INFINITY);
        log_set_sink(NULL);
        folder_remove();
        return 0;
}

/* ---- there and back ---- */

static void lines_of_hours_come_back_as_they_were(void **state)
{
        (void)state;
        const uint64_t count = 6000;
        step_ns = 3 * HOUR_NS / (int64_t)count;
        write_lines(count);
        struct seen seen = read_all();
        assert_int_equal(seen.lines, count);
        assert_int_equal(seen.holes, 0);
        folder_list();
        assert_int_equal(file_count, 3 * 3 + 1); /* the last line is in the fourth hour */
}

/* As schema/capture.md tells, by other means than the program's. */
static void text_add_line(struct buffer *text, const struct capture_line *line)
{
        int64_t at_ns = line->wall_ns - RUN_NS;
        buffer_printf(text, "%c %llu %lld %lld", line->kind, (unsigned long long)line->sequence,
            (long long)at_ns, (long long)(line->mono_ns - MONO_NS - at_ns));
        if (strchr("kovmrxa", line->kind))
                buffer_printf(text, " %u", line->connection);
        if (strchr("mra", line->kind))
                buffer_printf(text, " %lld", (long long)line->number);
        if (strchr("SRcmrxa", line->kind)) {
                buffer_printf(text, " %zu\n", line->text.size);
                buffer_append(text, line->text.data, line->text.size);
        }
        buffer_append_byte(text, '\n');
}

static struct buffer expected_text(const char *exchange, uint64_t count)
{
        struct buffer text;
        buffer_init(&text, 256u << 20);
        buffer_printf(&text, "oblogger capture 1 %s %lld %lld\n", exchange, (long long)RUN_NS,
            (long long)MONO_NS);
        for (uint64_t sequence = 1; sequence <= count; sequence++) {
                struct made made = make_line(sequence);
                if (!strcmp(made.exchange, exchange))
                        text_add_line(&text, &made.line);
        }
        return text;
}

/* What the program zstd makes of a file; false: there is no such program. */
static bool unpack_with_program(const char *name, struct buffer *text)
{
        char program[] = "zstd", options[] = "-dcq", path[512];
        char *words[] = {program, options, path, NULL};
        posix_spawn_file_actions_t actions;
        int ends[2], status;
        pid_t child;
        snprintf(path, sizeof(path), "%s", folder_path(name));
        assert_int_equal(pipe(ends), 0);
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        posix_spawn_file_actions_addclose(&actions, ends[0]);
        bool found = !posix_spawnp(&child, words[0], &actions, NULL, words, environ);
        posix_spawn_file_actions_destroy(&actions);
        close(ends[1]);
        for (ssize_t size; found;) {
                uint8_t *room = buffer_reserve(text, 65536);
                size = read(ends[0], room, 65536);
                if (size <= 0)
                        break;
                text->size += (size_t)size;
        }
        close(ends[0]);
        if (!found)
                return false;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        return true;
}

static void zstd_gives_exactly_the_text(void **state)
{
        (void)state;
        static const char *const exchanges[] = {"binance", "coinbase", CAPTURE_LOOP};
        write_lines(2000);
        folder_list();
        assert_int_equal(file_count, 3);
        for (size_t i = 0; i < 3; i++) {
                struct buffer text, expected = expected_text(exchanges[i], 2000);
                buffer_init(&text, 256u << 20);
                if (unpack_with_program(file_names[i], &text)) {
                        assert_int_equal(text.size, expected.size);
                        assert_memory_equal(text.data, expected.data, text.size);
                }
                buffer_deinit(&text);
                buffer_deinit(&expected);
        }
}

static struct capture_line turn_at(int64_t after_ns)
{
        return (struct capture_line){
            .kind = CAPTURE_TURN, .wall_ns = RUN_NS + after_ns, .mono_ns = MONO_NS + after_ns};
}

static void files_turn_with_the_hour_and_are_called_by_their_first_line(void **state)
{
        (void)state;
        struct capture *capture = open_capture();
        capture_add(capture, CAPTURE_LOOP, turn_at(0));
        capture_add(capture, "binance", turn_at(5 * NS_PER_S));
        capture_add(capture, CAPTURE_LOOP, turn_at(HOUR_NS - 123456789 - NS_PER_S));
        capture_add(capture, CAPTURE_LOOP, turn_at(HOUR_NS - 123456789 - 1));
        capture_add(capture, CAPTURE_LOOP, turn_at(HOUR_NS - 123456789));
        capture_add(capture, "binance", turn_at(3 * HOUR_NS));
        capture_close(capture);
        static const char *const names[] = {
            "binance-20261122T140005Z-1795356000123456789.zst",
            "binance-20261122T170000Z-1795356000123456789.zst",
            "loop-20261122T140000Z-1795356000123456789.zst",
            "loop-20261122T150000Z-1795356000123456789.zst",
        };
        folder_list();
        assert_int_equal(file_count, 4);
        for (size_t i = 0; i < 4; i++)
                assert_string_equal(file_names[i], names[i]);
}

/* Who reads takes the names for the order. */
static void names_rise_when_the_clock_is_set_back(void **state)
{
        (void)state;
        static const int64_t at[] = {0, 2 * HOUR_NS, HOUR_NS, -5 * HOUR_NS, 2 * HOUR_NS + 7};
        struct capture *capture = open_capture();
        for (size_t i = 0; i < 5; i++)
                capture_add(capture, CAPTURE_LOOP, turn_at(at[i]));
        capture_close(capture);
        folder_list();
        assert_int_equal(file_count, 5);
        struct capture_reader *reader = open_reader();
        struct capture_line line;
        for (size_t i = 0; i < 5; i++) {
                assert_int_equal(capture_next(reader, &line, NULL), 1);
                assert_int_equal(line.sequence, i + 1);
                assert_int_equal(line.wall_ns, RUN_NS + at[i]);
        }
        assert_int_equal(capture_next(reader, &line, NULL), 0);
        capture_read_close(reader);
}

static void runs_come_in_the_order_of_their_start(void **state)
{
        (void)state;
        static const int64_t starts[] = {5, 0, 0, -3};
        struct capture *capture = NULL;
        for (int i = 0; i < 4; i++) { /* the third at the very time of the second */
                struct capture_line line = turn_at(i * NS_PER_S);
                assert_int_equal(
                    capture_open(&capture, folder, MONO_NS, RUN_NS + starts[i], NULL), 0);
                capture_add(capture, CAPTURE_LOOP, line);
                capture_close(capture);
        }
        struct capture_reader *reader = open_reader();
        struct capture_line line;
        static const int order[] = {3, 1, 2, 0};
        for (int i = 0; i < 4; i++) {
                assert_int_equal(capture_next(reader, &line, NULL), 1);
                assert_int_equal(line.sequence, 1);
                assert_int_equal(line.wall_ns, RUN_NS + order[i] * NS_PER_S);
                assert_int_equal(line.mono_ns, MONO_NS + order[i] * NS_PER_S);
        }
        assert_int_equal(capture_next(reader, &line, NULL), 0);
        capture_read_close(reader);
}

static void a_text_larger_than_the_queue_is_taken(void **state)
{
        (void)state;
        struct capture *capture = open_capture();
        struct capture_line line = turn_at(0), read;
        uint8_t *text = memory_new(LIMIT_REST_BODY);
        memset(text, 'x', LIMIT_REST_BODY);
        line.kind = CAPTURE_ANSWER;
        line.text = (struct bytes){text, LIMIT_REST_BODY};
        capture_add(capture, "binance", line);
        capture_close(capture);
        struct capture_reader *reader = open_reader();
        assert_int_equal(capture_next(reader, &read, NULL), 1);
        assert_int_equal(read.text.size, LIMIT_REST_BODY);
        assert_memory_equal(read.text.data, text, LIMIT_REST_BODY);
        assert_int_equal(capture_next(reader, &read, NULL), 0);
        capture_read_close(reader);
        free(text);
}

/* ---- killed ---- */

static bool wait_for(bool (*holds)(struct capture *capture), struct capture *capture)
{
        for (int i = 0; i < 1000; i++) {
                if (holds(capture))
                        return true;
                usleep(10000);
        }
        return false;
}

static uint64_t flushed_before;

static bool is_flushed(struct capture *capture)
{
        return capture_stats(capture).file_bytes > flushed_before;
}

/* The files as they are now, in place of those that the capture goes on with. */
static void keep_as_killed(struct capture *capture)
{
        struct buffer copies[FILES_MAX];
        folder_list();
        size_t count = file_count;
        for (size_t i = 0; i < count; i++) {
                struct bytes content = file_read(file_names[i]);
                buffer_init(&copies[i], content.size);
                buffer_append(&copies[i], content.data, content.size);
                assert_non_null(strstr(file_names[i], ".zst.part"));
        }
        capture_close(capture);
        for (size_t i = 0; i < count; i++) {
                char whole[256];
                snprintf(
                    whole, sizeof(whole), "%.*s", (int)strlen(file_names[i]) - 5, file_names[i]);
                assert_int_equal(remove(folder_path(whole)), 0);
                file_write_bytes(file_names[i], buffer_bytes(&copies[i]));
                buffer_deinit(&copies[i]);
        }
}

static void what_a_killed_logger_flushed_is_read(void **state)
{
        (void)state;
        struct capture *capture = open_capture();
        add_lines(capture, 1, 60); /* not enough to wake the thread before its time */
        flushed_before = 0;
        assert_true(wait_for(is_flushed, capture));
        usleep(1200000);
        add_lines(capture, 61, 70);
        keep_as_killed(capture);
        struct seen seen = read_all();
        assert_int_equal(seen.lines, 60);
        assert_int_equal(seen.holes, 0);
}

static void a_part_that_ends_anywhere_just_ends(void **state)
{
        (void)state;
        step_ns = 1;
        write_lines(40);
        folder_list();
        assert_int_equal(remove(folder_path(file_names[1])), 0);
        assert_int_equal(remove(folder_path(file_names[2])), 0);
        struct bytes content = file_read(file_names[0]);
        uint8_t *whole = memory_new(content.size);
        char part[300];
        memcpy(whole, content.data, content.size);
        snprintf(part, sizeof(part), "%s.part", file_names[0]);
        assert_int_equal(remove(folder_path(file_names[0])), 0);
        uint64_t lines = 0;
        for (size_t size = 0; size <= content.size; size += size < 64 ? 1 : 53) {
                file_write_bytes(part, (struct bytes){whole, size});
                struct seen seen = read_all();
                assert_true(seen.lines >= lines);
                lines = seen.lines;
        }
        file_write_bytes(part, (struct bytes){whole, content.size});
        assert_true(read_all().lines > lines || lines > 5);
        free(whole);
}

static void a_file_that_is_renamed_meanwhile_is_found(void **state)
{
        (void)state;
        struct capture *capture = open_capture();
        add_lines(capture, 1, 300);
        flushed_before = 0;
        assert_true(wait_for(is_flushed, capture));
        struct capture_reader *reader = open_reader();
        struct seen seen = {0};
        capture_close(capture);
        assert_int_equal(read_some(reader, &seen, NULL), 0);
        assert_int_equal(seen.lines, 300);
        capture_read_close(reader);
}

/* ---- damage ---- */

static void a_flipped_byte_is_found_and_its_file_is_named(void **state)
{
        (void)state;
        struct chance chance = {7};
        write_lines(300);
        folder_list();
        for (int round = 0; round < 60; round++) {
                const char *name = file_names[chance_below(&chance, file_count)];
                struct bytes content = file_read(name);
                uint8_t *flipped = memory_new(content.size), *whole = memory_new(content.size);
                memcpy(flipped, content.data, content.size);
                memcpy(whole, content.data, content.size);
                flipped[chance_below(&chance, content.size)] ^=
                    (uint8_t)(1u << chance_below(&chance, 8));
                file_write_bytes(name, (struct bytes){flipped, content.size});
                struct capture_reader *reader = open_reader();
                struct error error = {0};
                struct capture_line line;
                int code, bad = 0;
                while ((code = capture_next(reader, &line, &error))) {
                        if (code < 0) {
                                assert_int_equal(code, ERR_CORRUPT);
                                assert_non_null(strstr(error.text, name));
                                bad++;
                        }
                }
                assert_int_equal(bad, 1);
                capture_read_close(reader);
                file_write_bytes(name, (struct bytes){whole, content.size});
                free(flipped);
                free(whole);
        }
        assert_int_equal(read_all().lines, 300);
}

static void after_a_damaged_file_the_others_go_on(void **state)
{
        (void)state;
        struct seen seen = {0};
        struct error error = {0};
        write_lines(300);
        folder_list();
        struct bytes content = file_read(file_names[1]);
        file_write_bytes(file_names[1], (struct bytes){content.data, content.size / 2});
        struct capture_reader *reader = open_reader();
        assert_int_equal(read_some(reader, &seen, &error), ERR_CORRUPT);
        assert_non_null(strstr(error.text, file_names[1]));
        assert_non_null(strstr(error.text, folder));
        assert_int_equal(read_some(reader, &seen, &error), 0);
        assert_true(seen.lost > 0 && seen.lines + seen.lost > 290);
        capture_read_close(reader);
}

static void a_missing_file_comes_as_one_hole(void **state)
{
        (void)state;
        struct capture *capture = open_capture();
        for (int i = 0; i < 12; i++)
                capture_add(capture, CAPTURE_LOOP, turn_at(i * HOUR_NS / 4));
        capture_close(capture);
        assert_int_equal(remove(folder_path("loop-20261122T150000Z-1795356000123456789.zst")), 0);
        struct capture_reader *reader = open_reader();
        struct capture_line line;
        for (uint64_t sequence = 1; sequence <= 4; sequence++) {
                assert_int_equal(capture_next(reader, &line, NULL), 1);
                assert_int_equal(line.sequence, sequence);
        }
        assert_int_equal(capture_next(reader, &line, NULL), 1);
        assert_int_equal(line.kind, CAPTURE_LOST);
        assert_int_equal(line.sequence, 5);
        assert_int_equal(line.number, 4);
        assert_int_equal(line.wall_ns, RUN_NS + 8 * HOUR_NS / 4);
        assert_int_equal(capture_next(reader, &line, NULL), 1);
        assert_int_equal(line.sequence, 9);
        assert_int_equal(line.kind, CAPTURE_TURN);
        capture_read_close(reader);
}

/* ---- a disk that takes nothing ---- */

static char logged[4][512];
static size_t logged_count;
static pthread_mutex_t logged_lock = PTHREAD_MUTEX_INITIALIZER;

static bool keep_line(enum log_level level, const char *text)
{
        (void)level;
        pthread_mutex_lock(&logged_lock);
        if (logged_count < 4)
                snprintf(logged[logged_count], sizeof(logged[0]), "%s", text);
        logged_count++;
        pthread_mutex_unlock(&logged_lock);
        return true;
}

static bool is_failing(struct capture *capture)
{
        return capture_stats(capture).failing;
}

/* A turn more; was it taken, behind the line that tells of the hole? */
static bool takes_again(struct capture *capture)
{
        uint64_t lines = capture_stats(capture).lines;
        capture_add(capture, CAPTURE_LOOP, turn_at(HOUR_NS / 4));
        return capture_stats(capture).lines == lines + 2;
}

/* Until @holds; the number of the last line. */
static uint64_t add_until(
    struct capture *capture, uint64_t sequence, bool (*holds)(struct capture *))
{
        for (int i = 0; i < 1000000 && !holds(capture); i++) {
                sequence++;
                add_lines(capture, sequence, sequence);
                if (i % 100 == 99)
                        usleep(1000);
        }
        assert_true(holds(capture));
        return sequence;
}

static bool has_lost(struct capture *capture)
{
        return capture_stats(capture).lost > 2000;
}

/* Up to @last the lines are those of make_line, behind it turns. */
static struct seen read_until(uint64_t last)
{
        struct seen seen = {0};
        struct capture_reader *reader = open_reader();
        struct capture_line line;
        while (capture_next(reader, &line, NULL) == 1) {
                if (line.kind == CAPTURE_LOST)
                        seen.lost += (uint64_t)line.number;
                else if (line.sequence <= last)
                        assert_made(reader, &line);
                seen.holes += line.kind == CAPTURE_LOST;
                seen.last = line.sequence;
        }
        capture_read_close(reader);
        return seen;
}

static void a_full_disk_is_told_once_and_the_hole_is_counted(void **state)
{
        (void)state;
        logged_count = 0;
        log_set_sink(keep_line);
        signal(SIGXFSZ, SIG_IGN);
        struct capture *capture = open_capture();
        add_lines(capture, 1, 1000);
        flushed_before = 0;
        assert_true(wait_for(is_flushed, capture));
        set_file_limit(capture_stats(capture).file_bytes + 200000);
        uint64_t last = add_until(capture, 1000, is_failing); /* in the middle of a file */
        set_file_limit(1);
        last = add_until(capture, last, has_lost);
        set_file_limit(RLIM_INFINITY);
        assert_true(wait_for(takes_again, capture));
        struct capture_stats stats = capture_stats(capture);
        capture_close(capture);
        log_set_sink(NULL);
        signal(SIGXFSZ, SIG_DFL);
        assert_int_equal(logged_count, 2);
        assert_non_null(strstr(logged[0], "File too large; trying again every second"));
        assert_non_null(strstr(logged[1], "writing again"));
        struct seen seen = read_until(last);
        assert_true(seen.last >= last + 2);
        assert_int_equal(seen.lost, stats.lost);
        folder_list();
        assert_true(file_count <= 3 + 3); /* none of an attempt that failed */
}

/* A logger that ends does not wait for room. */
static void a_capture_on_a_full_disk_ends_at_once(void **state)
{
        (void)state;
        logged_count = 0;
        log_set_sink(keep_line);
        signal(SIGXFSZ, SIG_IGN);
        struct capture *capture = open_capture();
        set_file_limit(1);
        add_lines(capture, 1, 5000);
        int64_t begun = clock_mono_ns();
        capture_close(capture);
        int64_t taken = clock_mono_ns() - begun;
        signal(SIGXFSZ, SIG_DFL);
        assert_true(taken < 5 * NS_PER_S);
        assert_int_equal(logged_count, 2);
        assert_non_null(strstr(logged[1], "capture: ended; 5000 lines are missing"));
        folder_list();
        assert_int_equal(file_count, 0);
}

static void a_folder_that_cannot_be_is_told(void **state)
{
        (void)state;
        struct capture *capture = NULL;
        struct capture_reader *reader = NULL;
        struct error error = {0};
        file_write_bytes("file", BYTES("x"));
        assert_int_equal(
            capture_open(&capture, folder_path("file"), MONO_NS, RUN_NS, &error), ERR_IO);
        assert_non_null(strstr(error.text, folder_path("file")));
        assert_int_equal(
            capture_open(&capture, folder_path("a/b"), MONO_NS, RUN_NS, &error), ERR_IO);
        assert_int_equal(capture_read(&reader, folder_path("none"), &error), ERR_NOT_FOUND);
        assert_int_equal(capture_read(&reader, folder, &error), ERR_NOT_FOUND);
        assert_null(capture);
        assert_null(reader);
        capture_close(NULL);
        capture_read_close(NULL);
}

static void a_folder_is_made_for_its_group_alone(void **state)
{
        (void)state;
        struct capture *capture = NULL;
        struct stat status;
        char inner[512];
        snprintf(inner, sizeof(inner), "%s", folder_path("inner"));
        mode_t mask = umask(0);
        assert_int_equal(capture_open(&capture, inner, MONO_NS, RUN_NS, NULL), 0);
        umask(mask);
        capture_close(capture);
        assert_int_equal(stat(inner, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0750);
        assert_int_equal(rmdir(inner), 0); /* without a line there is no file */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
            TEST(lines_of_hours_come_back_as_they_were),
            TEST(zstd_gives_exactly_the_text),
            TEST(files_turn_with_the_hour_and_are_called_by_their_first_line),
            TEST(names_rise_when_the_clock_is_set_back),
            TEST(runs_come_in_the_order_of_their_start),
            TEST(a_text_larger_than_the_queue_is_taken),
            TEST(what_a_killed_logger_flushed_is_read),
            TEST(a_part_that_ends_anywhere_just_ends),
            TEST(a_file_that_is_renamed_meanwhile_is_found),
            TEST(a_flipped_byte_is_found_and_its_file_is_named),
            TEST(after_a_damaged_file_the_others_go_on),
            TEST(a_missing_file_comes_as_one_hole),
            TEST(a_full_disk_is_told_once_and_the_hole_is_counted),
            TEST(a_capture_on_a_full_disk_ends_at_once),
            TEST(a_folder_that_cannot_be_is_told),
            TEST(a_folder_is_made_for_its_group_alone),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
