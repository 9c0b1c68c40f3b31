#include "store/mongo_client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mongoc/mongoc.h>

#include "base/bytes.h"

#define SELECTION_MS 5000
#define CONNECT_MS 5000
#define SOCKET_MS 10000
#define MAJORITY_MS 10000

struct mongo {
        mongoc_client_t *client;
        mongoc_database_t *database;
        mongoc_write_concern_t *majority;
        char label[256];
        uint32_t server_code;
};

struct mongo_cursor {
        struct mongo *mongo;
        mongoc_collection_t *collection;
        mongoc_cursor_t *cursor;
};

struct mongo_bulk {
        struct mongo *mongo;
        mongoc_collection_t *collection;
        mongoc_bulk_operation_t *bulk;
        bson_error_t refused; /* the first document that the library itself did not take */
};

/* Its lines would go to stderr beside ours, which say the same. */
static void silent_cb(mongoc_log_level_t level, const char *domain, const char *text, void *user)
{
        (void)level, (void)domain, (void)text, (void)user;
}

static void library_begin(void)
{
        mongoc_log_set_handler(silent_cb, NULL);
        mongoc_init();
}

static void library_use(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        pthread_once(&once, library_begin);
}

/* ---- errors ---- */

static int code_of_server(uint32_t code)
{
        switch (code) {
        case 13:   /* Unauthorized */
        case 18:   /* AuthenticationFailed */
        case 33:   /* a user that is not known */
        case 121:  /* DocumentValidationFailure */
        case 8000: /* a hosted service's own */
                return ERR_DENIED;
        case 10334: /* BSONObjectTooLarge */
        case 14031: /* OutOfDiskSpace */
        case 12501: /* quota exceeded */
                return ERR_FULL;
        default:
                return ERR_IO;
        }
}

static int code_of(struct mongo *mongo, const bson_error_t *why)
{
        bool server =
            why->domain == MONGOC_ERROR_SERVER || why->domain == MONGOC_ERROR_WRITE_CONCERN;
        mongo->server_code = server ? why->code : 0;
        if (server)
                return code_of_server(why->code);
        if (why->domain == MONGOC_ERROR_CLIENT && why->code == MONGOC_ERROR_CLIENT_AUTHENTICATE)
                return ERR_DENIED;
        if (why->domain == MONGOC_ERROR_BSON)
                return ERR_FULL; /* a document over the limit is found by the library itself */
        return ERR_IO;
}

static int fail(struct mongo *mongo, const bson_error_t *why, struct error *error)
{
        int code = code_of(mongo, why);
        return error_set(error, code, "MongoDB %s: %s", mongo->label,
            why->message[0] ? why->message : error_name(code));
}

/* ---- opening ---- */

/* Verification of the server's certificate is never off. */
static int check_tls(const mongoc_uri_t *uri, struct error *error)
{
        static const char *const names[] = {MONGOC_URI_TLSINSECURE,
            MONGOC_URI_TLSALLOWINVALIDCERTIFICATES, MONGOC_URI_TLSALLOWINVALIDHOSTNAMES};
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                if (mongoc_uri_get_option_as_bool(uri, names[i], false))
                        return error_set(error, ERR_USAGE,
                            "MongoDB: %s=true in the URI: certificates are always verified; name "
                            "the authority by tlsCAFile=",
                            names[i]);
        }
        return 0;
}

static void set_number(mongoc_uri_t *uri, const char *name, int32_t value)
{
        if (!mongoc_uri_has_option(uri, name))
                mongoc_uri_set_option_as_int32(uri, name, value);
}

static void set_options(mongoc_uri_t *uri, const char *password)
{
        set_number(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, SELECTION_MS);
        set_number(uri, MONGOC_URI_CONNECTTIMEOUTMS, CONNECT_MS);
        set_number(uri, MONGOC_URI_SOCKETTIMEOUTMS, SOCKET_MS);
        if (!mongoc_uri_has_option(uri, MONGOC_URI_SERVERSELECTIONTRYONCE))
                mongoc_uri_set_option_as_bool(uri, MONGOC_URI_SERVERSELECTIONTRYONCE, false);
        if (!mongoc_uri_has_option(uri, MONGOC_URI_COMPRESSORS))
                mongoc_uri_set_compressors(uri, "zstd");              /* where the server has it */
        if (!mongoc_uri_has_option(uri, MONGOC_URI_READCONCERNLEVEL)) /* what cannot be undone */
                mongoc_uri_set_option_as_utf8(uri, MONGOC_URI_READCONCERNLEVEL, "majority");
        if (!mongoc_uri_get_appname(uri))
                mongoc_uri_set_appname(uri, "oblogger");
        if (password && mongoc_uri_get_username(uri) && !mongoc_uri_get_password(uri))
                mongoc_uri_set_password(uri, password);
}

