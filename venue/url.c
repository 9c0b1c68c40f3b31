/* Addresses of exchanges, and the proxy that the environment names for them. */
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/decimal.h"
#include "venue/net.h"
#include "venue/rest.h"

#define PROXY_PORT 1080 /* of a proxy that is named without one, as curl has it */

struct scheme {
        const char *name;
        uint16_t port;
        bool tls;
};

static const struct scheme schemes[] = {
    {"wss://", 443, true},
    {"https://", 443, true},
    {"ws://", 80, false},
    {"http://", 80, false},
};

static const struct scheme *scheme_of(const char *text)
{
        for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
                if (!strncasecmp(text, schemes[i].name, strlen(schemes[i].name)))
                        return &schemes[i];
        return NULL;
}

static bool port_parse(const char *text, size_t size, uint16_t *ret_port)
{
        int64_t port;
        if (!size || size > 5 || strspn(text, "0123456789") < size ||
            decimal_parse(text, size, 0, &port) || port < 1 || port > 65535)
                return false;
        *ret_port = (uint16_t)port;
        return true;
}

static bool text_copy(const char *text, size_t size, char *ret_text, size_t ret_size)
{
        if (size >= ret_size)
                return false;
        memcpy(ret_text, text, size);
        ret_text[size] = '\0';
        return true;
}

/* A name, or a numeric address (then with a colon), without []. */
static bool host_is_valid(const char *host)
{
        struct in6_addr address;
        if (strchr(host, ':'))
                return inet_pton(AF_INET6, host, &address) == 1;
        if (!*host || *host == '.' || *host == '-')
                return false;
        for (const char *c = host; *c; c++)
                if (!isalnum((unsigned char)*c) && !strchr("-._", *c))
                        return false;
        return true;
}

/* "host", "host:port", "[v6]" or "[v6]:port"; @ret_port is left alone without one. */
static bool authority_parse(
    const char *text, size_t size, char *ret_host, size_t host_size, uint16_t *ret_port)
{
        const char *host = text, *end = text + size, *host_end, *rest;
        if (size && *text == '[') {
                host = text + 1;
                host_end = memchr(text, ']', size);
                if (!host_end || !memchr(host, ':', (size_t)(host_end - host)))
                        return false;
                rest = host_end + 1;
        } else {
                host_end = memchr(text, ':', size);
                rest = host_end = host_end ? host_end : end;
        }
        if (rest < end &&
            (*rest != ':' || !port_parse(rest + 1, (size_t)(end - rest - 1), ret_port)))
                return false;
        return text_copy(host, (size_t)(host_end - host), ret_host, host_size) &&
            host_is_valid(ret_host);
}

static bool path_parse(const char *text, char *ret_path, size_t size)
{
        size_t length = strlen(text);
        for (size_t i = 0; i < length; i++)
                if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 0x7f ||
                    strchr("?#\"<>\\", text[i]))
                        return false;
        while (length && text[length - 1] == '/')
                length--;
        return text_copy(text, length, ret_path, size);
}

int rest_url_parse(const char *text, struct rest_url *ret_url)
{
        const struct scheme *scheme = scheme_of(text);
        if (!scheme)
                return ERR_PARSE;
        struct rest_url url = {.port = scheme->port, .tls = scheme->tls};
        const char *authority = text + strlen(scheme->name);
        size_t size = strcspn(authority, "/?#");
        if (!authority_parse(authority, size, url.host, sizeof(url.host), &url.port) ||
            !path_parse(authority + size, url.path, sizeof(url.path)))
                return ERR_PARSE;
        if (!url.tls && !rest_is_loopback(url.host))
                return ERR_DENIED;
        *ret_url = url;
        return 0;
}

