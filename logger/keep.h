/* STORE_KEEP: drops days that are older than so many days, now and then, on a thread of its own. */
#ifndef LOGGER_KEEP_H
#define LOGGER_KEEP_H

#include <stddef.h>

#include "base/error.h"

struct keeper;

/* @path is copied. ERR_IO: no thread. */
int keeper_open(struct keeper **ret_keeper, const char *path, unsigned days, struct error *error);
void keeper_close(struct keeper *keeper);

#endif
