/* What can be wrong with the settings, found before anything is begun. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "logger/app.h"
#include "logger/doors.h"
#include "store/mongo_client.h"
#include "venue/net.h"

static int check_files(const struct settings *settings, struct error *error)
{
        const char *ca = settings_text(settings, "CA_FILE"),
                   *keep = settings_text(settings, "STORE_KEEP");
        struct error why;
        if (*ca && net_trust_check(ca, &why))
                return error_set(error, ERR_USAGE, "CA_FILE: %s", why.text);
        if (settings_number(settings, "IMAGE_MIN") > settings_number(settings, "IMAGE_MAX"))
                return error_set(error, ERR_USAGE, "IMAGE_MIN=%s: allowed is at most IMAGE_MAX=%s",
                    settings_text(settings, "IMAGE_MIN"), settings_text(settings, "IMAGE_MAX"));
        if (strspn(keep, "0123456789") != strlen(keep) || strlen(keep) > 5 || !strcmp(keep, "0"))
                return error_set(error, ERR_USAGE,
                    "STORE_KEEP=%s: allowed is a number of days from 1, or empty", keep);
        return 0;
}

static int check_capture(const struct settings *settings, struct error *error)
{
        const char *folder = settings_text(settings, "RAW_CAPTURE");
        struct stat info;
        if (*folder && !stat(folder, &info) && !S_ISDIR(info.st_mode))
                return error_set(error, ERR_USAGE,
                    "RAW_CAPTURE=%s: it is no directory; allowed is one, there or not", folder);
        return 0;
}

/* Is the address one? Nothing is connected. */
static int check_sink(const struct settings *settings, struct error *error)
{
        struct mongo_options options = {.uri = settings_text_or_null(settings, "MONGODB_ENDPOINT"),
            .password = settings_text_or_null(settings, "MONGODB_PASSWORD"),
            .database = settings_text(settings, "MONGODB_DATABASE")};
        struct error why;
        if (options.database[strcspn(options.database, "/\\. \"$*<>:|?")])
                return error_set(error, ERR_USAGE,
                    "MONGODB_DATABASE=%s: allowed is a name without blanks and /\\.\"$*<>:|?",
                    options.database);
        if (!options.uri)
                return 0;
        if (mongo_check(&options, &why))
                return error_set(error, ERR_USAGE,
                    "MONGODB_ENDPOINT=(not shown): %s; allowed is host:port or a mongodb:// URI",
                    why.text);
        return 0;
}

int settings_check(const struct settings *settings, struct error *error)
{
        int code = check_files(settings, error);
        code = code ? code : check_capture(settings, error);
        code = code ? code : check_sink(settings, error);
        return code ? code : doors_check(settings, error);
}
