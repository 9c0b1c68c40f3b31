/* The recorder's document: whose record it is, which days it has, and who may write.
 *
 * One store writes under one name: the uuid of the first one stays. Of that store one writer at a
 * time, by a lease that it renews; times are the server's, so that no machine's clock matters. A
 * writer that can prove that it comes after the last one (same identity) need not wait. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bson/bson.h>

#include "base/clock.h"
#include "store/mongo_internal.h"

#define LEASE_MS 60000
#define RENEW_NS (10 * NS_PER_S)
#define ATTEMPTS 5
#define RECORDERS_MAX 256

#define COLLECTION "recorders"

/* What is read of a recorder's document. */
struct recorder_document {
        char name[STORE_RECORDER_SIZE];
        char uuid[STORE_UUID_SIZE];
        char holder[STORE_UUID_SIZE];
        char identity[STORE_IDENTITY_SIZE];
        int64_t count, renewed_ms;
};

static void take_text(const bson_iter_t *iter, char *ret_text, size_t size)
{
        if (BSON_ITER_HOLDS_UTF8(iter))
                snprintf(ret_text, size, "%s", bson_iter_utf8(iter, NULL));
}

static void take_lease(bson_iter_t *lease, struct recorder_document *ret_document)
{
        while (bson_iter_next(lease)) {
                const char *name = bson_iter_key(lease);
                if (!strcmp(name, "holder"))
                        take_text(lease, ret_document->holder, sizeof(ret_document->holder));
                else if (!strcmp(name, "identity"))
                        take_text(lease, ret_document->identity, sizeof(ret_document->identity));
                else if (!strcmp(name, "count"))
                        ret_document->count = bson_iter_as_int64(lease);
                else if (!strcmp(name, "renewed") && BSON_ITER_HOLDS_DATE_TIME(lease))
                        ret_document->renewed_ms = bson_iter_date_time(lease);
        }
}

static int compare_days(const void *a, const void *b)
{
        const uint32_t *left = a, *right = b;
        return (*left > *right) - (*left < *right);
}

static void take_days(struct mongo_store *self, bson_iter_t *days)
{
        self->day_count = 0;
        while (bson_iter_next(days)) {
                int64_t ms = BSON_ITER_HOLDS_DATE_TIME(days) ? bson_iter_date_time(days) : -1;
                int64_t day = ms / (NS_PER_DAY / NS_PER_MS);
                if (ms < 0 || day >= UINT32_MAX || !store_place_is_valid((uint32_t)day))
                        continue;
                self->days = memory_resize(self->days, (self->day_count + 1) * sizeof(uint32_t));
                self->days[self->day_count++] = (uint32_t)day;
        }
        if (self->day_count)
                qsort(self->days, self->day_count, sizeof(uint32_t), compare_days);
}

static void take_document(
    struct mongo_store *self, const bson_t *document, struct recorder_document *ret_document)
{
        bson_iter_t iter, inside;
        *ret_document = (struct recorder_document){0};
        if (!bson_iter_init(&iter, document))
                return;
        while (bson_iter_next(&iter)) {
                const char *name = bson_iter_key(&iter);
                if (!strcmp(name, "recorder"))
                        take_text(&iter, ret_document->name, sizeof(ret_document->name));
                else if (!strcmp(name, "uuid"))
                        take_text(&iter, ret_document->uuid, sizeof(ret_document->uuid));
                else if (!strcmp(name, "lease") && BSON_ITER_HOLDS_DOCUMENT(&iter) &&
                    bson_iter_recurse(&iter, &inside))
                        take_lease(&inside, ret_document);
                else if (self && !strcmp(name, "days") && BSON_ITER_HOLDS_ARRAY(&iter) &&
                    bson_iter_recurse(&iter, &inside))
                        take_days(self, &inside);
        }
}

