/* The golden values, of plain frames (v1), of dense ones (v2), of orders and trades (v3): today's
 * codec reads them as what they meant when they were written, and writes the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/golden_text.h"

#define VERSIONS 3

static const char *const golden_versions[VERSIONS] = {"v1", "v2", "v3"};

struct file {
        char **lines;
        size_t count;
};

static void file_read(const char *version, const char *name, struct file *ret_file)
{
        char path[4096];
        const char *source = getenv("OBLOGGER_SOURCE");
        snprintf(
            path, sizeof(path), "%s/tests/data/golden/%s/%s", source ? source : ".", version, name);
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

static struct golden_row row_of(const char *line, struct buffer *value)
{
        struct golden_row row;
        assert_int_equal(text_row(line, value, &row), 0);
        return row;
}

static void decode_all(const char *version)
{
        struct file dump, expected;
        struct text_reader reader;
        struct buffer value, text;
        file_read(version, "dump.jsonl", &dump);
        file_read(version, "expected.jsonl", &expected);
        assert_true(dump.count > 40);
        assert_int_equal(dump.count, expected.count);
        text_reader_init(&reader);
        buffer_init(&value, 1 << 20);
        buffer_init(&text, 1 << 24);
        for (size_t i = 0; i < dump.count; i++) {
                struct golden_row row = row_of(dump.lines[i], &value);
                buffer_clear(&text);
                assert_int_equal(text_record(&text, &reader, &row), 0);
                buffer_append_byte(&text, 0);
                assert_string_equal((char *)text.data, expected.lines[i]);
        }
        buffer_deinit(&text);
        buffer_deinit(&value);
        text_reader_deinit(&reader);
        file_free(&expected);
        file_free(&dump);
}

static void every_golden_value_decodes_to_what_it_meant(void **state)
{
        (void)state;
        for (size_t i = 0; i < VERSIONS; i++)
                decode_all(golden_versions[i]);
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
        file_read("v1", "dump.jsonl", &comparison.dump);
        golden_rows(compare_row, &comparison);
        assert_int_equal(comparison.index, comparison.dump.count);
        assert_true(comparison.packed >= 1 && comparison.stored >= 8 && comparison.others >= 30);
        file_free(&comparison.dump);
}

/* What a dense frame holds is encoded again, by an encoder that has seen the segment as well. */
struct again {
        struct decoder decoder;
        struct token_encoder tokens;
        struct order_coder orders;
        struct trade_coder trades;
        struct frame_packer packer;
        struct book from, to;
        struct buffer block;
        unsigned frames[METHODS];
};

static void again_begin(
    struct again *again, const struct frame_info *info, const struct event *first)
{
        if (info->method == METHOD_TOKENS)
                token_begin(&again->tokens, &info->scale, first);
        else if (info->method == METHOD_ORDERS)
                order_begin(&again->orders, &info->scale, first);
        else if (info->method == METHOD_TRADES)
                trade_begin(&again->trades, &info->scale, first);
}

static void again_add(struct again *again, const struct frame_info *info, const struct event *event)
{
        if (info->method == METHOD_TOKENS)
                token_add(&again->tokens, &again->to, event);
        else if (info->method == METHOD_ORDERS)
                order_add(&again->orders, &again->to, event);
        else if (info->method == METHOD_TRADES)
                trade_add(&again->trades, event);
        else if (info->kind != FRAME_HEADLESS)
                assert_int_equal(book_apply(&again->to, event), 0);
}

static void again_finish(struct again *again, uint8_t method)
{
        buffer_clear(&again->block);
        if (method == METHOD_TOKENS)
                token_finish(&again->tokens, &again->block);
        else if (method == METHOD_ORDERS)
                order_finish(&again->orders, &again->block);
        else
                trade_finish(&again->trades, &again->block);
}

static void again_reset(struct again *again)
{
        token_encoder_reset(&again->tokens);
        order_coder_reset(&again->orders);
        trade_coder_reset(&again->trades);
}

static void encode_events(struct again *again, const struct frame_info *info)
{
        struct event event;
        struct book *from = info->kind == FRAME_HEADLESS ? NULL : &again->from;
        bool begun = false;
        for (; decoder_next(&again->decoder, from, &event) > 0; begun = true) {
                if (event.type == TYPE_ORDER) /* what it did to the levels is not told */
                        event.count[SIDE_BID] = event.count[SIDE_ASK] = 0;
                if (!begun)
                        again_begin(again, info, &event);
                again_add(again, info, &event);
        }
        assert_true(begun);
}

static void encode_orders(struct again *again, const struct frame_info *info)
{
        struct event event = {.event_time_ns = info->first_event_time_ns,
            .receive_time_ns = info->first_receive_time_ns,
            .first_id = info->first_id,
            .last_id = info->last_id};
        assert_int_equal(decoder_image(&again->decoder, &again->to), 0);
        again_begin(again, info, &event);
        order_add_image(&again->orders, &again->to, event);
}

