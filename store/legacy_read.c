/* Legacy documents out of a database or a file, in order. A few documents wait in a window, so that
 * those that lie slightly out of order come by their times. */
#include "store/legacy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <bson/bson.h>

#include "base/bytes.h"
#include "store/legacy_parse.h"
#include "store/mongo_client.h"

#define WINDOW 16
#define DOCUMENT_SIZE_MIN 5
#define DOCUMENT_SIZE_MAX (17u << 20) /* a server keeps no more than 16 MiB */
#define COLLECTIONS_MAX 100000
#define CURSORS 2

struct waiting {
        bson_t *document;
        struct legacy_order order;
        uint64_t offset;
};

struct legacy_source {
        struct legacy_parser *parser;
        char *recorder; /* NULL: any */
        struct waiting window[WINDOW];
        size_t waiting;
        bson_t *given; /* borrowed by the caller */
        uint64_t number;
        int end; /* what came in place of a further document */
        struct error error;
        /* of a file */
        FILE *file;
        char *path;
        uint64_t offset, size;
        uint64_t read; /* documents */
        uint8_t *bytes;
        size_t capacity;
        bson_t document; /* in bytes */
        /* of a database */
        struct mongo *mongo;
        char *collection;
        struct mongo_cursor *cursor;
        unsigned cursors; /* begun: older documents first, then those with our fields */
};

/* ---- a file ---- */

static int damaged(struct legacy_source *self, const char *what, struct error *error)
{
        return error_set(error, ERR_CORRUPT,
            "%s: byte %llu, after %llu documents: %s; what comes before was taken", self->path,
            (unsigned long long)self->offset, (unsigned long long)self->read, what);
}

static int short_read(struct legacy_source *self, struct error *error)
{
        if (ferror(self->file))
                return error_set(error, ERR_IO, "%s: %s", self->path, strerror(errno));
        return damaged(self, "the document is cut", error);
}

static int file_size(struct legacy_source *self, const uint8_t head[4], struct error *error)
{
        uint32_t size =
            head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
        if (!self->offset && head[0] == 0x1f && head[1] == 0x8b)
                return damaged(self, "it is compressed: gunzip it first", error);
        if (size < DOCUMENT_SIZE_MIN || size > DOCUMENT_SIZE_MAX)
                return damaged(self, "no document begins here", error);
        if (self->capacity < size) {
                self->bytes = memory_resize(self->bytes, size);
                self->capacity = size;
        }
        return (int)size;
}

static int file_next(struct legacy_source *self, const bson_t **ret_document, struct error *error)
{
        uint8_t head[4];
        size_t got = fread(head, 1, sizeof(head), self->file);
        if (!got && feof(self->file))
                return ERR_NOT_FOUND;
        if (got < sizeof(head))
                return short_read(self, error);
        int size = file_size(self, head, error);
        if (size < 0)
                return size;
        memcpy(self->bytes, head, sizeof(head));
        if (fread(self->bytes + 4, 1, (size_t)size - 4, self->file) != (size_t)size - 4)
                return short_read(self, error);
        if (!bson_init_static(&self->document, self->bytes, (size_t)size) ||
            !bson_validate(&self->document, BSON_VALIDATE_NONE, NULL))
                return damaged(self, "the document is damaged", error);
        self->offset += (uint64_t)size;
        self->read++;
        *ret_document = &self->document;
        return 0;
}

static int file_open(struct legacy_source *self, const char *path, struct error *error)
{
        struct stat about;
        self->path = memory_text(path);
        self->file = fopen(path, "rbe");
        if (!self->file)
                return error_set(error, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path,
                    strerror(errno));
        if (fstat(fileno(self->file), &about) || !S_ISREG(about.st_mode))
                return error_set(error, ERR_IO, "%s: it is no file", path);
        self->size = (uint64_t)about.st_size;
        return 0;
}

/* ---- a database ---- */

