#include "logger/doors.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/log.h"
#include "control/server.h"
#include "logger/commands.h"
#include "logger/disk.h"
#include "logger/metrics.h"

#define OLD_KEY "secret" /* the older system's default: known to everybody */
#define TEXT_TYPE "text/plain; charset=utf-8"

/* ---- settings ---- */

static int check_address(const struct settings *settings, const char *name, struct error *error)
{
        const char *text = settings_text(settings, name);
        unsigned char address[16];
        if (inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1)
                return 0;
        return error_set(error, ERR_USAGE,
            "%s=%s: allowed is a numeric address, like 127.0.0.1, ::1 or 0.0.0.0", name, text);
}

static int check_port_door(const struct settings *settings, struct error *error)
{
        const char *key = settings_text(settings, "MANAGER_AUTHKEY");
        const char *address = settings_text(settings, "MANAGER_ADDRESS");
        bool tls_cert = *settings_text(settings, "MANAGER_TLS_CERT");
        bool tls_key = *settings_text(settings, "MANAGER_TLS_KEY");
        if (tls_cert != tls_key)
                return error_set(error, ERR_USAGE,
                    "%s is not set: allowed are both of MANAGER_TLS_CERT and MANAGER_TLS_KEY, or "
                    "none",
                    tls_cert ? "MANAGER_TLS_KEY" : "MANAGER_TLS_CERT");
        if (!*key || rest_is_loopback(address))
                return 0;
        if (!tls_cert)
                return error_set(error, ERR_USAGE,
                    "MANAGER_ADDRESS=%s: off loopback MANAGER_TLS_CERT and MANAGER_TLS_KEY must be "
                    "set",
                    address);
        if (!strcmp(key, OLD_KEY))
                return error_set(error, ERR_USAGE,
                    "MANAGER_AUTHKEY=(not shown): it is the older system's default, which "
                    "everybody knows; allowed off loopback (MANAGER_ADDRESS=%s) is any other",
                    address);
        return 0;
}

int doors_check(const struct settings *settings, struct error *error)
{
        int code = check_address(settings, "MANAGER_ADDRESS", error);
        code = code ? code : check_address(settings, "METRICS_ADDRESS", error);
        return code ? code : check_port_door(settings, error);
}

/* ---- open and close ---- */

static void wake_cb(void *user)
{
        struct app *app = user;
        app->network->ops->wake(app->network);
}

static bool answer_cb(uint64_t id, const char *text, size_t size, bool last, void *user)
{
        struct app *app = user;
        return !app->control || control_answer(app->control, id, text, size, last);
}

/* The path of the socket, or NULL: it does not fit where nobody has chosen it. */
static const char *socket_path(const struct settings *settings, char *path, size_t size)
{
        const char *chosen = settings_text(settings, "MANAGER_SOCKET");
        size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);
        if (*chosen)
                return chosen;
        int needed = snprintf(path, size, "%s/manager.sock", settings_text(settings, "STORE"));
        if (needed < (int)room)
                return path;
        log_warning("%s: %d bytes, a socket's path has at most %zu: there is none; set "
                    "MANAGER_SOCKET",
            path, needed, room - 1);
        return NULL;
}

static struct control_options options_of(const struct settings *settings)
{
        struct control_options options = {.key = settings_text_or_null(settings, "MANAGER_AUTHKEY"),
            .address = settings_text(settings, "MANAGER_ADDRESS"),
            .tls_cert = settings_text_or_null(settings, "MANAGER_TLS_CERT"),
            .tls_key = settings_text_or_null(settings, "MANAGER_TLS_KEY"),
            .pages_address = settings_text(settings, "METRICS_ADDRESS"),
            .pages_port = (uint16_t)settings_number(settings, "METRICS_PORT"),
            .wake_cb = wake_cb};
        if (options.key)
                options.port = (uint16_t)settings_number(settings, "MANAGER_PORT");
        return options;
}

int doors_open(struct app *app, struct error *error)
{
        struct control_options options = options_of(app->settings);
        char path[4096];
        commands_open(app, answer_cb, app);
        if (!app->network->ops->live)
                return 0;
        options.socket_path = socket_path(app->settings, path, sizeof(path));
        options.user = app;
        if (!options.key)
                log_info(
                    "without MANAGER_AUTHKEY no port is opened for obmanage, its socket serves");
        if (options.pages_port &&
            disk_open(&app->disk, settings_text(app->settings, "STORE"), error))
                return error->code;
        return control_open(&app->control, &options, error);
}

void doors_close(struct app *app)
{
        control_close(app->control);
        commands_close(app);
        app->control = NULL;
        disk_close(app->disk);
        app->disk = NULL;
}

/* ---- pages ---- */

static void answer_page(struct app *app, uint64_t id, const char *path)
{
        struct buffer text;
        const char *type = TEXT_TYPE;
        int status = 200;
        buffer_init(&text, METRICS_SIZE);
        if (!strcmp(path, "/metrics")) {
                type = METRICS_TYPE;
                metrics_write(app, &text);
        } else if (!strcmp(path, "/healthz")) {
                status = metrics_healthy(app, &text) ? 200 : 503;
        } else if (!strcmp(path, "/readyz")) {
                status = metrics_ready(app, &text) ? 200 : 503;
        } else {
                status = 404;
                buffer_append_text(&text, "here are /metrics, /healthz and /readyz\n");
        }
        control_page(app->control, id, status, type, (char *)text.data, text.size);
        buffer_deinit(&text);
}

static void take_request(struct app *app, struct control_request *request)
{
        const char *text = (const char *)request->text.data;
        if (request->kind == CONTROL_PAGE) {
                answer_page(app, request->id, text);
                return;
        }
        app_note(app, CAPTURE_COMMAND, (int64_t)request->id, buffer_bytes(&request->text));
        if (request->kind == CONTROL_LINE)
                commands_request(app, request->id, text, request->text.size);
        else
                commands_gone(app, request->id);
}

/* Of a run that is made again. */
static void take_commands(struct app *app)
{
        struct network *network = app->network;
        int64_t id;
        struct bytes line;
        while (network->ops->command && network->ops->command(network, &id, &line)) {
                if (line.size)
                        commands_request(app, (uint64_t)id, (const char *)line.data, line.size);
                else
                        commands_gone(app, (uint64_t)id);
        }
}

void doors_tick(struct app *app)
{
        struct control_request request;
        while (app->control && control_take(app->control, &request)) {
                take_request(app, &request);
                buffer_deinit(&request.text);
        }
        take_commands(app);
        commands_tick(app);
}
