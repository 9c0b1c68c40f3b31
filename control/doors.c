/* The doors: sockets that listen, the certificate behind the port, and what is logged about them.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/log.h"
#include "control/internal.h"

#define BACKLOG 64
#define NOTICE_NS (60 * NS_PER_S)

static int door_fail(struct door *door, const char *what, struct error *error)
{
        int cause = errno;
        if (door->fd >= 0)
                close(door->fd);
        door->fd = -1;
        return error_set(error, cause == EACCES || cause == EPERM ? ERR_DENIED : ERR_IO,
            "%s: %s: %s", door->name, what, strerror(cause));
}

/* The socket's file */

static int socket_address(const char *path, struct sockaddr_un *ret_address, struct error *error)
{
        size_t size = strlen(path);
        *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
        if (!size || size >= sizeof(ret_address->sun_path))
                return error_set(error, ERR_USAGE, "%s: the path of a socket has 1 to %zu bytes",
                    path, sizeof(ret_address->sun_path) - 1);
        memcpy(ret_address->sun_path, path, size);
        return 0;
}

/* Make way: a file that nobody serves is what a killed logger left. */
static int socket_clear(struct door *door, const struct sockaddr_un *address, struct error *error)
{
        struct stat file;
        if (lstat(address->sun_path, &file))
                return errno == ENOENT ? 0 : door_fail(door, "cannot look at it", error);
        if (!S_ISSOCK(file.st_mode))
                return error_set(error, ERR_DENIED, "%s: something else has that name", door->name);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return door_fail(door, "no socket", error);
        int failed = connect(fd, (const struct sockaddr *)address, sizeof(*address));
        int cause = failed ? errno : 0;
        close(fd);
        if (!failed || cause == EAGAIN)
                return error_set(error, ERR_BUSY, "%s: another process serves it", door->name);
        errno = cause;
        if (cause != ECONNREFUSED && cause != ENOENT)
                return door_fail(door, "cannot be tried", error);
        if (unlink(address->sun_path) && errno != ENOENT)
                return door_fail(door, "cannot replace the one left behind", error);
        return 0;
}

/* Nobody can connect before listen(), and by then the mode is right whatever the umask is. */
static int socket_bind(
    struct control_server *server, const struct sockaddr_un *address, struct error *error)
{
        struct door *door = &server->doors[DOOR_SOCKET];
        struct stat file;
        door->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (door->fd < 0)
                return door_fail(door, "no socket", error);
        if (fchmod(door->fd, 0660) ||
            bind(door->fd, (const struct sockaddr *)address, sizeof(*address)))
                return door_fail(door, "cannot make it", error);
        server->socket_path = memory_text(address->sun_path);
        if (lstat(address->sun_path, &file))
                return door_fail(door, "cannot look at it", error);
        server->socket_device = file.st_dev;
        server->socket_inode = file.st_ino;
        if (fchmodat(AT_FDCWD, address->sun_path, 0660, AT_SYMLINK_NOFOLLOW))
                return door_fail(door, "cannot set its mode", error);
        if (listen(door->fd, BACKLOG))
                return door_fail(door, "cannot listen", error);
        return 0;
}

int door_open_socket(struct control_server *server, const char *path, struct error *error)
{
        struct door *door = &server->doors[DOOR_SOCKET];
        struct sockaddr_un address;
        snprintf(door->name, sizeof(door->name), "control socket %s", path);
        int code = socket_address(path, &address, error);
        if (!code)
                code = socket_clear(door, &address, error);
        if (!code)
                code = socket_bind(server, &address, error);
        return code;
}

void doors_remove_file(struct control_server *server)
{
        struct stat file;
        if (server->socket_path && !lstat(server->socket_path, &file) &&
            file.st_dev == server->socket_device && file.st_ino == server->socket_inode)
                unlink(server->socket_path);
}

/* TCP */

static bool is_loopback(const struct sockaddr *address)
{
        if (address->sa_family == AF_INET) {
                const struct sockaddr_in *four = (const void *)address;
                return ntohl(four->sin_addr.s_addr) >> 24 == 127;
        }
        const struct sockaddr_in6 *six = (const void *)address;
        return address->sa_family == AF_INET6 &&
            (IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) ||
                (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) && six->sin6_addr.s6_addr[12] == 127));
}