static mongoc_uri_t *parse_uri(const struct mongo_options *options, struct error *error)
{
        struct buffer text;
        bson_error_t why;
        bool whole = !strncmp(options->uri, "mongodb://", 10) ||
            !strncmp(options->uri, "mongodb+srv://", 14);
        buffer_init(&text, 65536);
        buffer_printf(&text, "%s%s%s", whole ? "" : "mongodb://", options->uri, whole ? "" : "/");
        buffer_append_byte(&text, 0);
        bool simple = whole || !strpbrk(options->uri, "/@?");
        mongoc_uri_t *uri =
            simple ? mongoc_uri_new_with_error((const char *)text.data, &why) : NULL;
        buffer_deinit(&text);
        if (!uri) /* its message may quote the text, which may hold a password */
                error_set(error, ERR_USAGE,
                    "MongoDB: the address is neither host:port nor a valid mongodb:// URI");
        return uri;
}

static void make_label(struct mongo *mongo, const mongoc_uri_t *uri, const char *database)
{
        size_t size = 0;
        for (const mongoc_host_list_t *host = mongoc_uri_get_hosts(uri); host; host = host->next) {
                int more = snprintf(mongo->label + size, sizeof(mongo->label) - size, "%s%s",
                    size ? "," : "", host->host_and_port);
                size += (size_t)more;
                if (size >= sizeof(mongo->label) - 1)
                        return;
        }
        snprintf(mongo->label + size, sizeof(mongo->label) - size, "/%s", database);
        text_make_printable(mongo->label);
}

int mongo_check(const struct mongo_options *options, struct error *error)
{
        library_use();
        mongoc_uri_t *uri = parse_uri(options, error);
        int code = uri ? check_tls(uri, error) : ERR_USAGE;
        if (uri)
                mongoc_uri_destroy(uri);
        return code;
}

int mongo_open(struct mongo **ret_mongo, const struct mongo_options *options, struct error *error)
{
        bson_error_t why = {0};
        library_use();
        mongoc_uri_t *uri = parse_uri(options, error);
        if (!uri)
                return ERR_USAGE;
        int code = check_tls(uri, error);
        set_options(uri, options->password);
        mongoc_client_t *client = code ? NULL : mongoc_client_new_from_uri_with_error(uri, &why);
        if (!code && !client)
                code = error_set(error, ERR_USAGE, "MongoDB: the URI cannot be used: %s",
                    why.code ? why.message : "check its options");
        if (!code) {
                struct mongo *mongo = memory_new(sizeof(*mongo));
                const char *named = mongoc_uri_get_database(uri);
                const char *database = named && *named ? named : options->database;
                mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
                mongo->client = client;
                mongo->database = mongoc_client_get_database(client, database);
                mongo->majority = mongoc_write_concern_new();
                mongoc_write_concern_set_wmajority(mongo->majority, MAJORITY_MS);
                mongoc_write_concern_set_journal(mongo->majority, true);
                make_label(mongo, uri, database);
                *ret_mongo = mongo;
        }
        mongoc_uri_destroy(uri);
        return code;
}

void mongo_close(struct mongo *mongo)
{
        if (!mongo)
                return;
        mongoc_write_concern_destroy(mongo->majority);
        mongoc_database_destroy(mongo->database);
        mongoc_client_destroy(mongo->client);
        free(mongo);
}

const char *mongo_label(const struct mongo *mongo)
{
        return mongo->label;
}

uint32_t mongo_server_code(const struct mongo *mongo)
{
        return mongo->server_code;
}

/* ---- commands ---- */

int mongo_command(
    struct mongo *mongo, const bson_t *command, bson_t *ret_reply, struct error *error)
{
        bson_error_t why = {0};
        mongo->server_code = 0;
        return mongoc_database_command_with_opts(
                   mongo->database, command, NULL, NULL, ret_reply, &why)
            ? 0
            : fail(mongo, &why, error);
}

int mongo_write_command(
    struct mongo *mongo, const bson_t *command, bson_t *ret_reply, struct error *error)
{
        bson_error_t why = {0};
        bson_t opts = BSON_INITIALIZER;
        mongo->server_code = 0;
        mongoc_write_concern_append(mongo->majority, &opts);
        bool done = mongoc_database_write_command_with_opts(
            mongo->database, command, &opts, ret_reply, &why);
        bson_destroy(&opts);
        return done ? 0 : fail(mongo, &why, error);
}

/* ---- finding ---- */

void mongo_find(struct mongo *mongo, const char *collection, const bson_t *filter,
    const bson_t *opts, struct mongo_cursor **ret_cursor)
{
        struct mongo_cursor *cursor = memory_new(sizeof(*cursor));
        cursor->mongo = mongo;
        cursor->collection = mongoc_database_get_collection(mongo->database, collection);
        cursor->cursor = mongoc_collection_find_with_opts(cursor->collection, filter, opts, NULL);
        *ret_cursor = cursor;
}

int mongo_cursor_next(struct mongo_cursor *cursor, const bson_t **ret_document, struct error *error)
{
        bson_error_t why = {0};
        cursor->mongo->server_code = 0;
        if (mongoc_cursor_next(cursor->cursor, ret_document))
                return 0;
        return mongoc_cursor_error(cursor->cursor, &why) ? fail(cursor->mongo, &why, error)
                                                         : ERR_NOT_FOUND;
}

