/* Captures that nobody wrote so: each is refused with its place, and nothing grows without end. */
#include <sys/resource.h>

#include "tests/unit/capture_help.h"

#define LOOP_FILE "loop-20261122T140000Z-5.zst"
#define OTHER_FILE "binance-20261122T140000Z-5.zst"
#define TITLE "oblogger capture 1 loop 5 7\n"

static int setup(void **state)
{
        (void)state;
        folder_make();
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        folder_remove();
        return 0;
}

/* ---- one line ---- */

static int read_head(const char *head, struct capture_line *line, size_t *text_size)
{
        const struct capture_run run = {1000, 70};
        struct bytes bytes = {(const uint8_t *)head, strlen(head)};
        return capture_head_read(&run, bytes, line, text_size);
}

static void a_line_tells_what_its_kind_has(void **state)
{
        (void)state;
        struct capture_line line;
        size_t size;
        assert_int_equal(
            read_head("m 12 34 -5 4294967295 -9223372036854775808 67108864", &line, &size), 0);
        assert_int_equal(line.kind, CAPTURE_MESSAGE);
        assert_int_equal(line.sequence, 12);
        assert_int_equal(line.wall_ns, 1034);
        assert_int_equal(line.mono_ns, 99);
        assert_int_equal(line.connection, UINT32_MAX);
        assert_int_equal(line.number, INT64_MIN);
        assert_int_equal(size, LIMIT_REST_BODY);
        assert_int_equal(read_head("t 1 -1000 0", &line, &size), 0);
        assert_int_equal(line.wall_ns, 0);
        assert_int_equal(line.mono_ns, -930);
        assert_int_equal(size, SIZE_MAX);
}

static void a_line_that_is_none_is_refused(void **state)
{
        (void)state;
        static const char *const heads[] = {"", "t", "t ", "t 1", "t 1 0", "t 1 0 ", "t 1 0 0 ",
            "t 1 0 0 0", "t  1 0 0", " t 1 0 0", "T 1 0 0", "\xff 1 0 0", "t 0 0 0", "t -1 0 0",
            "t 01 0 0", "t 1 -0 0", "t 1 +1 0", "t 1 0 0x0", "t 1 00 0", "t 1 0 - ",
            "t 9223372036854775807 0 0", "t 9223372036854775808 0 0", "t 1 9223372036854775808 0",
            "t 1 -9223372036854775809 0", "t 1 99999999999999999999999999 0", "o 1 0 0",
            "o 1 0 0 -1", "o 1 0 0 4294967296", "o 1 0 0 1 1", "m 1 0 0 1 2", "m 1 0 0 1 2 -1",
            "m 1 0 0 1 2 67108865", "m 1 0 0 1 2 3 4", "S 1 0 0", "E 1 0 0 0", "t 1 0 0\r",
            "t 1 0,0", "t\t1 0 0"};
        for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
                struct capture_line line = {.kind = CAPTURE_END};
                size_t size = 77;
                if (read_head(heads[i], &line, &size) != ERR_PARSE)
                        fail_msg("taken: \"%s\"", heads[i]);
                assert_int_equal(line.kind, CAPTURE_END);
                assert_int_equal(size, 77);
        }
}

static void any_times_come_back(void **state)
{
        (void)state;
        struct chance chance = {11};
        for (int i = 0; i < 20000; i++) {
                struct capture_run run = {chance_int64(&chance), chance_int64(&chance)};
                struct capture_line line = {.kind = CAPTURE_LOST,
                                        .sequence = 1 + chance_below(&chance, INT64_MAX - 1),
                                        .mono_ns = chance_int64(&chance),
                                        .wall_ns = chance_int64(&chance),
                                        .number = chance_int64(&chance)},
                                    read;
                char head[CAPTURE_HEAD_MAX];
                size_t size = capture_head_write(&run, &line, head), text_size;
                assert_true(size <= CAPTURE_HEAD_MAX);
                struct bytes bytes = {(const uint8_t *)head, size - 1};
                assert_int_equal(capture_head_read(&run, bytes, &read, &text_size), 0);
                assert_true(read.sequence == line.sequence && read.number == line.number);
                assert_true(read.wall_ns == line.wall_ns && read.mono_ns == line.mono_ns);
        }
}

/* ---- names ---- */

