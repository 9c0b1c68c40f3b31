/* What the tests of the older system's layout share: files of mongodump, and reading them. */
#ifndef TESTS_UNIT_LEGACY_HELP_H
#define TESTS_UNIT_LEGACY_HELP_H

#include <bson/bson.h>

#include "record/import.h"
#include "store/legacy.h"
#include "tests/unit/record_help.h"

struct dump {
        char path[64];
        FILE *file;
};

static inline struct dump dump_begin(void)
{
        struct dump dump = {.path = "/tmp/legacy-XXXXXX"};
        int number = mkstemp(dump.path);
        assert_true(number >= 0);
        dump.file = fdopen(number, "wb");
        assert_non_null(dump.file);
        return dump;
}

static inline void dump_bson(struct dump *dump, const bson_t *document)
{
        assert_int_equal(
            fwrite(bson_get_data(document), 1, document->len, dump->file), document->len);
}

/* A document as extended JSON, ' for ". */
__attribute__((format(printf, 2, 3))) static inline void dump_add(
    struct dump *dump, const char *format, ...)
{
        char json[4096];
        bson_error_t error;
        va_list args;
        va_start(args, format);
        assert_in_range(vsnprintf(json, sizeof(json), format, args), 1, sizeof(json) - 1);
        va_end(args);
        for (char *c = json; *c; c++)
                *c = *c == '\'' ? '"' : *c;
        bson_t *document = bson_new_from_json((const uint8_t *)json, -1, &error);
        if (!document)
                fail_msg("%s: %s", json, error.message);
        dump_bson(dump, document);
        bson_destroy(document);
}

static inline void dump_end(struct dump *dump)
{
        assert_int_equal(fclose(dump->file), 0);
        dump->file = NULL;
}

static inline struct legacy_source *open_must(const struct legacy_source_options *from)
{
        struct legacy_source *source = NULL;
        struct error error = {0};
        if (legacy_mongo.open(&source, from, &error))
                fail_msg("open: %s", error.text);
        return source;
}

static inline struct legacy_source *source_must(const char *file)
{
        return open_must(&(struct legacy_source_options){.path = file});
}

/* The next document, which is there. */
static inline struct legacy_document next_must(struct legacy_source *source)
{
        struct legacy_document document = {0};
        struct error error = {0};
        int code = legacy_mongo.next(source, &document, &error);
        if (code)
                fail_msg("next: %d %s", code, error.text);
        return document;
}

static inline void assert_no_more(struct legacy_source *source)
{
        struct legacy_document document;
        struct error error = {0};
        assert_int_equal(legacy_mongo.next(source, &document, &error), ERR_NOT_FOUND);
        legacy_mongo.close(source);
}

/* All documents into @store, as obrebuild does it. */
static inline struct import_result import_from(
    struct store *store, const struct legacy_source_options *from)
{
        struct import_survey *survey = import_survey_new();
        struct legacy_source *source = open_must(from);
        struct legacy_document document;
        struct import_result result;
        struct recorder *recorder;
        struct import *import;
        struct record_options options = record_defaults;
        struct error error = {0};
        while (
            !legacy_mongo.next(source, &document, &error) && import_survey_add(survey, &document))
                ;
        legacy_mongo.close(source);
        options.without_thread = true;
        assert_int_equal(recorder_open(&recorder, store, &options, &error), 0);
        assert_int_equal(import_open(&import, recorder, "binance", "BTCUSDT", survey, &error), 0);
        source = open_must(from);
        int code;
        while (!(code = legacy_mongo.next(source, &document, &error))) {
                assert_int_equal(import_document(import, &document, &error), 0);
                if (import_result(import)->documents % 100 == 0)
                        recorder_tick(recorder, import_result(import)->now_ns);
        }
        if (code != ERR_NOT_FOUND)
                fail_msg("next: %s", error.text);
        legacy_mongo.close(source);
        import_close(import, &result);
        assert_int_equal(recorder_close(recorder, result.now_ns, NS_PER_S, &error), 0);
        import_survey_free(survey);
        return result;
}

static inline struct import_result import_must(struct store *store, const char *file)
{
        return import_from(store, &(struct legacy_source_options){.path = file});
}

static inline struct store *memory_must(const char *name)
{
        return feed_store(&store_memory, name);
}

#endif
