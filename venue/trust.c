/* Whom TLS trusts: the system's certificates and the operator's, and the host's name in them.
 *
 * Both libraries are given this store instead of their own ways to one: libcurl's CAINFO replaces
 * the system's certificates, and libwebsockets without a file adds a directory relative to the
 * working directory. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "venue/net.h"

struct x509_store_st *net_trust_new(const char *ca_file, struct error *error)
{
        X509_STORE *store = X509_STORE_new();
        if (!store) {
                error_set(error, ERR_IO, "TLS: no memory for the trusted certificates");
                return NULL;
        }
        ERR_clear_error();
        X509_STORE_set_default_paths(store);
        X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
        if (ca_file && X509_STORE_load_file(store, ca_file) != 1) {
                const char *why = ERR_reason_error_string(ERR_peek_error());
                error_set(error, ERR_IO, "%s: cannot read certificates: %s", ca_file,
                    why ? why : "not a PEM file");
                X509_STORE_free(store);
                store = NULL;
        }
        ERR_clear_error();
        return store;
}

int net_trust_check(const char *ca_file, struct error *error)
{
        X509_STORE *store = net_trust_new(ca_file, error);
        X509_STORE_free(store);
        return store ? 0 : error->code;
}

struct ssl_ctx_st *net_tls_new(const char *ca_file, struct error *error)
{
        X509_STORE *trust = net_trust_new(ca_file, error);
        if (!trust)
                return NULL;
        SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
        if (!tls) {
                X509_STORE_free(trust);
                error_set(error, ERR_IO, "TLS cannot be set up");
                return NULL;
        }
        SSL_CTX_set_cert_store(tls, trust);
        SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
        SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_mode(tls, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
        /* A message has its own length: an end without close_notify cuts nothing off unseen. */
        SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
        return tls;
}

bool net_tls_expect(struct ssl_st *tls, const char *host)
{
        X509_VERIFY_PARAM *check = SSL_get0_param(tls);
        X509_VERIFY_PARAM_set_hostflags(check, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (X509_VERIFY_PARAM_set1_ip_asc(check, host))
                return X509_VERIFY_PARAM_set1_host(check, NULL, 0) &&
                    SSL_set_tlsext_host_name(tls, NULL);
        return X509_VERIFY_PARAM_set1_host(check, host, 0) && SSL_set_tlsext_host_name(tls, host);
}