static void names_are_read_as_they_are_written(void **state)
{
        (void)state;
        static const char *const good[] = {LOOP_FILE, LOOP_FILE ".part", "a-19700101T000000Z-0.zst",
            "binance_us-20991231T235959Z--9223372036854775808.zst.part"};
        static const char *const bad[] = {"", "-", "loop", "loop-20261122T140000Z-5",
            "loop-20261122T140000Z-5.zs", "loop-20261122T140000Z-5.zst.par",
            "loop-20261122T140000Z-5.zst.part2", "loop-20261122T140000Z-.zst",
            "loop-20261122T140000Z-05.zst", "loop-20261122T140000Z-+5.zst",
            "loop-20261122T140000Z-9223372036854775808.zst", "loop-20261322T140000Z-5.zst",
            "loop-20261122T240000Z-5.zst", "loop-20261122T146000Z-5.zst",
            "loop-20261122 140000Z-5.zst", "loop-20261122T140000+-5.zst", "loop-2026-5.zst",
            "Loop-20261122T140000Z-5.zst", "-20261122T140000Z-5.zst", "../a-20261122T140000Z-5.zst",
            "loop-20261122T140000Z5.zst",
            "a23456789012345678901234567890ab-20261122T140000Z-5.zst"};
        struct capture_name name;
        char text[CAPTURE_FILE_NAME_SIZE];
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
                assert_true(capture_name_read(good[i], &name));
                capture_name_write(&name, text);
                assert_string_equal(text, good[i]);
        }
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                if (capture_name_read(bad[i], &name))
                        fail_msg("taken: \"%s\"", bad[i]);
        }
}

/* ---- one file ---- */

/* Read all: the first error, if any; how many lines, those that are missing left out. */
static int read_folder(uint64_t *ret_lines, struct error *error)
{
        struct capture_reader *reader = open_reader();
        struct capture_line line;
        struct error one = {0};
        int first = 0, code;
        *ret_lines = 0;
        while ((code = capture_next(reader, &line, &one))) {
                *ret_lines += code == 1 && line.kind != CAPTURE_LOST;
                if (code < 0 && !first) {
                        first = code;
                        *error = one;
                }
        }
        assert_int_equal(capture_next(reader, &line, &one), 0); /* it stays at its end */
        capture_read_close(reader);
        return first;
}

static void expect_text(const char *text, int expected, uint64_t expected_lines, const char *words)
{
        struct error error = {0};
        uint64_t lines;
        file_pack_text(LOOP_FILE, (struct bytes){(const uint8_t *)text, strlen(text)});
        int code = read_folder(&lines, &error);
        if (code != expected || lines != expected_lines)
                fail_msg("\"%s\": %d, %d lines: %s", text, code, (int)lines, error.text);
        if (!code)
                return;
        assert_non_null(strstr(error.text, LOOP_FILE));
        assert_non_null(strstr(error.text, words));
}

static void a_title_must_be_the_file_s_own(void **state)
{
        (void)state;
        expect_text(TITLE, 0, 0, "");
        expect_text(TITLE "t 1 0 0\n", 0, 1, "");
        expect_text("", ERR_CORRUPT, 0, "ends within a line");
        expect_text("\n", ERR_CORRUPT, 0, "no capture");
        expect_text("oblogger capture 1 loop 5 7", ERR_CORRUPT, 0, "ends within a line");
        expect_text("oblogger capture 1 loop 5\n", ERR_CORRUPT, 0, "no capture");
        expect_text("oblogger capture 1 loop 5 7 8\n", ERR_CORRUPT, 0, "no capture");
        expect_text("oblogger capture 0 loop 5 7\n", ERR_CORRUPT, 0, "no capture");
        expect_text("oblogger capture x loop 5 7\n", ERR_CORRUPT, 0, "no capture");
        expect_text("oblogger capture 2 loop 5 7\n", ERR_VERSION, 0, "newer version");
        expect_text("oblogger capture 2 or anything\n", ERR_VERSION, 0, "newer version");
        expect_text("oblogger capture 1 LOOP 5 7\n", ERR_CORRUPT, 0, "no capture");
        expect_text("oblogger capture 1 binance 5 7\n", ERR_CORRUPT, 0, "called otherwise");
        expect_text("oblogger capture 1 loop 6 7\n", ERR_CORRUPT, 0, "called otherwise");
}

