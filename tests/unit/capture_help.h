/* What the tests of captures share: lines made from their number, folders, files as text. */
#ifndef TESTS_UNIT_CAPTURE_HELP_H
#define TESTS_UNIT_CAPTURE_HELP_H

#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>
#include <zstd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "capture/internal.h"
#include "tests/unit/help.h"

#define RUN_NS INT64_C(1795356000123456789) /* 2026-11-22T14:00:00.123456789Z */
#define MONO_NS INT64_C(987654321000)
#define HOUR_NS (3600 * NS_PER_S)
#define FILES_MAX 64
#define TEXT_MAX (400u << 10)

static char folder[64];

static inline void folder_make(void)
{
        snprintf(folder, sizeof(folder), "/tmp/test-capture-XXXXXX");
        assert_non_null(mkdtemp(folder));
}

static inline const char *folder_path(const char *name)
{
        static char path[512];
        int size = snprintf(path, sizeof(path), "%s/%s", folder, name);
        assert_true(size > 0 && (size_t)size < sizeof(path));
        return path;
}

/* ---- what is in the folder ---- */

static char file_names[FILES_MAX][256];
static size_t file_count;

static inline int compare_names(const void *left, const void *right)
{
        return strcmp(left, right);
}

static inline void folder_list(void)
{
        DIR *directory = opendir(folder);
        file_count = 0;
        assert_non_null(directory);
        for (struct dirent *entry; (entry = readdir(directory));) {
                if (entry->d_name[0] == '.')
                        continue;
                assert_true(file_count < FILES_MAX);
                snprintf(file_names[file_count++], sizeof(file_names[0]), "%s", entry->d_name);
        }
        closedir(directory);
        qsort(file_names, file_count, sizeof(file_names[0]), compare_names);
}

static inline void folder_remove(void)
{
        folder_list();
        for (size_t i = 0; i < file_count; i++)
                assert_int_equal(remove(folder_path(file_names[i])), 0);
        assert_int_equal(rmdir(folder), 0);
}

/* Valid until the next one; a NUL follows. */
static inline struct bytes file_read(const char *name)
{
        static uint8_t *content;
        FILE *file = fopen(folder_path(name), "rb");
        struct stat status;
        assert_non_null(file);
        assert_int_equal(fstat(fileno(file), &status), 0);
        free(content);
        content = memory_new((size_t)status.st_size + 1);
        assert_int_equal(fread(content, 1, (size_t)status.st_size, file), status.st_size);
        fclose(file);
        return (struct bytes){content, (size_t)status.st_size};
}