static void compare_block(struct again *again, struct bytes frame)
{
        struct frame_info info;
        struct bytes block;
        assert_int_equal(frame_unpack(&again->packer, frame, &info, &block), 0);
        again_finish(again, info.method);
        assert_int_equal(block.size, again->block.size);
        assert_memory_equal(block.data, again->block.data, block.size);
        again->frames[info.method]++;
}

static void encode_again(struct again *again, struct bytes frame)
{
        struct frame_info info;
        assert_int_equal(decoder_open(&again->decoder, frame, &info), 0);
        if (info.kind == FRAME_IMAGE) {
                again_reset(again);
                book_clear(&again->from);
                book_clear(&again->to);
        }
        bool orders = info.kind == FRAME_IMAGE && info.method == METHOD_ORDERS;
        (orders ? encode_orders : encode_events)(again, &info);
        if (info.method)
                compare_block(again, frame);
        if (info.kind != FRAME_IMAGE)
                return;
        again_reset(again);
        assert_int_equal(decoder_open(&again->decoder, frame, &info), 0);
        assert_int_equal(decoder_image(&again->decoder, &again->from), 0);
}

static void again_init(struct again *again)
{
        *again = (struct again){0};
        buffer_init(&again->block, 1 << 20);
        decoder_init(&again->decoder);
        token_encoder_init(&again->tokens);
        order_encoder_init(&again->orders);
        trade_encoder_init(&again->trades);
        frame_packer_init(&again->packer);
        book_init(&again->from);
        book_init(&again->to);
}

static void again_deinit(struct again *again)
{
        book_deinit(&again->to);
        book_deinit(&again->from);
        frame_packer_deinit(&again->packer);
        trade_encoder_deinit(&again->trades);
        order_encoder_deinit(&again->orders);
        token_encoder_deinit(&again->tokens);
        decoder_deinit(&again->decoder);
        buffer_deinit(&again->block);
}

static void encode_all_again(struct again *again, const char *version)
{
        struct file dump;
        struct buffer value;
        file_read(version, "dump.jsonl", &dump);
        buffer_init(&value, 1 << 20);
        for (size_t i = 0; i < dump.count; i++) {
                struct golden_row row = row_of(dump.lines[i], &value);
                if (row.table == STORE_FRAMES)
                        encode_again(again, row.value);
        }
        buffer_deinit(&value);
        file_free(&dump);
}

static void what_a_dense_frame_holds_encodes_to_the_same_block(void **state)
{
        (void)state;
        struct again *again = memory_new(sizeof(*again));
        again_init(again);
        encode_all_again(again, "v2");
        encode_all_again(again, "v3");
        assert_true(again->frames[METHOD_TOKENS] > 20);
        assert_true(again->frames[METHOD_ORDERS] >= 10);
        assert_true(again->frames[METHOD_TRADES] >= 10);
        again_deinit(again);
        free(again);
}

static void write_again(struct buffer *again, const struct golden_row *row)
{
        struct mark_record mark;
        struct archive_record archive;
        buffer_clear(again);
        if (row->key.major) {
                assert_int_equal(archive_read(row->value, &archive), 0);
                archive_write(again, &archive);
        } else {
                assert_int_equal(mark_read(row->value, &mark), 0);
                mark_write(again, &mark);
        }
        assert_int_equal(again->size, row->value.size);
        assert_memory_equal(again->data, row->value.data, row->value.size);
}

