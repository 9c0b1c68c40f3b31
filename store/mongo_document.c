/* A key and its value as a document, and back. schema/mongodb.md draws it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bson/bson.h>
#include <xxhash.h>

#include "store/mongo_internal.h"

/* The first look reaches so far in a key's major, the second so far; then the whole stream,
 * then the table; -1: at once the whole table. A server
 * may read all that an open-ended range holds before it sorts. */
static const struct {
        const char *collections[MONGO_PARTS_MAX];
        int64_t widths[2];
} layouts[STORE_TABLES] = {
    [STORE_INFO] = {{"recorders"}, {0}},
    [STORE_STREAMS] = {{"streams"}, {-1}},
    [STORE_DAYS] = {{"days"}, {0}},
    [STORE_PRUNED] = {{"pruned"}, {0}},
    [STORE_SINKS] = {{"sinks"}, {0}},
    [STORE_SYMBOLS] = {{"symbols"}, {-1}},
    [STORE_AUDITS] = {{"audits"}, {0}},
    [STORE_FRAMES] = {{"changes", "images", "trades"}, {1 << 9, 1 << 14}},
    [STORE_TIMES] = {{"times"}, {60 * NS_PER_S, 3600 * NS_PER_S}},
    [STORE_EPOCHS] = {{"epochs"}, {0}},
    [STORE_GAPS] = {{"gaps"}, {0}},
    [STORE_MARKS] = {{"marks"}, {0}},
    [STORE_NOTES] = {{"notes"}, {0}},
};

unsigned mongo_collections(enum store_table table, const char *ret_names[MONGO_PARTS_MAX])
{
        unsigned count = 0;
        while (count < MONGO_PARTS_MAX && layouts[table].collections[count]) {
                ret_names[count] = layouts[table].collections[count];
                count++;
        }
        return count;
}

int64_t mongo_width(enum store_table table, unsigned step)
{
        return step < 2 ? layouts[table].widths[step] : 0;
}

/* ---- ids ---- */

void mongo_recorder_id(const char *recorder, char ret_id[3 * STORE_RECORDER_SIZE])
{
        char *end = ret_id;
        for (const char *c = recorder; *c; c++) {
                bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                    (*c >= '0' && *c <= '9') || *c == '.' || *c == '_' || *c == '-';
                if (plain)
                        *end++ = *c;
                else
                        end += snprintf(end, 4, "%%%02X", (unsigned char)*c);
        }
        *end = '\0';
}

void mongo_place_id(const struct mongo_store *self, uint32_t place, char ret_id[MONGO_ID_SIZE])
{
        char name[DAY_TEXT_SIZE];
        snprintf(ret_id, MONGO_ID_SIZE, "%s/%s/", self->recorder_id, store_place_name(place, name));
}

void mongo_key_id(const struct mongo_store *self, uint32_t place, struct store_key key,
    char ret_id[MONGO_ID_SIZE])
{
        mongo_place_id(self, place, ret_id);
        size_t size = strlen(ret_id);
        size += (size_t)snprintf(ret_id + size, MONGO_ID_SIZE - size, "%08" PRIx32 "/%016" PRIx64,
            key.stream, (uint64_t)key.major ^ UINT64_C(1) << 63);
        if (key.minor)
                snprintf(ret_id + size, MONGO_ID_SIZE - size, "/%016" PRIx64, key.minor);
}

/* Exactly @digits lower-case hexadecimal digits. */
static bool take_hex(const char **text, unsigned digits, uint64_t *ret_value)
{
        uint64_t value = 0;
        for (unsigned i = 0; i < digits; i++) {
                char c = (*text)[i];
                bool digit = c >= '0' && c <= '9';
                if (!digit && !(c >= 'a' && c <= 'f'))
                        return false;
                value = value << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
        }
        *text += digits;
        *ret_value = value;
        return true;
}

int mongo_id_key(const char *id, const char *place_id, struct store_key *ret_key)
{
        uint64_t stream, major, minor = 0;
        size_t size = strlen(place_id);
        if (strncmp(id, place_id, size))
                return ERR_CORRUPT;
        id += size;
        if (!take_hex(&id, 8, &stream) || *id++ != '/' || !take_hex(&id, 16, &major))
                return ERR_CORRUPT;
        if (*id == '/' && (!take_hex((id++, &id), 16, &minor) || !minor))
                return ERR_CORRUPT;
        if (*id)
                return ERR_CORRUPT;
        *ret_key =
            (struct store_key){(uint32_t)stream, (int64_t)(major ^ UINT64_C(1) << 63), minor};
        return 0;
}