static int find(
    struct mongo_store *self, struct recorder_document *ret_document, struct error *error)
{
        bson_t filter = BSON_INITIALIZER;
        struct mongo_cursor *cursor;
        const bson_t *document;
        BSON_APPEND_UTF8(&filter, "_id", self->recorder_id);
        mongo_find(self->mongo, COLLECTION, &filter, NULL, &cursor);
        int code = mongo_cursor_next(cursor, &document, error);
        if (!code)
                take_document(self, document, ret_document);
        mongo_cursor_done(cursor);
        bson_destroy(&filter);
        return code;
}

int mongo_recorder_read(struct mongo_store *self, struct error *error)
{
        struct recorder_document document;
        return find(self, &document, error);
}

/* ---- changes ---- */

/* {update: "recorders", updates: [{q: @filter, u: @change}]}; how many it matched. */
static int update(struct mongo_store *self, const bson_t *filter, const bson_t *change,
    int64_t *ret_matched, struct error *error)
{
        bson_t command = BSON_INITIALIZER, updates, one, reply;
        bson_iter_t iter;
        BSON_APPEND_UTF8(&command, "update", COLLECTION);
        BSON_APPEND_ARRAY_BEGIN(&command, "updates", &updates);
        BSON_APPEND_DOCUMENT_BEGIN(&updates, "0", &one);
        BSON_APPEND_DOCUMENT(&one, "q", filter);
        BSON_APPEND_DOCUMENT(&one, "u", change);
        bson_append_document_end(&updates, &one);
        bson_append_array_end(&command, &updates);
        int code = mongo_write_command(self->mongo, &command, &reply, error);
        *ret_matched =
            !code && bson_iter_init_find(&iter, &reply, "n") ? bson_iter_as_int64(&iter) : 0;
        bson_destroy(&reply);
        bson_destroy(&command);
        return code;
}

/* $addToSet or $pull of a day. */
static int change_days(
    struct mongo_store *self, const char *operator, uint32_t day, struct error *error)
{
        bson_t filter = BSON_INITIALIZER, change = BSON_INITIALIZER, inside;
        int64_t matched;
        BSON_APPEND_UTF8(&filter, "_id", self->recorder_id);
        BSON_APPEND_DOCUMENT_BEGIN(&change, operator, & inside);
        BSON_APPEND_DATE_TIME(&inside, "days", day_start_ns(day) / NS_PER_MS);
        bson_append_document_end(&change, &inside);
        int code = update(self, &filter, &change, &matched, error);
        bson_destroy(&filter);
        bson_destroy(&change);
        return code;
}

int mongo_recorder_add_day(struct mongo_store *self, uint32_t day, struct error *error)
{
        int code = change_days(self, "$addToSet", day, error);
        return code ? code : mongo_recorder_read(self, error);
}

int mongo_recorder_drop_day(struct mongo_store *self, uint32_t day, struct error *error)
{
        return change_days(self, "$pull", day, error);
}

/* ---- the lease ---- */

static void append_lease(const struct mongo_store *self, bson_t *set)
{
        BSON_APPEND_UTF8(set, "lease.holder", self->holder);
        BSON_APPEND_UTF8(set, "lease.identity", self->identity ? self->identity : "");
}

/* One count more, and the server's time. */
static void append_renewal(bson_t *change)
{
        bson_t inside;
        BSON_APPEND_DOCUMENT_BEGIN(change, "$inc", &inside);
        BSON_APPEND_INT64(&inside, "lease.count", 1);
        bson_append_document_end(change, &inside);
        BSON_APPEND_DOCUMENT_BEGIN(change, "$currentDate", &inside);
        BSON_APPEND_BOOL(&inside, "lease.renewed", true);
        bson_append_document_end(change, &inside);
}

/* Take it from whoever had it at that count. ERR_BUSY: somebody was quicker. */
static int lease_take(struct mongo_store *self, int64_t count, struct error *error)
{
        bson_t filter = BSON_INITIALIZER, change = BSON_INITIALIZER, inside;
        int64_t matched;
        BSON_APPEND_UTF8(&filter, "_id", self->recorder_id);
        BSON_APPEND_INT64(&filter, "lease.count", count);
        BSON_APPEND_DOCUMENT_BEGIN(&change, "$set", &inside);
        append_lease(self, &inside);
        bson_append_document_end(&change, &inside);
        append_renewal(&change);
        int code = update(self, &filter, &change, &matched, error);
        bson_destroy(&filter);
        bson_destroy(&change);
        if (!code && !matched)
                code = ERR_BUSY;
        if (!code)
                self->renewed_mono_ns = clock_mono_ns();
        return code;
}