static void lines_and_texts_must_end(void **state)
{
        (void)state;
        expect_text(TITLE "c 1 0 0 3\nabc\nt 2 0 0\n", 0, 2, "");
        expect_text(TITLE "c 1 0 0 3\n\n\n\n\nt 2 0 0\n", 0, 2, "");
        expect_text(TITLE "c 1 0 0 0\n\nt 2 0 0\n", 0, 2, "");
        expect_text(TITLE "t 1 0 0\nt 2 0 0", ERR_CORRUPT, 1, "ends within a line");
        expect_text(TITLE "t 1 0 0\n\n", ERR_CORRUPT, 1, "a line is none");
        expect_text(TITLE "c 1 0 0 3\nabcd\n", ERR_CORRUPT, 0, "a text has no end");
        expect_text(TITLE "c 1 0 0 3\nabc", ERR_CORRUPT, 0, "ends within a line");
        expect_text(TITLE "c 1 0 0 67108864\nabc\n", ERR_CORRUPT, 0, "ends within a line");
        expect_text(TITLE "c 1 0 0 67108865\nabc\n", ERR_CORRUPT, 0, "a line is none");
        expect_text(TITLE "t 1 0 0                                            "
                          "                                                        "
                          "                                                        \n",
            ERR_CORRUPT, 0, "a line is too long");
}

static void numbers_must_rise(void **state)
{
        (void)state;
        expect_text(TITLE "t 1 0 0\nt 3 0 0\n", 0, 2, "");
        expect_text(TITLE "t 1 0 0\nt 1 0 0\n", ERR_CORRUPT, 1, "out of order");
        expect_text(TITLE "t 2 0 0\nt 1 0 0\n", ERR_CORRUPT, 1, "out of order");
        expect_text(TITLE "t 9223372036854775806 0 0\nt 1 0 0\n", ERR_CORRUPT, 1, "out of order");
        file_pack_text(OTHER_FILE, BYTES("oblogger capture 1 binance 5 7\nt 1 0 0\n"));
        expect_text(TITLE "t 1 0 0\nt 2 0 0\n", ERR_CORRUPT, 1, "out of order");
}

static void stored_holes_are_told_once(void **state)
{
        (void)state;
        struct capture_line line;
        expect_text(TITLE "t 1 0 0\nL 6 0 0 4\nt 7 0 0\n", 0, 2, "");
        struct capture_reader *reader = open_reader();
        assert_int_equal(capture_next(reader, &line, NULL), 1);
        assert_int_equal(capture_next(reader, &line, NULL), 1);
        assert_int_equal(line.kind, CAPTURE_LOST);
        assert_int_equal(line.sequence, 2);
        assert_int_equal(line.number, 4);
        assert_int_equal(capture_next(reader, &line, NULL), 1);
        assert_int_equal(line.sequence, 7);
        capture_read_close(reader);
}

/* ---- frames ---- */

static void expect_bytes(struct bytes content, int expected, uint64_t expected_lines)
{
        struct error error = {0};
        uint64_t lines;
        file_write_bytes(LOOP_FILE, content);
        assert_int_equal(read_folder(&lines, &error), expected);
        assert_int_equal(lines, expected_lines);
}

static void frames_must_be_whole_and_nothing_else(void **state)
{
        (void)state;
        struct buffer content;
        buffer_init(&content, 1 << 20);
        expect_bytes(BYTES(""), ERR_CORRUPT, 0);
        expect_bytes(BYTES(TITLE), ERR_CORRUPT, 0);
        file_pack_text(LOOP_FILE, BYTES(TITLE "t 1 0 0\n"));
        struct bytes first = file_read(LOOP_FILE);
        buffer_append(&content, first.data, first.size);
        for (size_t size = 0; size < content.size; size++) {
                struct error error = {0};
                uint64_t lines;
                file_write_bytes(LOOP_FILE, (struct bytes){content.data, size});
                assert_int_equal(read_folder(&lines, &error), ERR_CORRUPT);
        }
        file_pack_text(LOOP_FILE, BYTES("t 2 0 0\n"));
        struct bytes second = file_read(LOOP_FILE);
        buffer_append(&content, second.data, second.size);
        expect_bytes(buffer_bytes(&content), 0, 2); /* frames may follow each other */
        buffer_append_text(&content, "more");
        expect_bytes(buffer_bytes(&content), ERR_CORRUPT, 2);
        buffer_deinit(&content);
}

/* One that would make its reader hold 128 MiB. */
static void a_window_has_a_largest_size(void **state)
{
        (void)state;
        uint8_t packed[4096];
        ZSTD_CCtx *packer = ZSTD_createCCtx();
        ZSTD_outBuffer out = {packed, sizeof(packed), 0};
        ZSTD_inBuffer in = {TITLE, sizeof(TITLE) - 1, 0};
        ZSTD_CCtx_setParameter(packer, ZSTD_c_windowLog, 27);
        assert_false(ZSTD_isError(ZSTD_compressStream2(packer, &out, &in, ZSTD_e_flush)));
        assert_int_equal(ZSTD_compressStream2(packer, &out, &in, ZSTD_e_end), 0);
        expect_bytes((struct bytes){packed, out.pos}, ERR_CORRUPT, 0);
        ZSTD_freeCCtx(packer);
}