void mongo_part_id(const char *collection, const char *id, unsigned part, char *ret_id, size_t size)
{
        snprintf(ret_id, size, "%s/%s#%u", collection, id, part);
}

void mongo_filter_place(const struct mongo_store *self, uint32_t place, bson_t *filter)
{
        BSON_APPEND_UTF8(filter, "recorder", self->info.recorder);
        if (place != STORE_META)
                BSON_APPEND_DATE_TIME(filter, "day", day_start_ns(place) / NS_PER_MS);
}

int64_t mongo_checksum(struct bytes value)
{
        return (int64_t)XXH64(value.data, value.size, 0);
}

/* ---- writing ---- */

/* Toward the past: a Date has milliseconds. */
static int64_t floor_ms(int64_t time_ns)
{
        return time_ns / NS_PER_MS - (time_ns % NS_PER_MS < 0);
}

static void append_field(bson_t *document, const struct store_field *field)
{
        char name[64];
        switch (field->kind) {
        case FIELD_TEXT:
                if (bson_utf8_validate(field->text, strlen(field->text), false))
                        BSON_APPEND_UTF8(document, field->name, field->text);
                break;
        case FIELD_NUMBER:
                BSON_APPEND_INT64(document, field->name, field->number);
                break;
        case FIELD_TIME:
                snprintf(name, sizeof(name), "%s_ns", field->name);
                BSON_APPEND_DATE_TIME(document, field->name, floor_ms(field->number));
                BSON_APPEND_INT64(document, name, field->number);
                break;
        case FIELD_FLAG:
                BSON_APPEND_BOOL(document, field->name, field->number);
                break;
        }
}

static void append_payload(bson_t *document, struct bytes value)
{
        uint32_t first = value.size > MONGO_PART_SIZE ? MONGO_PART_SIZE : (uint32_t)value.size;
        if (!value.size)
                return;
        BSON_APPEND_INT64(document, "checksum", mongo_checksum(value));
        if (first < value.size) {
                BSON_APPEND_INT64(document, "size", (int64_t)value.size);
                BSON_APPEND_INT32(document, "parts",
                    (int32_t)((value.size + MONGO_PART_SIZE - 1) / MONGO_PART_SIZE));
        }
        BSON_APPEND_BINARY(document, "payload", BSON_SUBTYPE_BINARY, value.data, first);
}

bson_t *mongo_document_make(const struct mongo_store *self, uint32_t place, enum store_table table,
    struct store_key key, struct bytes value, const char **ret_collection)
{
        char id[MONGO_ID_SIZE];
        bson_t *document = bson_new();
        struct store_description description = {0};
        if (self->describe_cb)
                self->describe_cb(table, key, value, &description, self->user);
        mongo_key_id(self, place, key, id);
        BSON_APPEND_UTF8(document, "_id", id);
        mongo_filter_place(self, place, document);
        BSON_APPEND_INT64(document, "stream", key.stream);
        for (unsigned i = 0; i < description.count; i++)
                append_field(document, &description.fields[i]);
        append_payload(document, value);
        *ret_collection = description.part ? description.part : layouts[table].collections[0];
        return document;
}

/* ---- reading ---- */

struct document_fields {
        const char *id;
        const uint8_t *payload;
        uint32_t payload_size;
        int64_t checksum, size;
        int32_t parts;
        bool has_checksum;
};

static int take_field(const bson_iter_t *iter, struct document_fields *fields)
{
        const char *name = bson_iter_key(iter);
        bson_subtype_t subtype = BSON_SUBTYPE_BINARY;
        if (!strcmp(name, "_id")) {
                fields->id = BSON_ITER_HOLDS_UTF8(iter) ? bson_iter_utf8(iter, NULL) : NULL;
                return fields->id ? 0 : ERR_CORRUPT;
        }
        if (!strcmp(name, "payload")) {
                if (!BSON_ITER_HOLDS_BINARY(iter))
                        return ERR_CORRUPT;
                bson_iter_binary(iter, &subtype, &fields->payload_size, &fields->payload);
                return subtype == BSON_SUBTYPE_BINARY ? 0 : ERR_CORRUPT;
        }
        if (!strcmp(name, "checksum")) {
                fields->has_checksum = BSON_ITER_HOLDS_INT64(iter);
                fields->checksum = fields->has_checksum ? bson_iter_int64(iter) : 0;
                return fields->has_checksum ? 0 : ERR_CORRUPT;
        }
        if (!strcmp(name, "size"))
                fields->size = bson_iter_as_int64(iter);
        else if (!strcmp(name, "parts"))
                fields->parts = (int32_t)bson_iter_as_int64(iter);
        return 0;
}

