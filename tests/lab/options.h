/* The command line of the laboratory. */
#ifndef LAB_OPTIONS_H
#define LAB_OPTIONS_H

#include "lab.h"

/* Read the command line; @ret_first is the index of the first capture.
 *
 * ERR_USAGE with a line that names the option. ERR_STOPPED: --help was printed. */
int options_read(
    int count, char **words, struct options *ret_options, int *ret_first, struct error *error);

#endif