/* Does the server sort by time without holding all of them? */
static bool has_time_index(struct legacy_source *self)
{
        bson_t command = BSON_INITIALIZER, reply;
        bson_iter_t at, indexes, key;
        struct error ignored;
        bool found = false;
        BSON_APPEND_UTF8(&command, "listIndexes", self->collection);
        int code = mongo_command(self->mongo, &command, &reply, &ignored);
        if (!code && bson_iter_init(&at, &reply) &&
            bson_iter_find_descendant(&at, "cursor.firstBatch", &indexes) &&
            BSON_ITER_HOLDS_ARRAY(&indexes) && bson_iter_recurse(&indexes, &at)) {
                while (!found && bson_iter_next(&at)) {
                        found = BSON_ITER_HOLDS_DOCUMENT(&at) && bson_iter_recurse(&at, &key) &&
                            bson_iter_find(&key, "key") && BSON_ITER_HOLDS_DOCUMENT(&key) &&
                            bson_iter_recurse(&key, &indexes) && bson_iter_next(&indexes) &&
                            !strcmp(bson_iter_key(&indexes), "DateTime");
                }
        }
        bson_destroy(&reply);
        bson_destroy(&command);
        return found;
}

/* What the older system wrote has no recorder, and object ids, which ascend with the time; our own
 * ids are texts that ascend as the record does. */
static bool begin_cursor(struct legacy_source *self)
{
        bool ours = self->cursors > 0 || self->recorder;
        bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, exists, sort;
        if (self->cursors == CURSORS || (self->recorder && self->cursors))
                return false;
        self->cursors++;
        if (self->recorder) {
                BSON_APPEND_UTF8(&filter, "recorder", self->recorder);
        } else {
                BSON_APPEND_DOCUMENT_BEGIN(&filter, "recorder", &exists);
                BSON_APPEND_BOOL(&exists, "$exists", ours);
                bson_append_document_end(&filter, &exists);
        }
        BSON_APPEND_DOCUMENT_BEGIN(&opts, "sort", &sort);
        BSON_APPEND_INT32(&sort, !ours && has_time_index(self) ? "DateTime" : "_id", 1);
        bson_append_document_end(&opts, &sort);
        mongo_find(self->mongo, self->collection, &filter, &opts, &self->cursor);
        bson_destroy(&filter);
        bson_destroy(&opts);
        return true;
}

static void end_cursor(struct legacy_source *self)
{
        if (self->cursor)
                mongo_cursor_done(self->cursor);
        self->cursor = NULL;
}

static int database_next(
    struct legacy_source *self, const bson_t **ret_document, struct error *error)
{
        while (self->cursor || begin_cursor(self)) {
                int code = mongo_cursor_next(self->cursor, ret_document, error);
                if (code != ERR_NOT_FOUND)
                        return code;
                end_cursor(self);
        }
        return ERR_NOT_FOUND;
}

static int open_mongo(
    struct mongo **ret_mongo, const struct legacy_source_options *options, struct error *error)
{
        struct mongo_options connection = {
            .uri = options->path, .database = options->database, .password = options->password};
        return mongo_open(ret_mongo, &connection, error);
}

/* ---- order ---- */

static int read_one(struct legacy_source *self, const bson_t **ret_document)
{
        return self->file ? file_next(self, ret_document, &self->error)
                          : database_next(self, ret_document, &self->error);
}

static void window_fill(struct legacy_source *self)
{
        const bson_t *document;
        while (!self->end && self->waiting < WINDOW) {
                self->end = read_one(self, &document);
                if (self->end)
                        break;
                struct waiting *waiting = &self->window[self->waiting];
                legacy_order(document, &waiting->order);
                if (self->recorder && strcmp(waiting->order.recorder, self->recorder))
                        continue;
                waiting->document = bson_copy(document);
                waiting->offset = self->offset;
                self->waiting++;
        }
}

/* The earliest of those that wait; none passes one that is in order by itself. */
static size_t window_first(const struct legacy_source *self)
{
        size_t first = 0;
        for (size_t i = 0; i < self->waiting && self->window[i].order.by_time; i++) {
                if (self->window[i].order.time_ns < self->window[first].order.time_ns)
                        first = i;
        }
        return first;
}

static int source_next(
    struct legacy_source *self, struct legacy_document *ret_document, struct error *error)
{
        window_fill(self);
        if (!self->waiting) {
                if (error && self->end != ERR_NOT_FOUND)
                        *error = self->error;
                return self->end;
        }
        size_t first = window_first(self);
        struct waiting waiting = self->window[first];
        self->waiting--;
        memmove(&self->window[first], &self->window[first + 1],
            (self->waiting - first) * sizeof(self->window[0]));
        bson_destroy(self->given);
        self->given = waiting.document;
        legacy_parse(self->parser, waiting.document, ret_document);
        ret_document->number = ++self->number;
        ret_document->offset = waiting.offset;
        return 0;
}