static int take_fields(const bson_t *document, struct document_fields *ret_fields)
{
        bson_iter_t iter;
        int code = bson_iter_init(&iter, document) ? 0 : ERR_CORRUPT;
        *ret_fields = (struct document_fields){0};
        while (!code && bson_iter_next(&iter))
                code = take_field(&iter, ret_fields);
        return code || !ret_fields->id ? ERR_CORRUPT : 0;
}

/* One further part, appended to what is there. */
static int fetch_part(
    struct mongo_store *self, const char *part_id, struct buffer *payload, struct error *error)
{
        bson_t filter = BSON_INITIALIZER;
        struct mongo_cursor *cursor;
        struct document_fields fields;
        const bson_t *document;
        BSON_APPEND_UTF8(&filter, "_id", part_id);
        mongo_find(self->mongo, "parts", &filter, NULL, &cursor);
        int code = mongo_cursor_next(cursor, &document, error);
        if (!code && !(code = take_fields(document, &fields)))
                buffer_append(payload, fields.payload, fields.payload_size);
        if (code == ERR_NOT_FOUND || code == ERR_CORRUPT || payload->failed)
                code = error_set(error, ERR_CORRUPT, "MongoDB %s: parts/%s is missing or damaged",
                    mongo_label(self->mongo), part_id);
        mongo_cursor_done(cursor);
        bson_destroy(&filter);
        return code;
}

static int fetch_payload(struct mongo_store *self, const char *collection,
    const struct document_fields *fields, struct buffer *payload, struct error *error)
{
        char part_id[MONGO_ID_SIZE + 64];
        int code = 0;
        buffer_append(payload, fields->payload, fields->payload_size);
        for (int32_t part = 1; part < fields->parts && !code; part++) {
                mongo_part_id(collection, fields->id, (unsigned)part, part_id, sizeof(part_id));
                code = fetch_part(self, part_id, payload, error);
        }
        return code;
}

static bool holds_frames(const char *collection)
{
        for (unsigned i = 0; i < MONGO_PARTS_MAX; i++) {
                if (!strcmp(collection, layouts[STORE_FRAMES].collections[i]))
                        return true;
        }
        return false;
}

static bool checksum_holds(const struct document_fields *fields, struct bytes payload)
{
        return !payload.size ||
            (fields->has_checksum && fields->checksum == mongo_checksum(payload));
}

static int damaged(const struct mongo_store *self, const char *collection, const char *id,
    const char *what, struct error *error)
{
        return error_set(error, ERR_CORRUPT, "MongoDB %s: document %s/%.200s: %s",
            mongo_label(self->mongo), collection, id ? id : "?", what);
}

int mongo_document_read(struct mongo_store *self, const char *collection, const char *place_id,
    const bson_t *document, struct mongo_record *ret_record, struct error *error)
{
        struct document_fields fields;
        struct mongo_record record = {0};
        struct buffer payload;
        if (take_fields(document, &fields))
                return damaged(self, collection, fields.id, "a field has a wrong type", error);
        if (mongo_id_key(fields.id, place_id, &record.key))
                return damaged(self, collection, fields.id, "its _id is none of ours", error);
        if (fields.parts < 0 || fields.parts > (int32_t)(MONGO_VALUE_SIZE / MONGO_PART_SIZE))
                return damaged(self, collection, fields.id, "too many parts", error);
        buffer_init(&payload, MONGO_VALUE_SIZE);
        int code = fetch_payload(self, collection, &fields, &payload, error);
        if (holds_frames(
                collection)) /* a frame has a checksum of its own, and a place in reports */
                code = code == ERR_CORRUPT ? 0 : code;
        else if (!code && (payload.failed || !checksum_holds(&fields, buffer_bytes(&payload))))
                code = damaged(self, collection, fields.id,
                    "its payload is not what was written (checksum)", error);
        if (code) {
                buffer_deinit(&payload);
                return code;
        }
        record.data = payload.data;
        record.size = payload.size;
        *ret_record = record;
        return 0;
}
