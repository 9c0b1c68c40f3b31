/* The golden values of format version 1: today's codec reads them as what they meant when they were
 * written, and writes the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/golden_text.h"

struct file {
        char **lines;
        size_t count;
};

static void file_read(const char *name, struct file *ret_file)
{
        char path[4096];
        const char *source = getenv("OBLOGGER_SOURCE");
        snprintf(path, sizeof(path), "%s/tests/data/golden/v1/%s", source ? source : ".", name);
        FILE *stream = fopen(path, "r");
        assert_non_null(stream);
        *ret_file = (struct file){0};
        char *line = NULL;
        size_t capacity = 0;
        while (getline(&line, &capacity, stream) > 0) {
                ret_file->lines =
                    memory_resize(ret_file->lines, (ret_file->count + 1) * sizeof(char *));
                ret_file->lines[ret_file->count++] = memory_text(line);
        }
        free(line);
        fclose(stream);
}

static void file_free(struct file *file)
{
        for (size_t i = 0; i < file->count; i++)
                free(file->lines[i]);
        free(file->lines);
}

static enum store_table table_of(const char *name)
{
        for (enum store_table table = 0; table < STORE_TABLES; table++) {
                if (!strcmp(name, golden_tables[table]))
                        return table;
        }
        fail_msg("no table: %s", name);
        return STORE_TABLES;
}

static void append_hex(struct buffer *value, const char *hex)
{
        for (unsigned byte; sscanf(hex, "%2x", &byte) == 1; hex += 2)
                buffer_append_byte(value, (uint8_t)byte);
}

/* A line of a dump; the bytes go into @value. */
static struct golden_row row_of(const char *line, struct buffer *value)
{
        char place[16], table[16];
        struct golden_row row = {.place = STORE_META};
        int at = 0;
        int found = sscanf(line,
            "{\"place\":\"%15[^\"]\",\"table\":\"%15[^\"]\",\"stream\":%" SCNu32
            ",\"major\":%" SCNd64 ",\"minor\":%" SCNu64 ",\"value\":\"%n",
            place, table, &row.key.stream, &row.key.major, &row.key.minor, &at);
        assert_int_equal(found, 5);
        if (strcmp(place, "meta"))
                assert_int_equal(day_parse(place, &row.place), 0);
        row.table = table_of(table);
        buffer_clear(value);
        append_hex(value, line + at);
        row.value = buffer_bytes(value);
        return row;
}

static void every_golden_value_decodes_to_what_it_meant(void **state)
{
        (void)state;
        struct file dump, expected;
        struct buffer value, text;
        file_read("dump.jsonl", &dump);
        file_read("expected.jsonl", &expected);
        assert_true(dump.count > 40);
        assert_int_equal(dump.count, expected.count);
        buffer_init(&value, 1 << 20);
        buffer_init(&text, 1 << 24);
        for (size_t i = 0; i < dump.count; i++) {
                struct golden_row row = row_of(dump.lines[i], &value);
                buffer_clear(&text);
                assert_int_equal(text_record(&text, &row), 0);
                buffer_append_byte(&text, 0);
                assert_string_equal((char *)text.data, expected.lines[i]);
        }
        buffer_deinit(&text);
        buffer_deinit(&value);
        file_free(&expected);
        file_free(&dump);
}

struct comparison {
        struct file dump;
        size_t index;
        unsigned packed, stored, others;
};

/* zstd may pack otherwise in another version: there the heads and the blocks are compared. */
static void compare_packed(struct bytes now, struct bytes golden)
{
        struct frame_packer packers[2];
        struct frame_info infos[2];
        struct bytes blocks[2], frames[2] = {now, golden};
        struct buffer heads[2];
        for (unsigned i = 0; i < 2; i++) {
                frame_packer_init(&packers[i]);
                assert_int_equal(frame_unpack(&packers[i], frames[i], &infos[i], &blocks[i]), 0);
                buffer_init(&heads[i], 1 << 16);
                text_info(&heads[i], &infos[i], frames[i].data[7]);
        }
        assert_int_equal(heads[0].size, heads[1].size);
        assert_memory_equal(heads[0].data, heads[1].data, heads[0].size);
        assert_int_equal(blocks[0].size, blocks[1].size);
        assert_memory_equal(blocks[0].data, blocks[1].data, blocks[0].size);
        for (unsigned i = 0; i < 2; i++) {
                buffer_deinit(&heads[i]);
                frame_packer_deinit(&packers[i]);
        }
}

static void compare_row(const struct golden_row *now, void *user)
{
        struct comparison *comparison = user;
        struct buffer value;
        assert_true(comparison->index < comparison->dump.count);
        buffer_init(&value, 1 << 20);
        struct golden_row golden = row_of(comparison->dump.lines[comparison->index++], &value);
        assert_int_equal(now->place, golden.place);
        assert_int_equal(now->table, golden.table);
        assert_int_equal(now->key.stream, golden.key.stream);
        assert_true(now->key.major == golden.key.major && now->key.minor == golden.key.minor);
        if (now->table == STORE_FRAMES && golden.value.data[7]) {
                comparison->packed++;
                compare_packed(now->value, golden.value);
        } else if (now->table != STORE_MARKS) { /* a mark counts packed bytes */
                comparison->stored += now->table == STORE_FRAMES;
                comparison->others += now->table != STORE_FRAMES;
                assert_int_equal(now->value.size, golden.value.size);
                if (now->value.size)
                        assert_memory_equal(now->value.data, golden.value.data, now->value.size);
        }
        buffer_deinit(&value);
}