void mongo_cursor_done(struct mongo_cursor *cursor)
{
        if (!cursor)
                return;
        mongoc_cursor_destroy(cursor->cursor);
        mongoc_collection_destroy(cursor->collection);
        free(cursor);
}

/* ---- bulks ---- */

struct mongo_bulk *mongo_bulk_begin(struct mongo *mongo, const char *collection, bool ordered)
{
        struct mongo_bulk *bulk = memory_new(sizeof(*bulk));
        bson_t opts = BSON_INITIALIZER;
        bulk->mongo = mongo;
        bulk->collection = mongoc_database_get_collection(mongo->database, collection);
        BSON_APPEND_BOOL(&opts, "ordered", ordered);
        mongoc_write_concern_append(mongo->majority, &opts);
        bulk->bulk = mongoc_collection_create_bulk_operation_with_opts(bulk->collection, &opts);
        bson_destroy(&opts);
        return bulk;
}

/* Field names hold points in one layout, and are ours in the others. */
static bson_t *no_checks(bson_t *opts)
{
        bson_init(opts);
        BSON_APPEND_BOOL(opts, "validate", false);
        return opts;
}

void mongo_bulk_insert(struct mongo_bulk *bulk, const bson_t *document)
{
        bson_t opts;
        bson_error_t why;
        if (!mongoc_bulk_operation_insert_with_opts(bulk->bulk, document, no_checks(&opts), &why) &&
            !bulk->refused.code)
                bulk->refused = why;
        bson_destroy(&opts);
}

void mongo_bulk_replace(struct mongo_bulk *bulk, const bson_t *filter, const bson_t *document)
{
        bson_t opts;
        bson_error_t why;
        BSON_APPEND_BOOL(no_checks(&opts), "upsert", true);
        if (!mongoc_bulk_operation_replace_one_with_opts(
                bulk->bulk, filter, document, &opts, &why) &&
            !bulk->refused.code)
                bulk->refused = why;
        bson_destroy(&opts);
}

void mongo_bulk_delete(struct mongo_bulk *bulk, const bson_t *filter)
{
        bson_error_t why;
        if (!mongoc_bulk_operation_remove_many_with_opts(bulk->bulk, filter, NULL, &why) &&
            !bulk->refused.code)
                bulk->refused = why;
}

/* The first document that was refused, and the server's word on it, where it tells one. */
static void tell_refused(const bson_t *reply, struct error *error)
{
        bson_iter_t iter, path;
        size_t size = error ? strlen(error->text) : 0;
        bool more = error && bson_iter_init(&iter, reply) &&
            bson_iter_find_descendant(&iter, "writeErrors.0", &path);
        uint32_t length = 0;
        const uint8_t *data = NULL;
        bson_t first;
        if (!more || !BSON_ITER_HOLDS_DOCUMENT(&path))
                return;
        bson_iter_document(&path, &length, &data);
        if (!bson_init_static(&first, data, length) || !bson_iter_init(&iter, &first) ||
            !bson_iter_find_descendant(&iter, "errInfo", &path) || !BSON_ITER_HOLDS_DOCUMENT(&path))
                return;
        bson_iter_document(&path, &length, &data);
        if (!bson_init_static(&first, data, length))
                return;
        char *text = bson_as_relaxed_extended_json(&first, NULL);
        snprintf(error->text + size, sizeof(error->text) - size, ": %s", text ? text : "?");
        bson_free(text);
        text_make_printable(error->text);
}

/* Were inserts that met their _id all that went wrong? */
static bool only_duplicates(const bson_t *reply)
{
        bson_iter_t iter, errors, field;
        bool some = false;
        if (bson_iter_init_find(&iter, reply, "writeConcernErrors") &&
            BSON_ITER_HOLDS_ARRAY(&iter) && bson_iter_recurse(&iter, &errors) &&
            bson_iter_next(&errors))
                return false;
        if (!bson_iter_init_find(&iter, reply, "writeErrors") || !BSON_ITER_HOLDS_ARRAY(&iter) ||
            !bson_iter_recurse(&iter, &errors))
                return false;
        while (bson_iter_next(&errors)) {
                if (!BSON_ITER_HOLDS_DOCUMENT(&errors) || !bson_iter_recurse(&errors, &field) ||
                    !bson_iter_find(&field, "code") || bson_iter_as_int64(&field) != 11000)
                        return false;
                some = true;
        }
        return some;
}

int mongo_bulk_run(struct mongo_bulk *bulk, bson_t *ret_reply, struct error *error)
{
        bson_error_t why = {0};
        int code = 0;
        bulk->mongo->server_code = 0;
        if (bulk->refused.code) {
                bson_init(ret_reply);
                code = fail(bulk->mongo, &bulk->refused, error);
        } else if (!mongoc_bulk_operation_execute(bulk->bulk, ret_reply, &why)) {
                code =
                    only_duplicates(ret_reply) ? MONGO_DUPLICATE : fail(bulk->mongo, &why, error);
                if (code < 0)
                        tell_refused(ret_reply, error);
        }
        mongoc_bulk_operation_destroy(bulk->bulk);
        mongoc_collection_destroy(bulk->collection);
        free(bulk);
        return code;
}