/* A mark's bytes do not depend on how frames were packed. */
static void marks_are_read_and_written_alike(void **state)
{
        (void)state;
        struct buffer value, again;
        unsigned counts[VERSIONS] = {0};
        buffer_init(&value, 1 << 20);
        buffer_init(&again, 1 << 20);
        for (size_t version = 0; version < VERSIONS; version++) {
                struct file dump;
                file_read(golden_versions[version], "dump.jsonl", &dump);
                for (size_t i = 0; i < dump.count; i++) {
                        struct golden_row row = row_of(dump.lines[i], &value);
                        if (row.table == STORE_MARKS)
                                write_again(&again, &row);
                        counts[version] += row.table == STORE_MARKS;
                }
                file_free(&dump);
        }
        assert_true(counts[0] >= 3 && counts[1] >= 4 && counts[2] >= 6);
        buffer_deinit(&again);
        buffer_deinit(&value);
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

static void damage_frames(const char *version)
{
        struct file dump;
        struct buffer value;
        struct frame_packer packer;
        unsigned frames = 0;
        file_read(version, "dump.jsonl", &dump);
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

static void a_cut_or_flipped_frame_is_refused(void **state)
{
        (void)state;
        for (size_t i = 0; i < VERSIONS; i++)
                damage_frames(golden_versions[i]);
}

static int read_record(struct golden_row row, struct bytes value)
{
        struct text_reader reader;
        struct buffer text;
        row.value = value;
        text_reader_init(&reader);
        buffer_init(&text, 1 << 20);
        int code = text_value(&text, &reader, &row);
        buffer_deinit(&text);
        text_reader_deinit(&reader);
        return code;
}

static void refuse_record(struct golden_row row, struct buffer *value)
{
        for (size_t size = 0; size < value->size; size++) {
                uint8_t *copy = malloc(size ? size : 1);
                memcpy(copy, value->data, size);
                assert_int_equal(read_record(row, (struct bytes){copy, size}), ERR_CORRUPT);
                free(copy);
        }
        buffer_append_byte(value, 0);
        assert_int_equal(read_record(row, buffer_bytes(value)), ERR_CORRUPT);
        value->data[0] = EPOCH_VERSION + 1;
        assert_int_equal(read_record(row, buffer_bytes(value)), ERR_VERSION);
        value->data[0] = 0;
        assert_int_equal(read_record(row, buffer_bytes(value)), ERR_CORRUPT);
}

static void a_record_that_is_cut_or_longer_or_newer_is_refused(void **state)
{
        (void)state;
        struct buffer value;
        buffer_init(&value, 1 << 20);
        for (size_t version = 0; version < VERSIONS; version++) {
                struct file dump;
                file_read(golden_versions[version], "dump.jsonl", &dump);
                for (size_t i = 0; i < dump.count; i++) {
                        struct golden_row row = row_of(dump.lines[i], &value);
                        if (row.table != STORE_FRAMES && row.table != STORE_NOTES && value.size)
                                refuse_record(row, &value);
                }
                file_free(&dump);
        }
        buffer_deinit(&value);
}

/* The hexadecimal member @name of a line, appended to @ret_value; none: nothing. */
static void read_member(const char *line, const char *name, struct buffer *ret_value)
{
        char key[32];
        snprintf(key, sizeof(key), "\"%s\":\"", name);
        const char *at = strstr(line, key);
        buffer_clear(ret_value);
        if (at)
                text_bytes(ret_value, at + strlen(key));
}

/* Take the image or repair @frame as a whole, behind the image @behind, where there is one. */
static int read_whole(struct bytes frame, struct bytes behind)
{
        struct decoder decoder;
        struct book book;
        struct frame_info info;
        decoder_init(&decoder);
        book_init(&book);
        if (behind.size) {
                assert_int_equal(decoder_open(&decoder, behind, &info), 0);
                assert_int_equal(decoder_image(&decoder, &book), 0);
        }
        int code = decoder_open(&decoder, frame, &info);
        if (!code && info.kind == FRAME_IMAGE)
                code = decoder_image(&decoder, &book);
        else if (!code && info.kind == FRAME_REPAIR)
                code = decoder_repair(&decoder, &book);
        book_deinit(&book);
        decoder_deinit(&decoder);
        return code;
}

/* Read the value of @row behind the frame @behind, where there is one. */
static int read_behind(const struct golden_row *row, struct bytes behind)
{
        struct text_reader reader;
        struct buffer text;
        struct golden_row before = {.table = STORE_FRAMES, .value = behind};
        text_reader_init(&reader);
        buffer_init(&text, 1 << 20);
        if (behind.size)
                assert_int_equal(text_value(&text, &reader, &before), 0);
        int code = text_value(&text, &reader, row);
        buffer_deinit(&text);
        text_reader_deinit(&reader);
        return code || row->table != STORE_FRAMES ? code : read_whole(row->value, behind);
}

static void refuse_line(const char *line, struct buffer *value, struct buffer *behind)
{
        char table[16], newer[8], why[128];
        int found = sscanf(line,
            "{\"table\":\"%15[^\"]\",\"newer\":%7[^,],\"why\":\"%127[^\"]\",\"value\":", table,
            newer, why);
        assert_int_equal(found, 3);
        struct golden_row row = {.key.major = strstr(line, "\"major\":1") != NULL};
        while (row.table < STORE_TABLES && strcmp(table, golden_tables[row.table]))
                row.table++;
        assert_true(row.table < STORE_TABLES);
        read_member(line, "value", value);
        read_member(line, "behind", behind);
        row.value = buffer_bytes(value);
        int code = read_behind(&row, buffer_bytes(behind));
        if (code != (strcmp(newer, "true") ? ERR_CORRUPT : ERR_VERSION))
                fail_msg("%s, %s: %d", table, why, code);
}

/* Values whose checksum is right and whose content is not, each with the reason. */
static void what_no_decoder_may_take_is_refused(void **state)
{
        (void)state;
        struct buffer value, behind;
        buffer_init(&value, 1 << 20);
        buffer_init(&behind, 1 << 20);
        for (size_t version = 0; version < VERSIONS; version++) {
                struct file refused;
                file_read(golden_versions[version], "refused.jsonl", &refused);
                assert_true(refused.count > 60);
                for (size_t i = 0; i < refused.count; i++)
                        refuse_line(refused.lines[i], &value, &behind);
                file_free(&refused);
        }
        buffer_deinit(&behind);
        buffer_deinit(&value);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_golden_value_decodes_to_what_it_meant),
            cmocka_unit_test(the_same_input_encodes_to_the_same_bytes),
            cmocka_unit_test(what_a_dense_frame_holds_encodes_to_the_same_block),
            cmocka_unit_test(marks_are_read_and_written_alike),
            cmocka_unit_test(a_cut_or_flipped_frame_is_refused),
            cmocka_unit_test(a_record_that_is_cut_or_longer_or_newer_is_refused),
            cmocka_unit_test(what_no_decoder_may_take_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