/* ---- folders ---- */

static void what_is_no_capture_is_not_read(void **state)
{
        (void)state;
        struct error error = {0};
        uint64_t lines;
        file_write_bytes("notes.txt", BYTES("mine"));
        file_write_bytes("loop.zst", BYTES("mine"));
        file_pack_text(LOOP_FILE, BYTES(TITLE "t 1 0 0\n"));
        file_write_bytes(LOOP_FILE ".part", BYTES("left by a copy"));
        assert_int_equal(read_folder(&lines, &error), 0);
        assert_int_equal(lines, 1);
}

static void a_pipe_and_a_folder_are_not_waited_for(void **state)
{
        (void)state;
        struct error error = {0};
        uint64_t lines;
        assert_int_equal(mkfifo(folder_path(OTHER_FILE), 0600), 0);
        file_pack_text(LOOP_FILE, BYTES(TITLE "t 1 0 0\n"));
        assert_int_equal(read_folder(&lines, &error), ERR_CORRUPT);
        assert_non_null(strstr(error.text, OTHER_FILE));
        assert_int_equal(lines, 1);
        assert_int_equal(remove(folder_path(OTHER_FILE)), 0);
        assert_int_equal(mkdir(folder_path(OTHER_FILE), 0700), 0);
        assert_int_equal(read_folder(&lines, &error), ERR_CORRUPT);
        assert_int_equal(lines, 1);
}

static void write_small(const char *exchange, int second, uint64_t sequence)
{
        char name[CAPTURE_FILE_NAME_SIZE];
        struct buffer text;
        struct capture_name parts = {.second = 1795356000 + second, .run_ns = 5};
        snprintf(parts.exchange, sizeof(parts.exchange), "%s", exchange);
        buffer_init(&text, 1024);
        buffer_printf(&text, "oblogger capture 1 %s 5 7\nt %llu 0 0\n", exchange,
            (unsigned long long)sequence);
        capture_name_write(&parts, name);
        file_pack_text(name, buffer_bytes(&text));
        buffer_deinit(&text);
}

static void a_run_has_so_many_exchanges(void **state)
{
        (void)state;
        struct error error = {0};
        uint64_t lines;
        for (unsigned i = 0; i < CAPTURE_NAMES_MAX + 3; i++) {
                char exchange[16];
                snprintf(exchange, sizeof(exchange), "x%02u", i);
                write_small(exchange, 0, i + 1);
        }
        assert_int_equal(read_folder(&lines, &error), ERR_CORRUPT);
        assert_int_equal(lines, CAPTURE_NAMES_MAX);
}

/* More files than could be open at once. */
static void thousands_of_files_are_opened_one_by_one(void **state)
{
        (void)state;
        const int count = 2000;
        struct rlimit before, few;
        struct error error = {0};
        uint64_t lines;
        char name[128];
        for (int i = 0; i < count; i++)
                write_small(CAPTURE_LOOP, i, (uint64_t)i + 1);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        few = (struct rlimit){32, before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        int code = read_folder(&lines, &error);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(code, 0);
        assert_int_equal(lines, count);
        for (int i = 0; i < count; i++) {
                struct capture_name parts = {
                    .exchange = CAPTURE_LOOP, .second = 1795356000 + i, .run_ns = 5};
                capture_name_write(&parts, name);
                assert_int_equal(remove(folder_path(name)), 0);
        }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
            TEST(a_line_tells_what_its_kind_has),
            TEST(a_line_that_is_none_is_refused),
            TEST(any_times_come_back),
            TEST(names_are_read_as_they_are_written),
            TEST(a_title_must_be_the_file_s_own),
            TEST(lines_and_texts_must_end),
            TEST(numbers_must_rise),
            TEST(stored_holes_are_told_once),
            TEST(frames_must_be_whole_and_nothing_else),
            TEST(a_window_has_a_largest_size),
            TEST(what_is_no_capture_is_not_read),
            TEST(a_pipe_and_a_folder_are_not_waited_for),
            TEST(a_run_has_so_many_exchanges),
            TEST(thousands_of_files_are_opened_one_by_one),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