static inline void file_write_bytes(const char *name, struct bytes content)
{
        FILE *file = fopen(folder_path(name), "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(content.data, 1, content.size, file), content.size);
        assert_int_equal(fclose(file), 0);
}

/* As a frame with a checksum. */
static inline void file_pack_text(const char *name, struct bytes text)
{
        size_t room = ZSTD_compressBound(text.size);
        uint8_t *packed = memory_new(room);
        ZSTD_CCtx *packer = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(packer, ZSTD_c_checksumFlag, 1);
        size_t size = ZSTD_compress2(packer, packed, room, text.data, text.size);
        assert_false(ZSTD_isError(size));
        file_write_bytes(name, (struct bytes){packed, size});
        ZSTD_freeCCtx(packer);
        free(packed);
}

/* ---- lines, each made from its number ---- */

struct made {
        const char *exchange;
        struct capture_line line;
};

static const char kinds_made[] = "SREtckovmmmmmmrxa";
static int64_t step_ns = NS_PER_MS; /* of wall time between two lines */

static inline struct bytes made_text(struct chance *chance)
{
        static uint8_t text[TEXT_MAX];
        size_t size = chance_below(chance, 3000);
        bool binary = chance_one_in(chance, 4);
        if (chance_one_in(chance, 10))
                size = 0;
        else if (chance_one_in(chance, 500))
                size = TEXT_MAX;
        for (size_t i = 0; i < size; i++)
                text[i] = (uint8_t)(binary ? chance_next(chance) : 'a' + chance_below(chance, 8));
        return (struct bytes){text, size};
}

/* The text is valid until the next one. Fields that its kind has not are 0. */
static inline struct made make_line(uint64_t sequence)
{
        static const char *const exchanges[] = {"binance", "coinbase", CAPTURE_LOOP};
        struct chance chance = {sequence * 7919};
        struct made made = {.exchange = exchanges[chance_below(&chance, 3)]};
        struct capture_line *line = &made.line;
        char kind = kinds_made[chance_below(&chance, sizeof(kinds_made) - 1)];
        line->kind = (enum capture_kind)kind;
        line->sequence = sequence;
        line->wall_ns =
            RUN_NS + (int64_t)sequence * step_ns + (int64_t)chance_below(&chance, NS_PER_US);
        line->mono_ns = MONO_NS + (int64_t)sequence * step_ns + (int64_t)chance_below(&chance, 99);
        if (strchr("kovmrxa", kind))
                line->connection = (uint32_t)chance_next(&chance);
        if (strchr("mra", kind))
                line->number = chance_int64(&chance);
        if (strchr("SRcmrxa", kind))
                line->text = made_text(&chance);
        return made;
}

static inline void add_lines(struct capture *capture, uint64_t first, uint64_t last)
{
        for (uint64_t sequence = first; sequence <= last; sequence++) {
                struct made made = make_line(sequence);
                capture_add(capture, made.exchange, made.line);
        }
}

static inline struct capture *open_capture(void)
{
        struct capture *capture = NULL;
        struct error error = {0};
        assert_int_equal(capture_open(&capture, folder, MONO_NS, RUN_NS, &error), 0);
        return capture;
}

/* Lines as format says, with the default step, written and closed. */
static inline void write_lines(uint64_t count)
{
        struct capture *capture = open_capture();
        add_lines(capture, 1, count);
        capture_close(capture);
}

static inline struct capture_reader *open_reader(void)
{
        struct capture_reader *reader = NULL;
        struct error error = {0};
        assert_int_equal(capture_read(&reader, folder, &error), 0);
        return reader;
}

static inline void assert_made(const struct capture_reader *reader, const struct capture_line *line)
{
        struct made made = make_line(line->sequence);
        static const uint8_t zeros[JSON_PADDING];
        assert_int_equal(line->kind, made.line.kind);
        assert_int_equal(line->wall_ns, made.line.wall_ns);
        assert_int_equal(line->mono_ns, made.line.mono_ns);
        assert_int_equal(line->connection, made.line.connection);
        assert_int_equal(line->number, made.line.number);
        assert_int_equal(line->text.size, made.line.text.size);
        if (line->text.size)
                assert_memory_equal(line->text.data, made.line.text.data, line->text.size);
        assert_memory_equal(line->text.data + line->text.size, zeros, JSON_PADDING);
        assert_string_equal(capture_line_exchange(reader), made.exchange);
}

/* Any lines of make_line in order, and holes; the count of each, and how often there was a hole. */
struct seen {
        uint64_t lines, lost, holes, last;
};

static inline int read_some(struct capture_reader *reader, struct seen *seen, struct error *error)
{
        struct capture_line line;
        int code;
        while ((code = capture_next(reader, &line, error)) == 1) {
                assert_int_equal(line.sequence, seen->last + 1);
                if (line.kind == CAPTURE_LOST) {
                        assert_true(line.number > 0);
                        seen->lost += (uint64_t)line.number;
                        seen->holes++;
                        seen->last += (uint64_t)line.number;
                } else {
                        assert_made(reader, &line);
                        seen->lines++;
                        seen->last++;
                }
        }
        return code;
}

static inline struct seen read_all(void)
{
        struct seen seen = {0};
        struct error error = {0};
        struct capture_reader *reader = open_reader();
        int code = read_some(reader, &seen, &error);
        if (code)
                print_error("%s\n", error.text);
        assert_int_equal(code, 0);
        capture_read_close(reader);
        return seen;
}

#endif
