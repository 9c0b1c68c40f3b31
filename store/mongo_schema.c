/* The agreement of a database: each collection's validator and indexes, as they stand in
 * schema/mongodb/collections.json, which is built into the program.
 *
 * Asked for at each start; where all is as it should be nothing is changed. A server that refuses a
 * part (no rights, or it knows no validators) is no reason not to record: a line a cause, and on.
 * What is lost then is the server's own check of what is written, or the speed of reading. */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <bson/bson.h>

#include "base/log.h"
#include "store/mongo_client.h"
#include "store/mongo_internal.h"

/* Made from the file by CMake. */
extern const uint8_t mongo_schema_json[];
extern const size_t mongo_schema_json_size;

#define NAMESPACE_EXISTS 48 /* another logger was faster */
#define CAUSES_MAX 16

enum part {
        PART_VALIDATOR = 1,
        PART_INDEX = 2,
};

/* By parts that are missing. */
static const char *const without[] = {
    [PART_VALIDATOR] = "validators are not set, so it does not check what is written",
    [PART_INDEX] = "an index is missing, so that reading may take long",
    [PART_VALIDATOR | PART_INDEX] = "validators and indexes are not set, so it does not check what "
                                    "is written, and reading may take long",
};

/* What a server refused, by its code. */
struct cause {
        uint32_t code;
        unsigned parts;
        bool denied;
        struct error why;
};

struct schema {
        struct mongo *mongo;
        struct error *error;
        bson_t listed; /* the answer to listCollections */
        struct cause causes[CAUSES_MAX];
        unsigned cause_count;
        unsigned collections_changed, indexes_made;
};

/* ---- what the server may refuse ---- */

/* No verdict on the command: the same may be taken a moment later. */
static bool code_is_passing(uint32_t code)
{
        static const uint32_t codes[] = {
            6,     /* HostUnreachable */
            7,     /* HostNotFound */
            46,    /* LockBusy */
            50,    /* MaxTimeMSExpired */
            64,    /* WriteConcernFailed */
            89,    /* NetworkTimeout */
            91,    /* ShutdownInProgress */
            112,   /* WriteConflict */
            117,   /* ConflictingOperationInProgress */
            189,   /* PrimarySteppedDown */
            262,   /* ExceededTimeLimit */
            9001,  /* SocketException */
            10107, /* NotWritablePrimary */
            11600, /* InterruptedAtShutdown */
            11602, /* InterruptedDueToReplStateChange */
            13435, /* NotPrimaryNoSecondaryOk */
            13436, /* NotPrimaryOrSecondary */
            14031, /* OutOfDiskSpace */
        };
        for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
                if (codes[i] == code)
                        return true;
        }
        return false;
}

static void cause_note(struct schema *schema, enum part part, int code, const struct error *why)
{
        uint32_t server_code = mongo_server_code(schema->mongo);
        unsigned i = 0;
        while (i < schema->cause_count && schema->causes[i].code != server_code)
                i++;
        if (i == CAUSES_MAX)
                return;
        if (i == schema->cause_count) {
                schema->causes[schema->cause_count++] =
                    (struct cause){.code = server_code, .denied = code == ERR_DENIED, .why = *why};
        }
        schema->causes[i].parts |= part;
}

/* Once a process: the agreement is asked for again after each loss of the connection. */
static bool cause_is_new(uint32_t code)
{
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        static uint32_t told[CAUSES_MAX];
        static unsigned count;
        unsigned i = 0;
        pthread_mutex_lock(&lock);
        while (i < count && told[i] != code)
                i++;
        bool fresh = i == count && count < CAUSES_MAX;
        if (fresh)
                told[count++] = code;
        pthread_mutex_unlock(&lock);
        return fresh;
}

static void tell_causes(const struct schema *schema)
{
        for (unsigned i = 0; i < schema->cause_count; i++) {
                const struct cause *cause = &schema->causes[i];
                if (cause_is_new(cause->code))
                        log_warning("%s (code %u): %s%s", cause->why.text, cause->code,
                            without[cause->parts],
                            cause->denied ? "; schema/mongodb/apply.js does it with the rights"
                                          : "");
        }
}

/* After a command that failed with @code: is it the server's word that it will not do it? */
static bool is_refusal(const struct schema *schema)
{
        uint32_t server_code = mongo_server_code(schema->mongo);
        return server_code && !code_is_passing(server_code);
}

/* The same, with 0 for a refusal, which is kept to be told. */
static int refused(struct schema *schema, enum part part, int code, const struct error *why)
{
        if (!is_refusal(schema))
                return error_set(schema->error, code, "%s", why->text);
        cause_note(schema, part, code, why);
        return 0;
}

/* ---- what there is ---- */

static bool document_at(const bson_iter_t *at, bson_t *ret_document)
{
        const uint8_t *data;
        uint32_t size;
        if (BSON_ITER_HOLDS_DOCUMENT(at))
                bson_iter_document(at, &size, &data);
        else if (BSON_ITER_HOLDS_ARRAY(at))
                bson_iter_array(at, &size, &data);
        else
                return false;
        return bson_init_static(ret_document, data, size);
}

/* The document or array that @document has at @path ("a.b"). */
static bool document_in(const bson_t *document, const char *path, bson_t *ret_document)
{
        bson_iter_t top, at;
        return bson_iter_init(&top, document) && bson_iter_find_descendant(&top, path, &at) &&
            document_at(&at, ret_document);
}

static const char *text_in(const bson_t *document, const char *name)
{
        bson_iter_t at;
        bool found = bson_iter_init_find(&at, document, name) && BSON_ITER_HOLDS_UTF8(&at);
        return found ? bson_iter_utf8(&at, NULL) : "";
}