bool rest_is_loopback(const char *host)
{
        char bare[INET6_ADDRSTRLEN];
        struct in_addr v4;
        struct in6_addr v6;
        size_t size = strlen(host);
        if (!strcasecmp(host, "localhost"))
                return true;
        if (inet_pton(AF_INET, host, &v4) == 1)
                return ntohl(v4.s_addr) >> 24 == 127;
        if (size > 2 && host[0] == '[' && host[size - 1] == ']') {
                if (!text_copy(host + 1, size - 2, bare, sizeof(bare)))
                        return false;
                host = bare;
        }
        return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* Does an entry of NO_PROXY cover the host? "example.com" and ".example.com" cover subdomains. */
static bool exception_covers(const char *entry, size_t size, const char *host)
{
        size_t host_size = strlen(host);
        if (size == 1 && *entry == '*')
                return true;
        if (size > 2 && *entry == '[' && entry[size - 1] == ']') {
                entry++;
                size -= 2;
        }
        while (size && *entry == '.') {
                entry++;
                size--;
        }
        if (!size || size > host_size || strncasecmp(host + host_size - size, entry, size))
                return false;
        return size == host_size || host[host_size - size - 1] == '.';
}

static const char *environment(const char *lower, const char *upper)
{
        const char *value = getenv(lower);
        return value ? value : getenv(upper);
}

static bool is_excepted(const char *host)
{
        const char *list = environment("no_proxy", "NO_PROXY");
        while (list && *list) {
                size_t size = strcspn(list, ", \t");
                if (size && exception_covers(list, size, host))
                        return true;
                list += size;
                list += strspn(list, ", \t");
        }
        return false;
}

static int hex_digit(char c)
{
        const char *digits = "0123456789abcdef";
        const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;
        return at ? (int)(at - digits) : -1;
}

/* user:password with %xx undone. */
static bool login_parse(const char *text, size_t size, char *ret_login, size_t ret_size)
{
        size_t used = 0;
        for (size_t i = 0; i < size && used + 1 < ret_size; i++) {
                char c = text[i];
                if (c == '%' && i + 2 < size && hex_digit(text[i + 1]) >= 0 &&
                    hex_digit(text[i + 2]) >= 0) {
                        c = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
                        i += 2;
                }
                if ((unsigned char)c < ' ')
                        return false;
                ret_login[used++] = c;
        }
        ret_login[used] = '\0';
        return used + 1 < ret_size;
}

static bool proxy_parse(const char *text, struct net_proxy *ret_proxy)
{
        char host[256];
        uint16_t port = PROXY_PORT;
        const char *mark = strstr(text, "://");
        if (mark && strncasecmp(text, "http://", 7))
                return false;
        text = mark ? mark + 3 : text;
        size_t size = strcspn(text, "/?#");
        const char *at = memrchr(text, '@', size);
        ret_proxy->login[0] = '\0';
        if (at) {
                size_t login_size = (size_t)(at - text);
                if (!login_parse(text, login_size, ret_proxy->login, sizeof(ret_proxy->login)))
                        return false;
                size -= login_size + 1;
                text = at + 1;
        }
        if (!authority_parse(text, size, host, sizeof(host), &port))
                return false;
        snprintf(ret_proxy->address, sizeof(ret_proxy->address),
            strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
        return true;
}

bool net_proxy_find(const char *host, bool tls, struct net_proxy *ret_proxy)
{
        char bare[256];
        if (rest_is_loopback(host))
                return false;
        size_t size = strlen(host);
        bool bracketed = size > 2 && *host == '[' && host[size - 1] == ']';
        if (!text_copy(host + bracketed, size - 2 * bracketed, bare, sizeof(bare)))
                return false;
        const char *value = tls ? environment("https_proxy", "HTTPS_PROXY")
                                : environment("http_proxy", "HTTP_PROXY");
        if (!value)
                value = environment("all_proxy", "ALL_PROXY");
        return value && *value && !is_excepted(bare) && proxy_parse(value, ret_proxy);
}

bool rest_proxy(const char *host, bool tls, char *ret_proxy, size_t size)
{
        struct net_proxy proxy;
        return net_proxy_find(host, tls, &proxy) &&
            text_copy(proxy.address, strlen(proxy.address), ret_proxy, size);
}