static int tcp_listen(struct door *door, const struct addrinfo *at, struct error *error)
{
        int on = 1;
        door->fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (door->fd < 0)
                return door_fail(door, "no socket", error);
        if (setsockopt(door->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
            bind(door->fd, at->ai_addr, at->ai_addrlen) || listen(door->fd, BACKLOG))
                return door_fail(door, "cannot listen", error);
        return 0;
}

int door_open_tcp(
    struct door *door, const char *address, uint16_t port, bool loopback_only, struct error *error)
{
        struct addrinfo hints = {
            .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
            .ai_socktype = SOCK_STREAM,
        };
        struct addrinfo *at = NULL;
        char port_text[8];
        bool is_six = address && strchr(address, ':');
        snprintf(port_text, sizeof(port_text), "%u", port);
        snprintf(door->name, sizeof(door->name), is_six ? "%s [%s]:%u" : "%s %s:%u",
            door->kind == DOOR_PORT ? "control port" : "pages", address ? address : "", port);
        if (!address || getaddrinfo(address, port_text, &hints, &at))
                return error_set(error, ERR_USAGE, "%s: not a numeric address", door->name);
        int code = loopback_only && !is_loopback(at->ai_addr)
            ? error_set(error, ERR_USAGE,
                  "%s: off loopback only by TLS: it needs a certificate and its key", door->name)
            : tcp_listen(door, at, error);
        freeaddrinfo(at);
        return code;
}

/* TLS */

/* A key that is locked by a password is an error, not a question on the terminal. */
static int no_password(char *text, int size, int writing, void *user)
{
        (void)text, (void)size, (void)writing, (void)user;
        return 0;
}

static int tls_fail(
    struct control_server *server, const char *path, const char *what, struct error *error)
{
        const char *why = ERR_reason_error_string(ERR_peek_error());
        error_set(error, ERR_USAGE, "%s: %s: %s", path, what, why ? why : "not a PEM file");
        ERR_clear_error();
        SSL_CTX_free(server->tls);
        server->tls = NULL;
        return ERR_USAGE;
}

static void tls_restrict(SSL_CTX *tls)
{
        SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
        SSL_CTX_set_options(
            tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
        SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_num_tickets(tls, 0);
        SSL_CTX_set_mode(tls,
            SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                SSL_MODE_RELEASE_BUFFERS);
        SSL_CTX_set_default_passwd_cb(tls, no_password);
}

int doors_load_tls(
    struct control_server *server, const struct control_options *options, struct error *error)
{
        if (!options->tls_cert || !options->tls_key)
                return error_set(error, ERR_USAGE,
                    "control port: a certificate and its key belong together: one is missing");
        ERR_clear_error();
        server->tls = SSL_CTX_new(TLS_server_method());
        if (!server->tls)
                return tls_fail(server, "control port", "TLS cannot be set up", error);
        tls_restrict(server->tls);
        if (SSL_CTX_use_certificate_chain_file(server->tls, options->tls_cert) != 1)
                return tls_fail(server, options->tls_cert, "cannot read the certificate", error);
        if (SSL_CTX_use_PrivateKey_file(server->tls, options->tls_key, SSL_FILETYPE_PEM) != 1)
                return tls_fail(server, options->tls_key, "cannot use the key", error);
        if (SSL_CTX_check_private_key(server->tls) != 1)
                return tls_fail(server, options->tls_key, "not the certificate's key", error);
        return 0;
}

/* Complaints */

void notice_say(struct notice *notice, const struct door *door, const char *what, unsigned count)
{
        int64_t now_ns = clock_mono_ns();
        notice->held += count;
        if (!notice->held || (notice->said_ns && now_ns - notice->said_ns < NOTICE_NS))
                return;
        log_warning("%s: %s (%llu)", door->name, what, (unsigned long long)notice->held);
        notice->said_ns = now_ns;
        notice->held = 0;
}
