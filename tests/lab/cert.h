/* A certificate for localhost, 127.0.0.1 and ::1, made at start and trusted by whoever reads it. */
#ifndef LAB_CERT_H
#define LAB_CERT_H

#include <openssl/ssl.h>

#include "base/error.h"

struct cert {
        X509 *certificate;
        EVP_PKEY *key;
};

/* Errors: ERR_IO, with what OpenSSL said. */
int cert_make(struct cert *ret_cert, struct error *error);
void cert_free(struct cert *cert);

/* Write the certificate as PEM. */
int cert_write(const struct cert *cert, const char *path, struct error *error);

/* Serve with it. */
int cert_use(const struct cert *cert, SSL_CTX *context);

#endif
