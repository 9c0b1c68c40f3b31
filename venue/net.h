/* What the feed and the REST thread share: whom TLS trusts, and which proxy the way goes through.
 */
#ifndef VENUE_NET_H
#define VENUE_NET_H

#include <stdbool.h>

#include "base/error.h"

struct x509_store_st; /* OpenSSL's X509_STORE, SSL_CTX and SSL */
struct ssl_ctx_st;
struct ssl_st;

/* The system's certificates and those of @ca_file (may be NULL), both trusted, or NULL with @error
 * set. The caller frees it with X509_STORE_free. */
struct x509_store_st *net_trust_new(const char *ca_file, struct error *error);

/* Can the certificates of @ca_file be read? 0, or a negative code with @error set. */
int net_trust_check(const char *ca_file, struct error *error);

/* TLS 1.2 or newer for clients, verified against that trust, or NULL with @error set. The caller
 * frees it with SSL_CTX_free. */
struct ssl_ctx_st *net_tls_new(const char *ca_file, struct error *error);

/* Before the handshake: the certificate must be @host's (a name, or an address without []), and a
 * name is sent along as SNI. */
bool net_tls_expect(struct ssl_st *tls, const char *host);

struct net_proxy {
        char address[300]; /* host:port */
        char login[200];   /* user:password, "" if there is none; never shown */
};

/* The proxy that the environment names for a target, or false: go straight. */
bool net_proxy_find(const char *host, bool tls, struct net_proxy *ret_proxy);

#endif