/* The collections of the agreement that the database has, with their options. Where it does not
 * list them, what follows finds out. */
static int list(struct schema *schema, const bson_t *collections)
{
        struct error why;
        bson_t command, filter, in, names;
        bson_iter_t at;
        char index[16];
        const char *key;
        uint32_t count = 0;
        bson_init(&command);
        BSON_APPEND_INT32(&command, "listCollections", 1);
        BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
        BSON_APPEND_DOCUMENT_BEGIN(&filter, "name", &in);
        BSON_APPEND_ARRAY_BEGIN(&in, "$in", &names);
        for (bson_iter_init(&at, collections); bson_iter_next(&at); count++) {
                bson_t wanted;
                size_t size = bson_uint32_to_string(count, &key, index, sizeof(index));
                if (document_at(&at, &wanted))
                        bson_append_utf8(&names, key, (int)size, text_in(&wanted, "name"), -1);
        }
        bson_append_array_end(&in, &names);
        bson_append_document_end(&filter, &in);
        bson_append_document_end(&command, &filter);
        int code = mongo_command(schema->mongo, &command, &schema->listed, &why);
        bson_destroy(&command);
        if (code && !is_refusal(schema))
                return error_set(schema->error, code, "%s", why.text);
        return 0;
}

/* What the database says of the collection. */
static bool find_listed(const struct schema *schema, const char *name, bson_t *ret_collection)
{
        bson_t batch;
        bson_iter_t at;
        if (!document_in(&schema->listed, "cursor.firstBatch", &batch))
                return false;
        for (bson_iter_init(&at, &batch); bson_iter_next(&at);) {
                if (document_at(&at, ret_collection) &&
                    !strcmp(text_in(ret_collection, "name"), name))
                        return true;
        }
        return false;
}

/* ---- what there shall be ---- */

/* One of create, collMod: @verb @name with @validator. */
static int run_with_validator(struct schema *schema, const char *verb, const char *name,
    const bson_t *validator, struct error *why)
{
        bson_t *command = bson_new();
        BSON_APPEND_UTF8(command, verb, name);
        BSON_APPEND_DOCUMENT(command, "validator", validator);
        int code = mongo_write_command(schema->mongo, command, NULL, why);
        bson_destroy(command);
        if (!code)
                schema->collections_changed++;
        return code;
}

static int apply_validator(struct schema *schema, const char *name, const bson_t *validator)
{
        struct error why;
        bson_t listed, present;
        bool there = find_listed(schema, name, &listed);
        if (there && document_in(&listed, "options.validator", &present) &&
            bson_equal(&present, validator))
                return 0;
        int code = there ? 0 : run_with_validator(schema, "create", name, validator, &why);
        if (there || (code && mongo_server_code(schema->mongo) == NAMESPACE_EXISTS))
                code = run_with_validator(schema, "collMod", name, validator, &why);
        return code ? refused(schema, PART_VALIDATOR, code, &why) : 0;
}

static int64_t number_in(const bson_t *document, const char *name)
{
        bson_iter_t at;
        return bson_iter_init_find(&at, document, name) ? bson_iter_as_int64(&at) : 0;
}

/* Nothing where it is there already. By itself, so that one that is refused stops no other. */
static int apply_index(struct schema *schema, const char *name, const bson_t *index)
{
        struct error why;
        bson_t indexes, reply, *command = bson_new();
        BSON_APPEND_UTF8(command, "createIndexes", name);
        BSON_APPEND_ARRAY_BEGIN(command, "indexes", &indexes);
        BSON_APPEND_DOCUMENT(&indexes, "0", index);
        bson_append_array_end(command, &indexes);
        int code = mongo_write_command(schema->mongo, command, &reply, &why);
        if (!code && number_in(&reply, "numIndexesAfter") > number_in(&reply, "numIndexesBefore"))
                schema->indexes_made++;
        bson_destroy(&reply);
        bson_destroy(command);
        return code ? refused(schema, PART_INDEX, code, &why) : 0;
}

static int apply_collection(struct schema *schema, const bson_t *collection)
{
        const char *name = text_in(collection, "name");
        bson_t validator, indexes, index;
        bson_iter_t at;
        int code = 0;
        if (document_in(collection, "validator", &validator))
                code = apply_validator(schema, name, &validator);
        if (code || !document_in(collection, "indexes", &indexes))
                return code;
        for (bson_iter_init(&at, &indexes); !code && bson_iter_next(&at);) {
                if (document_at(&at, &index))
                        code = apply_index(schema, name, &index);
        }
        return code;
}

static int apply(struct schema *schema, const bson_t *collections)
{
        bson_t collection;
        bson_iter_t at;
        int code = list(schema, collections);
        for (bson_iter_init(&at, collections); !code && bson_iter_next(&at);) {
                if (document_at(&at, &collection))
                        code = apply_collection(schema, &collection);
        }
        return code;
}

int mongo_schema_apply(struct mongo *mongo, struct error *error)
{
        struct schema schema = {.mongo = mongo, .error = error};
        bson_error_t why;
        bson_t collections;
        bson_t *agreement =
            bson_new_from_json(mongo_schema_json, (ssize_t)mongo_schema_json_size, &why);
        if (!agreement || !document_in(agreement, "collections", &collections)) {
                bson_destroy(agreement);
                return error_set(error, ERR_PARSE, "collections.json: it has no collections");
        }
        int code = apply(&schema, &collections);
        tell_causes(&schema);
        if (!code && (schema.collections_changed || schema.indexes_made))
                log_info("MongoDB %s: %u validators set, %u indexes made", mongo_label(mongo),
                    schema.collections_changed, schema.indexes_made);
        bson_destroy(&schema.listed);
        bson_destroy(agreement);
        return code;
}
