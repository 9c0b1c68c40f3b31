/* What a store says of itself: uuid, format version, recorder. The same in every implementation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "store/internal.h"

enum info_key {
        INFO_UUID = 1,
        INFO_VERSION = 2,
        INFO_RECORDER = 3,
};

static struct store_key info_key(enum info_key key)
{
        return (struct store_key){.stream = 0, .major = key};
}

void store_uuid_make(char ret_uuid[STORE_UUID_SIZE])
{
        uint8_t bytes[16];
        if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
                abort();
        bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
        bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
        char *end = ret_uuid;
        for (unsigned i = 0; i < sizeof(bytes); i++) {
                if (i == 4 || i == 6 || i == 8 || i == 10)
                        *end++ = '-';
                end += snprintf(end, 3, "%02x", bytes[i]);
        }
}

static bool uuid_is_valid(const char *text)
{
        return strlen(text) == STORE_UUID_SIZE - 1 &&
            strspn(text, "0123456789abcdef-") == STORE_UUID_SIZE - 1;
}

static bool text_is_printable(const char *text)
{
        for (; *text; text++) {
                if ((unsigned char)*text < 0x20 || *text == 0x7f)
                        return false;
        }
        return true;
}

int store_info_make(
    const struct store_options *options, struct store_info *ret_info, struct error *error)
{
        const char *recorder = options->recorder ? options->recorder : STORE_RECORDER_DEFAULT;
        if (!*recorder || strlen(recorder) >= STORE_RECORDER_SIZE || !text_is_printable(recorder))
                return error_set(error, ERR_USAGE,
                    "recorder '%.64s': a name of 1 to %d printable bytes is needed", recorder,
                    STORE_RECORDER_SIZE - 1);
        if (options->uuid && !uuid_is_valid(options->uuid))
                return error_set(error, ERR_USAGE, "uuid '%.64s': it is none", options->uuid);
        if (options->uuid)
                snprintf(ret_info->uuid, sizeof(ret_info->uuid), "%s", options->uuid);
        else
                store_uuid_make(ret_info->uuid);
        snprintf(ret_info->version, sizeof(ret_info->version), "%d", STORE_FORMAT_VERSION);
        snprintf(ret_info->recorder, sizeof(ret_info->recorder), "%s", recorder);
        return 0;
}

static struct bytes bytes_of(const char *text)
{
        return (struct bytes){(const uint8_t *)text, strlen(text)};
}

void store_info_records(
    const struct store_info *info, struct store_record ret_records[STORE_INFO_RECORDS])
{
        ret_records[0] = (struct store_record){info_key(INFO_UUID), bytes_of(info->uuid)};
        ret_records[1] = (struct store_record){info_key(INFO_VERSION), bytes_of(info->version)};
        ret_records[2] = (struct store_record){info_key(INFO_RECORDER), bytes_of(info->recorder)};
}

/* One record as text: not empty, printable, and shorter than @size. */
static int info_get(struct store_txn *txn, enum info_key key, char *ret_text, size_t size)
{
        struct bytes value;
        int r = txn->store->ops->get(txn, STORE_INFO, info_key(key), &value);
        if (r)
                return r == ERR_NOT_FOUND ? ERR_CORRUPT : r;
        if (!value.size || value.size >= size || memchr(value.data, 0, value.size))
                return ERR_CORRUPT;
        memcpy(ret_text, value.data, value.size);
        ret_text[value.size] = 0;
        return text_is_printable(ret_text) ? 0 : ERR_CORRUPT;
}

static int version_check(const struct store_info *info, const char *path, struct error *error)
{
        size_t digits = strspn(info->version, "0123456789");
        if (info->version[digits] || digits > 9 || info->version[0] == '0')
                return error_set(error, ERR_CORRUPT,
                    "store %s: format version '%s' is no number: restore meta/ from a backup", path,
                    info->version);
        if (strtol(info->version, NULL, 10) > STORE_FORMAT_VERSION)
                return error_set(error, ERR_VERSION,
                    "store %s has format version %s, this program knows up to %d: use a newer one",
                    path, info->version, STORE_FORMAT_VERSION);
        return 0;
}

static int recorder_check(
    const struct store_info *info, const struct store_options *options, struct error *error)
{
        if (options->recorder && strcmp(options->recorder, info->recorder))
                return error_set(error, ERR_USAGE,
                    "store %s is of recorder '%s', not '%.64s': set RECORDER=%s or choose another "
                    "STORE",
                    options->path, info->recorder, options->recorder, info->recorder);
        if (options->uuid && strcmp(options->uuid, info->uuid))
                return error_set(error, ERR_USAGE,
                    "store %s of recorder '%s' is another record (uuid %s, not %s): choose another "
                    "one",
                    options->path, info->recorder, info->uuid, options->uuid);
        return 0;
}

int store_info_read(struct store *store, const struct store_options *options,
    struct store_info *ret_info, struct error *error)
{
        struct store_txn txn;
        struct store_info info;
        int r = store->ops->begin(store, STORE_META, false, &txn, error);
        if (r)
                return r;
        /* The version first: what a newer one keeps in the other records is not known. */
        r = info_get(&txn, INFO_VERSION, info.version, sizeof(info.version));
        if (!r && (r = version_check(&info, options->path, error))) {
                store->ops->abort(&txn);
                return r;
        }
        r = r ? r : info_get(&txn, INFO_UUID, info.uuid, sizeof(info.uuid));
        r = r ? r : info_get(&txn, INFO_RECORDER, info.recorder, sizeof(info.recorder));
        store->ops->abort(&txn);
        if (r)
                return error_set(error, r,
                    "store %s: the info table is damaged (%s): restore meta/ from a backup",
                    options->path, error_name(r));
        r = recorder_check(&info, options, error);
        if (!r)
                *ret_info = info;
        return r;
}
