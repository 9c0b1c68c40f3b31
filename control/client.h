/* The other end: asks a running logger, over its socket or its port. (libcurl behind it.)
 *
 * Blocking, one request at a time. TLS is always verified; plain TCP only to loopback. */
#ifndef CONTROL_CLIENT_H
#define CONTROL_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

struct control_client;

struct control_target {
        const char *socket_path; /* NULL: by TCP */
        const char *host;
        uint16_t port;
        const char *key;     /* TCP; ERR_USAGE where it is missing or empty */
        const char *ca_file; /* extra trusted certificates, or NULL: see control_connect */
        int timeout_ms;      /* until connected and let in; 0: 5,000 */
};

/* Connect, and over TCP prove that we hold the key. Off loopback by TLS; to loopback by TLS if
 * there is a ca_file and the port speaks it, else plain. ERR_NOT_FOUND  nothing listens there
 * ERR_DENIED  no permission, or the key is wrong ERR_VERSION    another protocol ERR_USAGE, ERR_IO
 */
int control_connect(
    struct control_client **ret_client, const struct control_target *target, struct error *error);
void control_disconnect(struct control_client *client);

/* Send one line (its end is added). */
int control_send(struct control_client *client, const char *text, size_t size, struct error *error);

/* The next line into @ret_line (emptied first; without its end; NUL and JSON_PADDING follow).
 * @wait_ms: -1 for ever. ERR_STOPPED if none came by then, or a signal did: ask again. ERR_IO the
 * other side is gone, ERR_FULL a line of over CONTROL_ANSWER_SIZE. */
int control_receive(
    struct control_client *client, struct buffer *ret_line, int wait_ms, struct error *error);

#endif