static int server_time_ms(struct mongo_store *self, int64_t *ret_ms, struct error *error)
{
        bson_t command = BSON_INITIALIZER, reply;
        bson_iter_t iter;
        BSON_APPEND_INT32(&command, "hello", 1);
        int code = mongo_command(self->mongo, &command, &reply, error);
        if (!code && bson_iter_init_find(&iter, &reply, "localTime") &&
            BSON_ITER_HOLDS_DATE_TIME(&iter))
                *ret_ms = bson_iter_date_time(&iter);
        else if (!code)
                code = error_set(error, ERR_IO, "MongoDB %s: it does not tell its time",
                    mongo_label(self->mongo));
        bson_destroy(&reply);
        bson_destroy(&command);
        return code;
}

static int lease_claim(
    struct mongo_store *self, const struct recorder_document *document, struct error *error)
{
        int64_t now_ms = 0;
        bool ours = self->identity && !strcmp(self->identity, document->identity);
        if (!*document->holder || ours)
                return lease_take(self, document->count, error);
        int code = server_time_ms(self, &now_ms, error);
        if (!code && now_ms - document->renewed_ms < LEASE_MS)
                code = error_set(error, ERR_BUSY,
                    "MongoDB %s: recorder '%s' is written by another program now (%.64s); if it "
                    "has "
                    "ended, wait a minute, else give this one another RECORDER",
                    mongo_label(self->mongo), self->info.recorder, document->identity);
        return code ? code : lease_take(self, document->count, error);
}

int mongo_lease_renew(struct mongo_store *self, struct error *error)
{
        bson_t filter = BSON_INITIALIZER, change = BSON_INITIALIZER;
        int64_t matched;
        if (self->mode != STORE_WRITE || clock_mono_ns() - self->renewed_mono_ns < RENEW_NS)
                return 0;
        BSON_APPEND_UTF8(&filter, "_id", self->recorder_id);
        BSON_APPEND_UTF8(&filter, "lease.holder", self->holder);
        append_renewal(&change);
        int code = update(self, &filter, &change, &matched, error);
        bson_destroy(&filter);
        bson_destroy(&change);
        if (!code && !matched)
                code = error_set(error, ERR_BUSY,
                    "MongoDB %s: another program has taken over recorder '%s'",
                    mongo_label(self->mongo), self->info.recorder);
        if (!code)
                self->renewed_mono_ns = clock_mono_ns();
        return code;
}

void mongo_lease_release(struct mongo_store *self)
{
        bson_t filter = BSON_INITIALIZER, change = BSON_INITIALIZER, inside;
        int64_t matched;
        BSON_APPEND_UTF8(&filter, "_id", self->recorder_id);
        BSON_APPEND_UTF8(&filter, "lease.holder", self->holder);
        BSON_APPEND_DOCUMENT_BEGIN(&change, "$set", &inside);
        BSON_APPEND_UTF8(&inside, "lease.holder", "");
        bson_append_document_end(&change, &inside);
        update(self, &filter, &change, &matched, NULL);
        bson_destroy(&filter);
        bson_destroy(&change);
}

/* ---- opening ---- */

