/* What goes to the database and comes back, counted where the store calls its client.
 *
 * The program is linked so that these calls come here first (--wrap); nothing else changes. One
 * thread. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdint.h>
#include <stdio.h>

struct wire {
        uint64_t queries, empty;                 /* finds; and those of them that found nothing */
        uint64_t documents, bytes;               /* that came back */
        uint64_t writes, written, written_bytes; /* bulks, their documents */
        uint64_t commands;
        int64_t library_ns; /* CPU of the client library in these calls */
        int64_t waited_ns;  /* what they took beside it: the server, and the way there */
};

extern struct wire wire;

/* What has been added since. */
struct wire wire_since(const struct wire *before);

/* Each query from now on is a line there, as long as no payload is cut; NULL: no more. */
void wire_trace(FILE *out);

#endif
