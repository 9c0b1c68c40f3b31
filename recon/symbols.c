/* What each symbol was, and when: the records of a store, in order, and whether they are sound. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "recon/recon.h"
#include "store/layout.h"

typedef int (*symbol_row_cb)(const struct store_cursor *row, void *user);

static int each_row(struct reader *reader, symbol_row_cb row_cb, void *user)
{
        const struct store_ops *ops = reader->store->ops;
        struct store_txn meta;
        struct store_cursor cursor;
        int code = ops->begin(reader->store, STORE_META, false, &meta, NULL);
        if (code)
                return code;
        code = ops->seek(&meta, STORE_SYMBOLS, key_symbol(0, INT64_MIN), &cursor);
        while (!code) {
                code = row_cb(&cursor, user);
                code = code ? code : ops->next(&cursor);
        }
        ops->done(&cursor);
        ops->abort(&meta);
        return code == ERR_NOT_FOUND ? 0 : code;
}

/* ---- the list ---- */

static void list_add(struct symbol_list *list, uint32_t number, const struct symbol_record *record)
{
        if (list->count == list->capacity) {
                list->capacity = list->capacity ? 2 * list->capacity : 16;
                list->versions =
                    memory_resize(list->versions, list->capacity * sizeof(*list->versions));
        }
        list->versions[list->count++] =
            (struct symbol_version){.number = number, .record = *record, .to_ns = INT64_MAX};
}

static bool is_same_symbol(const struct symbol_record *a, const struct symbol_record *b)
{
        return !strcmp(a->exchange, b->exchange) && !strcmp(a->symbol, b->symbol);
}

static int compare_versions(const void *a, const void *b)
{
        const struct symbol_version *left = a, *right = b;
        int64_t left_ns = left->record.valid_from_ns, right_ns = right->record.valid_from_ns;
        int order = strcmp(left->record.exchange, right->record.exchange);
        order = order ? order : strcmp(left->record.symbol, right->record.symbol);
        order = order ? order : (left_ns > right_ns) - (left_ns < right_ns);
        return order ? order : (left->number > right->number) - (left->number < right->number);
}

/* By symbol, then time; a version holds until the next one of its symbol begins. */
static void list_finish(struct symbol_list *list)
{
        struct symbol_version *versions = list->versions;
        if (list->count)
                qsort(versions, list->count, sizeof(*versions), compare_versions);
        for (size_t i = 0; i + 1 < list->count; i++) {
                if (is_same_symbol(&versions[i].record, &versions[i + 1].record))
                        versions[i].to_ns = versions[i + 1].record.valid_from_ns;
        }
}

struct search {
        const char *exchange, *symbol;
        struct symbol_list *list;
        struct error *error;
};

static int search_row(const struct store_cursor *row, void *user)
{
        struct search *search = user;
        struct symbol_record record;
        char time[TIME_TEXT_SIZE];
        int code = symbol_record_read(row->value, &record);
        if (code)
                return error_set(search->error, code,
                    "symbol number %" PRIu32 " from %s: its record cannot be read: %s",
                    row->key.stream, time_format(row->key.major, time), error_name(code));
        if ((!search->exchange || !strcmp(record.exchange, search->exchange)) &&
            (!search->symbol || !strcmp(record.symbol, search->symbol)))
                list_add(search->list, row->key.stream, &record);
        return 0;
}

int recon_symbols(struct reader *reader, const char *exchange, const char *symbol,
    struct symbol_list *ret_list, struct error *error)
{
        struct error place = {0};
        struct symbol_list list = {0};
        struct search search = {exchange, symbol, &list, &place};
        int code = each_row(reader, search_row, &search);
        if (code) {
                symbol_list_deinit(&list);
                return error_set(error, code, "%s",
                    place.code ? place.text : "the store's symbols cannot be read");
        }
        list_finish(&list);
        *ret_list = list;
        return 0;
}

void symbol_list_deinit(struct symbol_list *list)
{
        free(list->versions);
        *list = (struct symbol_list){0};
}

/* ---- verification ---- */

struct symbol_check {
        struct symbol_list list;
        symbol_problem_cb problem_cb;
        void *user;
        uint64_t problems;
};

static void problem_at(
    struct symbol_check *check, uint32_t number, int64_t from_ns, const char *text)
{
        check->problems++;
        check->problem_cb(number, from_ns, text, check->user);
}

static void check_against_last(
    struct symbol_check *check, struct store_key key, const struct symbol_record *record)
{
        const struct symbol_list *list = &check->list;
        const struct symbol_version *last = list->count ? &list->versions[list->count - 1] : NULL;
        if (record->valid_from_ns != key.major)
                problem_at(check, key.stream, key.major, "it names another time as its own");
        if (!last || last->number != key.stream)
                return;
        if (!is_same_symbol(&last->record, record))
                problem_at(check, key.stream, key.major, "the number is of two symbols");
        else if (record->valid_from_ns <= last->record.valid_from_ns)
                problem_at(check, key.stream, key.major, "it is not later than the one before");
        else if (symbol_record_same(&last->record, record))
                problem_at(check, key.stream, key.major, "it says what the one before says");
}

static int check_row(const struct store_cursor *row, void *user)
{
        struct symbol_check *check = user;
        struct symbol_record record;
        struct store_key key = row->key;
        int code = symbol_record_read(row->value, &record);
        if (key.minor || !key.stream)
                problem_at(check, key.stream, key.major, "its key is none of a symbol");
        if (code) {
                problem_at(check, key.stream, key.major,
                    code == ERR_VERSION ? "written by a newer version" : "the record is damaged");
                return 0;
        }
        check_against_last(check, key, &record);
        list_add(&check->list, key.stream, &record);
        return 0;
}

static void check_numbers(struct symbol_check *check)
{
        const struct symbol_version *versions = check->list.versions;
        list_finish(&check->list);
        for (size_t i = 1; i < check->list.count; i++) {
                if (is_same_symbol(&versions[i - 1].record, &versions[i].record) &&
                    versions[i - 1].number != versions[i].number)
                        problem_at(check, versions[i].number, versions[i].record.valid_from_ns,
                            "the symbol has another number too");
        }
}

int recon_verify_symbols(struct reader *reader, symbol_problem_cb problem_cb, void *user,
    uint64_t *ret_problems, struct error *error)
{
        struct symbol_check check = {.problem_cb = problem_cb, .user = user};
        int code = each_row(reader, check_row, &check);
        if (!code)
                check_numbers(&check);
        symbol_list_deinit(&check.list);
        if (code)
                return error_set(
                    error, code, "the store's symbols cannot be read: %s", error_name(code));
        *ret_problems = check.problems;
        return 0;
}