/* A new recorder's document. MONGO_DUPLICATE: somebody was quicker. */
static int create(struct mongo_store *self, struct error *error)
{
        bson_t document = BSON_INITIALIZER, inside, reply;
        BSON_APPEND_UTF8(&document, "_id", self->recorder_id);
        BSON_APPEND_UTF8(&document, "recorder", self->info.recorder);
        BSON_APPEND_UTF8(&document, "uuid", self->info.uuid);
        BSON_APPEND_ARRAY_BEGIN(&document, "days", &inside);
        bson_append_array_end(&document, &inside);
        BSON_APPEND_DOCUMENT_BEGIN(&document, "lease", &inside);
        BSON_APPEND_UTF8(&inside, "holder", "");
        BSON_APPEND_UTF8(&inside, "identity", "");
        BSON_APPEND_INT64(&inside, "count", 0);
        BSON_APPEND_DATE_TIME(&inside, "renewed", 0);
        bson_append_document_end(&document, &inside);
        struct mongo_bulk *bulk = mongo_bulk_begin(self->mongo, COLLECTION, true);
        mongo_bulk_insert(bulk, &document);
        int code = mongo_bulk_run(bulk, &reply, error);
        bson_destroy(&reply);
        bson_destroy(&document);
        return code;
}

static int check_uuid(struct mongo_store *self, const struct store_options *options,
    const struct recorder_document *document, struct error *error)
{
        if (!options->uuid || !strcmp(options->uuid, document->uuid))
                return 0;
        return error_set(error, ERR_USAGE,
            "MongoDB %s: recorder '%s' is the record of another store there (uuid %s, this one is "
            "%s): give this one another RECORDER or MONGODB_DATABASE",
            mongo_label(self->mongo), self->info.recorder, document->uuid, options->uuid);
}

int mongo_recorder_open(
    struct mongo_store *self, const struct store_options *options, struct error *error)
{
        struct recorder_document document;
        bool write = options->mode == STORE_WRITE;
        int code = ERR_BUSY;
        for (unsigned attempt = 0; attempt < ATTEMPTS && code == ERR_BUSY; attempt++) {
                struct error why = {0};
                code = find(self, &document, &why);
                if (code == ERR_NOT_FOUND && write) {
                        code = create(self, &why);
                        code = code == MONGO_DUPLICATE || !code ? ERR_BUSY : code;
                } else if (code == ERR_NOT_FOUND) {
                        error_set(&why, code, "MongoDB %s: there is no recorder '%s'",
                            mongo_label(self->mongo), self->info.recorder);
                } else if (!code) {
                        snprintf(self->info.uuid, sizeof(self->info.uuid), "%s", document.uuid);
                        code = check_uuid(self, options, &document, &why);
                        code = code || !write ? code : lease_claim(self, &document, &why);
                }
                if (code && error)
                        *error = why;
                if (code == ERR_BUSY && why.code)
                        return code; /* it is held; nobody was just quicker */
        }
        if (code == ERR_BUSY)
                error_set(error, code, "MongoDB %s: others write to recorder '%s' all the time",
                    mongo_label(self->mongo), self->info.recorder);
        return code;
}

int mongo_recorder_names(
    struct mongo *mongo, char ***ret_names, size_t *ret_count, struct error *error)
{
        bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, inside;
        struct mongo_cursor *cursor;
        const bson_t *document;
        char **names = NULL;
        size_t count = 0;
        int code;
        BSON_APPEND_DOCUMENT_BEGIN(&filter, "uuid", &inside);
        BSON_APPEND_UTF8(&inside, "$gte", "0");
        BSON_APPEND_UTF8(&inside, "$lt", "g");
        bson_append_document_end(&filter, &inside);
        BSON_APPEND_DOCUMENT_BEGIN(&opts, "sort", &inside);
        BSON_APPEND_INT32(&inside, "recorder", 1);
        bson_append_document_end(&opts, &inside);
        BSON_APPEND_INT64(&opts, "limit", RECORDERS_MAX);
        mongo_find(mongo, COLLECTION, &filter, &opts, &cursor);
        while (!(code = mongo_cursor_next(cursor, &document, error))) {
                struct recorder_document recorder;
                take_document(NULL, document, &recorder);
                if (!*recorder.name)
                        continue;
                names = memory_resize(names, (count + 1) * sizeof(char *));
                names[count++] = memory_text(recorder.name);
        }
        mongo_cursor_done(cursor);
        bson_destroy(&filter);
        bson_destroy(&opts);
        if (code != ERR_NOT_FOUND) {
                while (count)
                        free(names[--count]);
                free(names);
                return code;
        }
        *ret_names = names;
        *ret_count = count;
        return 0;
}
