/* Where records come from: the local store, or a database with those of several recorders. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

#include "recon/cli/cli.h"

/* ---- the URI of a database ---- */

static void hide(char *from, const char *to)
{
        for (; from < to; from++)
                *from = 'x';
}

/* What stands behind @name in the options of a URI, up to the next one. */
static void hide_option(char *options, const char *name)
{
        size_t size = strlen(name);
        for (char *at = options; *at; at++) {
                if (!strncasecmp(at, name, size))
                        hide(at + size, at + size + strcspn(at + size, "&"));
        }
}

/* A password may hold what ought to be escaped there, so the last @ ends it. */
static void hide_secrets(char *uri)
{
        char *scheme = strstr(uri, "://");
        char *user = scheme ? scheme + 3 : uri;
        char *end = strrchr(user, '@');
        char *password = strchr(user, ':');
        if (end && password && password < end)
                hide(password + 1, end);
        hide_option(uri, "password=");
        hide_option(uri, "session_token:");
}

/* The word of @argv that @value points into. */
static char *find_word(int argc, char **argv, const char *value)
{
        for (int i = 1; i < argc; i++) {
                if (value >= argv[i] && value <= argv[i] + strlen(argv[i]))
                        return argv[i] + (value - argv[i]);
        }
        return NULL;
}

char *cli_take_uri(const struct options *options, int argc, char **argv)
{
        const char *value = options_value(options, "--mongodb");
        char *word = value ? find_word(argc, argv, value) : NULL;
        if (!word)
                return NULL;
        prctl(PR_SET_DUMPABLE, 0);
        char *uri = memory_text(word);
        hide_secrets(word);
        return uri;
}

void cli_free_uri(char *uri)
{
        if (uri)
                explicit_bzero(uri, strlen(uri));
        free(uri);
}

/* ---- records ---- */

static int read_source(struct cli *cli, struct cli_source *source)
{
        struct error error = {0};
        if (reader_open(&source->reader, source->store, &error))
                return cli->mongodb
                    ? cli_fail(cli, EXIT_FAILED, "recorder '%s': %s", source->recorder, error.text)
                    : cli_fail(cli, EXIT_FAILED, "%s", error.text);
        source->is_read = true;
        return 0;
}

static int add_source(struct cli *cli, struct store *store)
{
        struct cli_source *source = &cli->sources[cli->source_count++];
        *source = (struct cli_source){.store = store, .recorder = store->ops->recorder(store)};
        return read_source(cli, source);
}

static void unread_source(struct cli_source *source)
{
        if (source->is_read)
                reader_close(&source->reader);
        source->is_read = false;
}

int cli_refresh(struct cli *cli)
{
        int code = 0;
        cli_forget_streams(cli);
        for (size_t i = 0; i < cli->source_count && !code; i++) {
                unread_source(&cli->sources[i]);
                code = read_source(cli, &cli->sources[i]);
        }
        return code;
}

void cli_close(struct cli *cli)
{
        cli_forget_streams(cli);
        for (size_t i = 0; i < cli->source_count; i++) {
                unread_source(&cli->sources[i]);
                cli->sources[i].store->ops->close(cli->sources[i].store);
        }
        cli->source_count = 0;
}

int cli_open_local(struct cli *cli, enum store_mode mode)
{
        const char *wanted = options_value(cli->options, "--recorder");
        struct store_options options = {
            .path = settings_text(cli->settings, "STORE"), .mode = mode};
        struct error error = {0};
        struct store *store;
        if (store_lmdb.open(&store, &options, &error))
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        int code = add_source(cli, store);
        if (!code && wanted && strcmp(wanted, cli->sources[0].recorder) != 0)
                return cli_fail(cli, EXIT_FAILED, "--recorder %s: the recorder of %s is '%s'",
                    wanted, options.path, cli->sources[0].recorder);
        return code;
}

/* "'a', 'b'": all that fit. */
static void list_names(char *const *names, size_t count, char *ret_text, size_t size)
{
        size_t used = 0;
        *ret_text = '\0';
        for (size_t i = 0; i < count && used + 8 < size; i++)
                used += (size_t)snprintf(
                    ret_text + used, size - used, "%s'%s'", i ? ", " : "", names[i]);
        text_make_printable(ret_text); /* a database may hold anything */
}

/* "host:port/database", without what may be secret. */
static const char *place_of(const char *uri, const char *database, char *ret_text, size_t size)
{
        const char *scheme = strstr(uri, "://"), *from = scheme ? scheme + 3 : uri;
        const char *end = from + strcspn(from, "/?"); /* only there a user is named */
        for (const char *at = from; at < end; at++)
                from = *at == '@' ? at + 1 : from;
        size_t hosts = strcspn(from, "/?"), named = strcspn(from, "?");
        bool tells = named > hosts + 1;
        snprintf(ret_text, size, "%.*s%s%s", (int)(tells ? named : hosts), from, tells ? "" : "/",
            tells ? "" : database);
        return ret_text;
}

/* One that has announced itself, but has no record yet, is passed over. */
static int open_recorder(struct cli *cli, const struct store_ops *ops,
    const struct store_options *wanted, const char *name)
{
        struct store_options options = *wanted;
        struct error error = {0};
        struct store *store;
        options.recorder = name;
        int code = ops->open(&store, &options, &error);
        if (code == ERR_NOT_FOUND)
                return 0;
        if (code)
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        return add_source(cli, store);
}

static int open_recorders(struct cli *cli, const struct store_ops *ops,
    const struct store_options *options, char *const *names, size_t count)
{
        const char *wanted = options_value(cli->options, "--recorder");
        char all[512];
        int code = 0;
        list_names(names, count, all, sizeof(all));
        if (!wanted && count > MERGE_SOURCES_MAX)
                return cli_fail(cli, EXIT_FAILED,
                    "there are %zu recorders, more than %d at once: name one with --recorder: %s",
                    count, MERGE_SOURCES_MAX, all);
        for (size_t i = 0; i < count && !code; i++) {
                if (!wanted || !strcmp(names[i], wanted))
                        code = open_recorder(cli, ops, options, names[i]);
        }
        if (code || cli->source_count)
                return code;
        if (wanted && count)
                return cli_fail(cli, EXIT_FAILED,
                    "--recorder %s: no such recorder in the database; there are %s", wanted, all);
        return cli_fail(cli, EXIT_FAILED, "%s: no recorder has written to this database",
            place_of(cli->mongodb, options->database, all, sizeof(all)));
}

struct store_options cli_mongodb_options(const struct cli *cli, enum store_mode mode)
{
        const char *password = settings_text(cli->settings, "MONGODB_PASSWORD");
        return (struct store_options){.path = cli->mongodb,
            .mode = mode,
            .database = settings_text(cli->settings, "MONGODB_DATABASE"),
            .password = *password ? password : NULL};
}

int cli_open_mongodb(struct cli *cli)
{
        struct store_options options = cli_mongodb_options(cli, STORE_READ);
        struct error error = {0};
        char **names;
        size_t count;
        const struct store_ops *ops = store_mongo_load(&error);
        if (!ops || ops->recorders(&options, &names, &count, &error))
                return cli_fail(
                    cli, error.code == ERR_USAGE ? EXIT_USAGE : EXIT_FAILED, "%s", error.text);
        int code = open_recorders(cli, ops, &options, names, count);
        for (size_t i = 0; i < count; i++)
                free(names[i]);
        free(names);
        return code;
}
