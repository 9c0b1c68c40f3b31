/* obmanage add, remove, list: which symbols are recorded. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "manager/cells.h"

#define BATCH_SIZE 60000 /* bytes of symbols in a request, of its 65,536 */

/* What add has come to, for the line at the bottom of a terminal. */
struct progress {
        int64_t wanted, live, refused;
};

static void note_row(const struct row *row, void *user)
{
        struct progress *progress = user;
        char state[16];
        int64_t matches;
        log_status(NULL);
        row_text(row, "state", state, sizeof(state));
        progress->live += !strcmp(state, "live");
        progress->refused += !strcmp(state, "refused");
        if (json_member_int(row->value, "matches", &matches) && matches >= 0)
                progress->wanted += matches - 1; /* in place of the pattern's word */
}

static bool show_progress(void *user)
{
        const struct progress *progress = user;
        char line[96], refused[32] = "";
        if (progress->refused)
                snprintf(refused, sizeof(refused), ", %" PRId64 " refused", progress->refused);
        snprintf(line, sizeof(line), "%" PRId64 " of %" PRId64 " live%s", progress->live,
            progress->wanted, refused);
        log_status(line);
        return false;
}

static void print_change(struct manager *manager, const struct row *row, void *user)
{
        struct cell name, state, rest;
        char error[512];
        int64_t matches;
        (void)manager;
        (void)user;
        cell_name(row, NULL, &name);
        cell_text(row, "state", &state);
        if (json_member_int(row->value, "matches", &matches)) {
                cell_of_number(matches, &rest);
                printf("%-24s  pattern   %s symbols match\n", name.text, rest.text);
                return;
        }
        row_text(row, "error", error, sizeof(error));
        cell_seconds(row, "seconds", &rest);
        if (*error)
                printf("%-24s  %-8s  %s\n", name.text, state.text, error);
        else if (strcmp(rest.text, "-") != 0)
                printf("%-24s  %-8s  after %s\n", name.text, state.text, rest.text);
        else
                printf("%-24s  %s\n", name.text, state.text);
}

/* The words from @first into the request, as many as fit one; how many that were. */
static size_t put_symbols(struct manager *manager, const char *command, size_t first)
{
        size_t i = first;
        request_begin(manager, command);
        buffer_append_text(&manager->request, ",\"symbols\":[");
        do {
                if (i > first)
                        buffer_append_byte(&manager->request, ',');
                buffer_append_byte(&manager->request, '"');
                buffer_append_json(&manager->request, manager->words[i++]);
                buffer_append_byte(&manager->request, '"');
        } while (i < manager->word_count &&
            manager->request.size + strlen(manager->words[i]) < BATCH_SIZE);
        buffer_append_byte(&manager->request, ']');
        return i - first;
}

/* One request after the other, where the words are too many for one. */
static int change_symbols(struct manager *manager, const char *command, int wait_ms)
{
        int worst = EXIT_DONE;
        for (size_t first = 0; first < manager->word_count;) {
                first += put_symbols(manager, command, first);
                int code = manager_ask(manager, wait_ms, print_change, NULL);
                worst = code ? code : worst;
                if (!manager->client) /* it is gone */
                        break;
        }
        return worst;
}

int command_add(struct manager *manager)
{
        struct progress progress = {.wanted = (int64_t)manager->word_count};
        manager->idle_cb = show_progress;
        manager->seen_cb = note_row;
        manager->wait_user = &progress;
        return change_symbols(manager, "add", WAIT_LONG_MS);
}

int command_remove(struct manager *manager)
{
        return change_symbols(manager, "remove", WAIT_SOON_MS);
}

static const struct column columns[] = {
    {"symbol", NULL, cell_name, -24},
    {"kind", "kind", cell_text, -7},
    {"state", "state", cell_text, -11},
    {"by", "origin", cell_text, -8},
};

static void print_listed(struct manager *manager, const struct row *row, void *user)
{
        struct json_value pattern;
        struct cell name, matches;
        bool *begun = user;
        (void)manager;
        if (!*begun)
                table_begin(columns, COUNT(columns));
        *begun = true;
        if (!json_member(row->value, "pattern", &pattern)) {
                table_row(columns, COUNT(columns), row);
                return;
        }
        cell_name(row, NULL, &name);
        cell_number(row, "matches", &matches);
        printf("%-24s  pattern  %s symbols match\n", name.text, matches.text);
}

int command_list(struct manager *manager)
{
        bool begun = false;
        request_begin(manager, "list");
        return manager_ask(manager, WAIT_SOON_MS, print_listed, &begun);
}
