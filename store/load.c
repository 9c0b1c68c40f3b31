/* The store in MongoDB, loaded when it is asked for. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/internal.h"
#include "store/legacy.h"

#define MODULE "oblogger_mongo.so"

/* The module's path: beside the program, as it is built, or where it is installed. */
static void *open_module(const char *relative)
{
        char path[STORE_PATH_SIZE];
        ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
        if (size <= 0)
                return NULL;
        path[size] = '\0';
        char *slash = strrchr(path, '/');
        size_t room = sizeof(path) - (size_t)(slash + 1 - path);
        if (!slash || (size_t)snprintf(slash + 1, room, "%s", relative) >= room)
                return NULL;
        return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

void *store_module_symbol(const char *name, struct error *error)
{
        setenv("MONGOC_DISABLE_SHM", "1", 0); /* no file of counters */
        void *module = open_module(MODULE);
        if (!module)
                module = open_module("../lib/oblogger/" MODULE);
        void *symbol = module ? dlsym(module, name) : NULL;
        if (!symbol)
                error_set(error, ERR_NOT_FOUND, "MongoDB: the module %s cannot be loaded: %s",
                    MODULE, dlerror());
        return symbol;
}

const struct store_ops *store_mongo_load(struct error *error)
{
        return store_module_symbol("store_mongo", error);
}

const struct legacy_ops *legacy_load(struct error *error)
{
        return store_module_symbol("legacy_mongo", error);
}
