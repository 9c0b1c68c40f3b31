/* The pages: GET and HEAD over HTTP, each path asked of the owner. No folders, no files.
 *
 * While a page is being made nothing more is read of its connection; the library writes nothing to
 * one that is not read, so reading goes on when the page is there. What is refused is refused here,
 * and its connection ends: whatever else it sent is not looked at. */
#include <string.h>

#include <libwebsockets.h>

#include "control/internal.h"

#define HEADERS_SIZE 1024
#define PART_SIZE (16u << 10)
#define SEND_S 10        /* for a part to be taken */
#define IDLE_MS 10000    /* without a whole request, however slowly one comes */
#define SENDING_MS 60000 /* from a request to the end of its page, but for the owner's part */

static int send_headers(
    struct lws *wsi, unsigned status, const char *type, size_t size, const char *allow)
{
        uint8_t room[LWS_PRE + HEADERS_SIZE], *start = room + LWS_PRE, *at = start;
        uint8_t *end = room + sizeof(room);
        if (lws_add_http_common_headers(wsi, status, type, size, &at, end))
                return -1;
        if (allow &&
            lws_add_http_header_by_name(wsi, (const uint8_t *)"allow:", (const uint8_t *)allow,
                (int)strlen(allow), &at, end))
                return -1;
        return lws_finalize_write_http_header(wsi, start, &at, end) ? -1 : 0;
}

static int refuse(struct lws *wsi, unsigned status, const char *why)
{
        uint8_t body[LWS_PRE + 128];
        size_t size = strlen(why);
        const char *allow = status == HTTP_STATUS_METHOD_NOT_ALLOWED ? "GET, HEAD" : NULL;
        memcpy(body + LWS_PRE, why, size);
        if (!send_headers(wsi, status, "text/plain", size, allow))
                lws_write(wsi, body + LWS_PRE, size, LWS_WRITE_HTTP_FINAL);
        return -1;
}

static bool is_plain(const char *path, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if (path[i] <= ' ' || path[i] > '~')
                        return false;
        return true;
}

static int on_request(struct lws *wsi, struct connection *connection, const char *path, size_t size)
{
        bool is_get = lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0;
        connection->is_head = lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0;
        if (!is_get && !connection->is_head)
                return refuse(wsi, HTTP_STATUS_METHOD_NOT_ALLOWED, "only GET\n");
        if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0 ||
            lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0)
                return refuse(wsi, HTTP_STATUS_BAD_REQUEST, "a request has no body\n");
        if (!is_plain(path, size))
                return refuse(wsi, HTTP_STATUS_BAD_REQUEST, "not a path\n");
        connection->is_started = false;
        connection->since_ns = clock_mono_ns();
        lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
        lws_rx_flow_control(wsi, 0);
        queue_ask(connection, CONTROL_PAGE, path, size);
        return 0;
}

/* The page is there: take its head, and how much of its body is to be sent. */
static bool page_is_there(
    struct connection *connection, int *ret_status, char ret_type[TYPE_SIZE], size_t *ret_size)
{
        pthread_mutex_lock(&connection->server->lock);
        *ret_status = connection->status;
        *ret_size = connection->waiting;
        memcpy(ret_type, connection->type, TYPE_SIZE);
        pthread_mutex_unlock(&connection->server->lock);
        return *ret_status;
}

static int page_end(struct lws *wsi, struct connection *connection)
{
        queue_drop(connection);
        connection->since_ns = clock_mono_ns();
        return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int send_part(struct lws *wsi, struct connection *connection)
{
        uint8_t room[LWS_PRE + PART_SIZE];
        size_t size;
        const uint8_t *front = queue_front(connection, &size);
        if (!front)
                return page_end(wsi, connection);
        size = size < PART_SIZE ? size : PART_SIZE;
        memcpy(room + LWS_PRE, front, size);
        lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, SEND_S);
        if (lws_write(wsi, room + LWS_PRE, size, LWS_WRITE_HTTP) < (int)size)
                return -1;
        queue_shift(connection, size);
        if (!queue_front(connection, &size))
                return page_end(wsi, connection);
        lws_callback_on_writable(wsi);
        return 0;
}

static int on_writable(struct lws *wsi, struct connection *connection)
{
        char type[TYPE_SIZE];
        int status;
        size_t size;
        if (!page_is_there(connection, &status, type, &size))
                return 0;
        if (connection->is_started)
                return send_part(wsi, connection);
        connection->is_started = true;
        if (send_headers(wsi, (unsigned)status, type, size, NULL))
                return -1;
        if (connection->is_head || !size)
                return page_end(wsi, connection);
        lws_callback_on_writable(wsi);
        return 0;
}

int pages_on_event(
    struct lws *wsi, struct connection *connection, int reason, void *in, size_t size)
{
        switch (reason) {
        case LWS_CALLBACK_HTTP:
                return on_request(wsi, connection, in, size);
        case LWS_CALLBACK_HTTP_WRITEABLE:
                return on_writable(wsi, connection);
        case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        case LWS_CALLBACK_RAW_ADOPT: /* what is not HTTP at all */
        case LWS_CALLBACK_RAW_RX:
                return -1;
        default:
                return 0;
        }
}

bool pages_is_late(struct connection *connection, int64_t now_ns)
{
        pthread_mutex_lock(&connection->server->lock);
        bool is_asked = connection->id, is_there = connection->status;
        pthread_mutex_unlock(&connection->server->lock);
        int64_t limit_ms = is_there ? SENDING_MS : IDLE_MS;
        return !is_asked && now_ns - connection->since_ns > limit_ms * NS_PER_MS;
}