static void the_same_input_encodes_to_the_same_bytes(void **state)
{
        (void)state;
        struct comparison comparison = {0};
        file_read("dump.jsonl", &comparison.dump);
        golden_rows(compare_row, &comparison);
        assert_int_equal(comparison.index, comparison.dump.count);
        assert_true(comparison.packed >= 1 && comparison.stored >= 8 && comparison.others >= 30);
        file_free(&comparison.dump);
}

/* A mark's bytes do not depend on how frames were packed. */
static void marks_are_read_and_written_alike(void **state)
{
        (void)state;
        struct file dump;
        struct buffer value, again;
        unsigned count = 0;
        file_read("dump.jsonl", &dump);
        buffer_init(&value, 1 << 20);
        buffer_init(&again, 1 << 20);
        for (size_t i = 0; i < dump.count; i++) {
                struct mark_record mark;
                struct golden_row row = row_of(dump.lines[i], &value);
                if (row.table != STORE_MARKS)
                        continue;
                assert_int_equal(mark_read(row.value, &mark), 0);
                buffer_clear(&again);
                mark_write(&again, &mark);
                assert_int_equal(again.size, value.size);
                assert_memory_equal(again.data, value.data, value.size);
                count++;
        }
        assert_true(count >= 3);
        buffer_deinit(&again);
        buffer_deinit(&value);
        file_free(&dump);
}

/* In memory of exactly its size, so that a read beyond it is seen by a sanitizer. */
static void refuse_copy(struct frame_packer *packer, struct bytes frame, size_t size, size_t flip)
{
        struct frame_info info;
        struct bytes block;
        uint8_t *copy = malloc(size ? size : 1);
        assert_non_null(copy);
        memcpy(copy, frame.data, size);
        if (flip < size)
                copy[flip] ^= 0x10;
        struct bytes damaged = {copy, size};
        assert_int_equal(frame_read(damaged, &info), ERR_CORRUPT);
        assert_int_equal(frame_unpack(packer, damaged, &info, &block), ERR_CORRUPT);
        free(copy);
}

static void a_cut_or_flipped_frame_is_refused(void **state)
{
        (void)state;
        struct file dump;
        struct buffer value;
        struct frame_packer packer;
        unsigned frames = 0;
        file_read("dump.jsonl", &dump);
        buffer_init(&value, 1 << 20);
        frame_packer_init(&packer);
        for (size_t i = 0; i < dump.count; i++) {
                struct golden_row row = row_of(dump.lines[i], &value);
                if (row.table != STORE_FRAMES)
                        continue;
                frames++;
                for (size_t at = 0; at < value.size; at++) {
                        refuse_copy(&packer, row.value, at, SIZE_MAX);
                        refuse_copy(&packer, row.value, value.size, at);
                }
        }
        assert_true(frames >= 10);
        frame_packer_deinit(&packer);
        buffer_deinit(&value);
        file_free(&dump);
}

static int read_record(enum store_table table, struct bytes value)
{
        struct buffer text;
        buffer_init(&text, 1 << 20);
        struct golden_row row = {.table = table, .value = value};
        int code = text_value(&text, &row);
        buffer_deinit(&text);
        return code;
}

static void a_record_that_is_cut_or_longer_or_newer_is_refused(void **state)
{
        (void)state;
        struct file dump;
        struct buffer value;
        file_read("dump.jsonl", &dump);
        buffer_init(&value, 1 << 20);
        for (size_t i = 0; i < dump.count; i++) {
                struct golden_row row = row_of(dump.lines[i], &value);
                if (row.table == STORE_FRAMES || row.table == STORE_NOTES || !value.size)
                        continue;
                for (size_t size = 0; size < value.size; size++) {
                        uint8_t *copy = malloc(size ? size : 1);
                        memcpy(copy, value.data, size);
                        assert_int_equal(
                            read_record(row.table, (struct bytes){copy, size}), ERR_CORRUPT);
                        free(copy);
                }
                buffer_append_byte(&value, 0);
                assert_int_equal(read_record(row.table, buffer_bytes(&value)), ERR_CORRUPT);
                value.data[0] = META_VERSION + 1;
                assert_int_equal(read_record(row.table, buffer_bytes(&value)), ERR_VERSION);
                value.data[0] = 0;
                assert_int_equal(read_record(row.table, buffer_bytes(&value)), ERR_CORRUPT);
        }
        buffer_deinit(&value);
        file_free(&dump);
}

/* Values whose checksum is right and whose content is not, each with the reason. */
static void what_no_decoder_may_take_is_refused(void **state)
{
        (void)state;
        struct file refused;
        struct buffer value;
        file_read("refused.jsonl", &refused);
        assert_true(refused.count > 60);
        buffer_init(&value, 1 << 20);
        for (size_t i = 0; i < refused.count; i++) {
                char table[16], newer[8], why[128];
                int at = 0;
                int found = sscanf(refused.lines[i],
                    "{\"table\":\"%15[^\"]\",\"newer\":%7[^,],\"why\":\"%127[^\"]\",\"value\":\"%n",
                    table, newer, why, &at);
                assert_int_equal(found, 3);
                buffer_clear(&value);
                append_hex(&value, refused.lines[i] + at);
                int expected = strcmp(newer, "true") ? ERR_CORRUPT : ERR_VERSION;
                int code = read_record(table_of(table), buffer_bytes(&value));
                if (code != expected)
                        fail_msg("%s, %s: %d", table, why, code);
        }
        buffer_deinit(&value);
        file_free(&refused);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_golden_value_decodes_to_what_it_meant),
            cmocka_unit_test(the_same_input_encodes_to_the_same_bytes),
            cmocka_unit_test(marks_are_read_and_written_alike),
            cmocka_unit_test(a_cut_or_flipped_frame_is_refused),
            cmocka_unit_test(a_record_that_is_cut_or_longer_or_newer_is_refused),
            cmocka_unit_test(what_no_decoder_may_take_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
