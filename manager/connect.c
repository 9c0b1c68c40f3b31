/* Where the logger is: what --socket, --host and --port say, else the settings, else where its
 * socket is by default.
 *
 * The key is read only where a connection by TCP needs it: its file may belong to others. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "control/client.h"
#include "manager/manager.h"

#define SERVICE_SOCKET "/run/oblogger/manager.sock" /* of the logger that systemd started */
#define PATH_SIZE 4096

static const char *const secret_names[] = {"MANAGER_AUTHKEY"};

/* The options stand above the settings. */
static const struct {
        const char *option, *setting, *allowed;
} places[] = {
    {"--socket", "MANAGER_SOCKET", "a path of up to 107 bytes"},
    {"--host", "LOGGER_SERVER_IP", "an address or a name"},
    {"--port", "MANAGER_PORT", "1 to 65535"},
};

static int override(struct manager *manager, struct settings *settings)
{
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
                const char *value = options_value(manager->options, places[i].option);
                if (!value)
                        continue;
                if (!*value || settings_override(settings, places[i].setting, value, NULL))
                        return manager_fail(manager, EXIT_USAGE, "%s %s: allowed is %s",
                            places[i].option, value, places[i].allowed);
        }
        return 0;
}

int manager_load(struct manager *manager, bool with_key, struct settings **ret_settings)
{
        struct error error = {0};
        const char *path = options_value(manager->options, "--env-file");
        if (with_key)
                prctl(PR_SET_DUMPABLE, 0);
        if (settings_load_some(ret_settings, path, secret_names, with_key, &error))
                return manager_fail(manager, EXIT_USAGE, "%s", error.text);
        int code = override(manager, *ret_settings);
        if (code)
                settings_free(*ret_settings);
        return code;
}

static int connect_to(struct manager *manager, const struct control_target *target)
{
        struct error error = {0};
        int code = control_connect(&manager->client, target, &error);
        if (!code)
                return 0;
        manager->client = NULL;
        return manager_fail(
            manager, code == ERR_USAGE ? EXIT_USAGE : EXIT_FAILED, "%s", error.text);
}

static int connect_port(struct manager *manager, const struct settings *settings)
{
        const char *ca_file = settings_text(settings, "CA_FILE");
        struct control_target target = {
            .host = settings_text(settings, "LOGGER_SERVER_IP"),
            .port = (uint16_t)settings_number(settings, "MANAGER_PORT"),
            .key = settings_text(settings, "MANAGER_AUTHKEY"),
            .ca_file = *ca_file ? ca_file : NULL,
        };
        if (!*target.key)
                return manager_fail(manager, EXIT_USAGE,
                    "%s:%u asks for a key: set MANAGER_AUTHKEY, or MANAGER_AUTHKEY_FILE to the "
                    "file that holds it",
                    target.host, target.port);
        return connect_to(manager, &target);
}

static bool store_is_default(const struct settings *settings)
{
        const char *store = settings_text(settings, "STORE");
        for (size_t i = 0; i < settings_count; i++) {
                if (!strcmp(settings_table[i].name, "STORE"))
                        return !strcmp(settings_table[i].fallback, store);
        }
        return false;
}

/* The socket to use, or NULL: where it is by default, it must be there. */
static const char *find_socket(
    const struct settings *settings, char store_socket[PATH_SIZE], bool *ret_service)
{
        const char *path = settings_text(settings, "MANAGER_SOCKET");
        if (*path)
                return path;
        snprintf(store_socket, PATH_SIZE, "%s/manager.sock", settings_text(settings, "STORE"));
        if (!access(store_socket, F_OK))
                return store_socket;
        *ret_service = store_is_default(settings);
        if (*ret_service && (!access(SERVICE_SOCKET, F_OK) || errno == EACCES))
                return SERVICE_SOCKET;
        return NULL;
}

static int connect_by_key(struct manager *manager, const char *store_socket, bool service)
{
        struct settings *settings;
        if (store_socket) /* the settings' warnings have been given */
                log_set_level(LOG_ERROR_LEVEL);
        int code = manager_load(manager, true, &settings);
        if (code)
                return code;
        if (store_socket && !*settings_text(settings, "MANAGER_AUTHKEY"))
                code = manager_fail(manager, EXIT_FAILED,
                    "no logger found: %s%s%s not there, and MANAGER_AUTHKEY is not set; start "
                    "oblogger, or say where it is by --socket or --host",
                    store_socket, service ? " and " SERVICE_SOCKET : "", service ? " are" : " is");
        else
                code = connect_port(manager, settings);
        settings_free(settings);
        return code;
}

int manager_connect(struct manager *manager)
{
        char store_socket[PATH_SIZE];
        struct settings *settings;
        bool service = false;
        if (options_value(manager->options, "--host") || options_value(manager->options, "--port"))
                return connect_by_key(manager, NULL, false);
        int code = manager_load(manager, false, &settings);
        if (code)
                return code;
        const char *path = find_socket(settings, store_socket, &service);
        if (path)
                code = connect_to(manager, &(struct control_target){.socket_path = path});
        else
                code = connect_by_key(manager, store_socket, service);
        settings_free(settings);
        return code;
}
