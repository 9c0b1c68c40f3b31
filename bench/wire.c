#include "bench/wire.h"

#include <time.h>

#include <bson/bson.h>

#include "base/clock.h"
#include "store/mongo_client.h"

struct wire wire;

static struct {
        FILE *out;
        uint64_t documents, bytes; /* before the query */
        int64_t ns;
} trace;

void wire_trace(FILE *out)
{
        trace.out = out;
}

struct wire wire_since(const struct wire *before)
{
        return (struct wire){wire.queries - before->queries, wire.empty - before->empty,
            wire.documents - before->documents, wire.bytes - before->bytes,
            wire.writes - before->writes, wire.written - before->written,
            wire.written_bytes - before->written_bytes, wire.commands - before->commands,
            wire.library_ns - before->library_ns, wire.waited_ns - before->waited_ns};
}

struct call {
        int64_t wall_ns, cpu_ns;
};

static int64_t cpu_ns(void)
{
        struct timespec used;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
        return used.tv_sec * NS_PER_S + used.tv_nsec;
}

static struct call call_begin(void)
{
        return (struct call){clock_mono_ns(), cpu_ns()};
}

static void call_end(struct call call)
{
        int64_t used = cpu_ns() - call.cpu_ns;
        wire.library_ns += used;
        wire.waited_ns += clock_mono_ns() - call.wall_ns - used;
}

/* By the linker: the client's own functions, and those that are called in their place. */
#define WRAPPED(type, name, ...)                                                                   \
        type __real_##name(__VA_ARGS__);                                                           \
        type __wrap_##name(__VA_ARGS__)

WRAPPED(int, mongo_command, struct mongo *mongo, const bson_t *command, bson_t *ret_reply,
    struct error *error);
WRAPPED(int, mongo_write_command, struct mongo *mongo, const bson_t *command, bson_t *ret_reply,
    struct error *error);
WRAPPED(void, mongo_find, struct mongo *mongo, const char *collection, const bson_t *filter,
    const bson_t *opts, struct mongo_cursor **ret_cursor);
WRAPPED(int, mongo_cursor_next, struct mongo_cursor *cursor, const bson_t **ret_document,
    struct error *error);
WRAPPED(void, mongo_cursor_done, struct mongo_cursor *cursor);
WRAPPED(void, mongo_bulk_insert, struct mongo_bulk *bulk, const bson_t *document);
WRAPPED(void, mongo_bulk_replace, struct mongo_bulk *bulk, const bson_t *filter,
    const bson_t *document);
WRAPPED(int, mongo_bulk_run, struct mongo_bulk *bulk, bson_t *ret_reply, struct error *error);

int __wrap_mongo_command(
    struct mongo *mongo, const bson_t *command, bson_t *ret_reply, struct error *error)
{
        struct call call = call_begin();
        int code = __real_mongo_command(mongo, command, ret_reply, error);
        call_end(call);
        wire.commands++;
        return code;
}

int __wrap_mongo_write_command(
    struct mongo *mongo, const bson_t *command, bson_t *ret_reply, struct error *error)
{
        struct call call = call_begin();
        int code = __real_mongo_write_command(mongo, command, ret_reply, error);
        call_end(call);
        wire.commands++;
        return code;
}

static void trace_begin(const char *collection, const bson_t *filter, const bson_t *opts)
{
        bson_t none = BSON_INITIALIZER;
        char *question = bson_as_relaxed_extended_json(filter, NULL);
        char *options = bson_as_relaxed_extended_json(opts ? opts : &none, NULL);
        fprintf(trace.out, "%-9s %s %s", collection, question, options);
        bson_free(question);
        bson_free(options);
        bson_destroy(&none);
}

/* A find is asked when its first document is. */
void __wrap_mongo_find(struct mongo *mongo, const char *collection, const bson_t *filter,
    const bson_t *opts, struct mongo_cursor **ret_cursor)
{
        wire.queries++;
        if (trace.out)
                trace_begin(collection, filter, opts);
        trace.documents = wire.documents;
        trace.bytes = wire.bytes;
        trace.ns = wire.waited_ns + wire.library_ns;
        __real_mongo_find(mongo, collection, filter, opts, ret_cursor);
}

int __wrap_mongo_cursor_next(
    struct mongo_cursor *cursor, const bson_t **ret_document, struct error *error)
{
        struct call call = call_begin();
        int code = __real_mongo_cursor_next(cursor, ret_document, error);
        call_end(call);
        if (!code) {
                wire.documents++;
                wire.bytes += (*ret_document)->len;
        }
        return code;
}

void __wrap_mongo_cursor_done(struct mongo_cursor *cursor)
{
        struct call call = call_begin();
        __real_mongo_cursor_done(cursor);
        call_end(call);
        wire.empty += wire.documents == trace.documents;
        if (trace.out)
                fprintf(trace.out, " -> %llu documents, %llu bytes, %lld us\n",
                    (unsigned long long)(wire.documents - trace.documents),
                    (unsigned long long)(wire.bytes - trace.bytes),
                    (long long)((wire.waited_ns + wire.library_ns - trace.ns) / NS_PER_US));
}

void __wrap_mongo_bulk_insert(struct mongo_bulk *bulk, const bson_t *document)
{
        wire.written++;
        wire.written_bytes += document->len;
        __real_mongo_bulk_insert(bulk, document);
}

void __wrap_mongo_bulk_replace(
    struct mongo_bulk *bulk, const bson_t *filter, const bson_t *document)
{
        wire.written++;
        wire.written_bytes += document->len;
        __real_mongo_bulk_replace(bulk, filter, document);
}

int __wrap_mongo_bulk_run(struct mongo_bulk *bulk, bson_t *ret_reply, struct error *error)
{
        struct call call = call_begin();
        int code = __real_mongo_bulk_run(bulk, ret_reply, error);
        call_end(call);
        wire.writes++;
        return code;
}
