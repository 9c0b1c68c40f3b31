/* What a captured run was set to, taken over for making it again. */
#include "logger/rederive_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "logger/app.h"

/* What belongs to this machine and this run, not to what is recorded. */
static bool stays(const char *name)
{
        static const char *const names[] = {"USE_ENV_FILE", "LOGLEVEL", "AS_SERVICE", "STORE",
            "STORE_KEEP", "RAW_CAPTURE", "MONGODB_ENDPOINT", "MONGODB_PASSWORD", "MONGODB_DATABASE",
            "MONGODB_LAYOUT", "CA_FILE", "MANAGER_SOCKET", "MANAGER_PORT", "MANAGER_ADDRESS",
            "MANAGER_AUTHKEY", "MANAGER_TLS_CERT", "MANAGER_TLS_KEY", "METRICS_PORT",
            "METRICS_ADDRESS"};
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                if (!strcmp(name, names[i]))
                        return true;
        }
        return false;
}

const char *rederive_value_of(const char *text, const char *name, char *ret_value, size_t size)
{
        size_t length = strlen(name);
        while (*text) {
                size_t line = strcspn(text, "\n");
                if (line > length && text[length] == '=' && !strncmp(text, name, length)) {
                        snprintf(
                            ret_value, size, "%.*s", (int)(line - length - 1), text + length + 1);
                        return strcmp(ret_value, CAPTURE_SECRET) ? ret_value : "bm9uZQ==";
                }
                text += line + (text[line] == '\n');
        }
        return NULL;
}

int rederive_take_settings(struct settings *settings, const char *text, struct error *error)
{
        char *value = memory_new(LIMIT_SETTING_SIZE);
        struct error why;
        int code = 0;
        for (size_t i = 0; i < settings_count && !code; i++) {
                const struct setting *setting = &settings_table[i];
                const char *then =
                    rederive_value_of(text, setting->name, value, LIMIT_SETTING_SIZE);
                if (stays(setting->name))
                        continue;
                code = settings_override(
                    settings, setting->name, then ? then : setting->fallback, &why);
                if (code)
                        error_set(error, ERR_CORRUPT, "the capture's settings: %s", why.text);
        }
        free(value);
        return code;
}