/* ---- opening ---- */

static void source_close(struct legacy_source *self)
{
        end_cursor(self);
        mongo_close(self->mongo);
        if (self->file)
                fclose(self->file);
        for (size_t i = 0; i < self->waiting; i++)
                bson_destroy(self->window[i].document);
        bson_destroy(self->given);
        legacy_parser_free(self->parser);
        free(self->recorder);
        free(self->collection);
        free(self->path);
        free(self->bytes);
        free(self);
}

static int source_open(struct legacy_source **ret_source,
    const struct legacy_source_options *options, struct error *error)
{
        struct legacy_source *self = memory_new(sizeof(*self));
        int code;
        self->parser = legacy_parser_new();
        self->recorder = options->recorder ? memory_text(options->recorder) : NULL;
        if (options->collection) {
                self->collection = memory_text(options->collection);
                code = open_mongo(&self->mongo, options, error);
        } else {
                code = file_open(self, options->path, error);
        }
        if (code) {
                source_close(self);
                return code;
        }
        *ret_source = self;
        return 0;
}

static uint64_t source_size(const struct legacy_source *self)
{
        return self->size;
}

/* ---- which collections ---- */

static int first_is_legacy(
    struct mongo *mongo, const char *collection, bool *ret_legacy, struct error *error)
{
        bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER;
        struct mongo_cursor *cursor;
        const bson_t *document;
        BSON_APPEND_INT64(&opts, "limit", 1);
        mongo_find(mongo, collection, &filter, &opts, &cursor);
        int code = mongo_cursor_next(cursor, &document, error);
        *ret_legacy = !code && legacy_looks(document);
        mongo_cursor_done(cursor);
        bson_destroy(&filter);
        bson_destroy(&opts);
        return code == ERR_NOT_FOUND ? 0 : code;
}

static int list_names(struct mongo *mongo, bson_t *ret_reply, struct error *error)
{
        bson_t command = BSON_INITIALIZER, cursor;
        BSON_APPEND_INT32(&command, "listCollections", 1);
        BSON_APPEND_BOOL(&command, "nameOnly", true);
        BSON_APPEND_DOCUMENT_BEGIN(&command, "cursor", &cursor);
        BSON_APPEND_INT32(&cursor, "batchSize", COLLECTIONS_MAX);
        bson_append_document_end(&command, &cursor);
        int code = mongo_command(mongo, &command, ret_reply, error);
        bson_destroy(&command);
        return code;
}

struct names {
        char **list;
        size_t count;
};

static int take_name(
    struct mongo *mongo, const bson_iter_t *entry, struct names *names, struct error *error)
{
        bson_iter_t field;
        bool legacy;
        if (!BSON_ITER_HOLDS_DOCUMENT(entry) || !bson_iter_recurse(entry, &field) ||
            !bson_iter_find(&field, "name") || !BSON_ITER_HOLDS_UTF8(&field))
                return 0;
        const char *name = bson_iter_utf8(&field, NULL);
        if (!strncmp(name, "system.", 7))
                return 0;
        int code = first_is_legacy(mongo, name, &legacy, error);
        if (code || !legacy)
                return code;
        names->list = memory_resize(names->list, (names->count + 1) * sizeof(char *));
        names->list[names->count++] = memory_text(name);
        return 0;
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static int source_collections(const struct legacy_source_options *options, char ***ret_names,
    size_t *ret_count, struct error *error)
{
        struct mongo *mongo;
        struct names names = {0};
        bson_t reply;
        bson_iter_t at, batch;
        int code = open_mongo(&mongo, options, error);
        if (code)
                return code;
        code = list_names(mongo, &reply, error);
        if (!code && bson_iter_init(&at, &reply) &&
            bson_iter_find_descendant(&at, "cursor.firstBatch", &batch) &&
            BSON_ITER_HOLDS_ARRAY(&batch) && bson_iter_recurse(&batch, &at)) {
                while (!code && bson_iter_next(&at))
                        code = take_name(mongo, &at, &names, error);
        }
        bson_destroy(&reply);
        mongo_close(mongo);
        if (names.count)
                qsort(names.list, names.count, sizeof(char *), compare_names);
        *ret_names = names.list;
        *ret_count = names.count;
        return code;
}

const struct legacy_ops legacy_mongo = {
    source_open, source_next, source_close, source_size, source_collections};
