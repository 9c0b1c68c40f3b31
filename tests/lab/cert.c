/* Makes the laboratory's certificate. */
#include "cert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define CERT_LIFE_S (30L * 86400)

static int add_extension(X509 *certificate, int nid, const char *value)
{
        X509V3_CTX context;
        X509V3_set_ctx_nodb(&context);
        X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
        int added = extension && X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
        return added;
}

static int name_it(X509 *certificate)
{
        X509_NAME *name = X509_get_subject_name(certificate);
        const unsigned char *common = (const unsigned char *)"oblogger laboratory";
        uint32_t serial;
        return RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1 &&
            ASN1_INTEGER_set(X509_get_serialNumber(certificate), (long)(serial >> 1) + 1) &&
            X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common, -1, -1, 0) &&
            X509_set_issuer_name(certificate, name);
}

static int fill(X509 *certificate, EVP_PKEY *key)
{
        return X509_set_version(certificate, 2) && name_it(certificate) &&
            X509_gmtime_adj(X509_getm_notBefore(certificate), -86400) &&
            X509_gmtime_adj(X509_getm_notAfter(certificate), CERT_LIFE_S) &&
            X509_set_pubkey(certificate, key) &&
            add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE") &&
            add_extension(certificate, NID_subject_key_identifier, "hash") &&
            add_extension(certificate, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
            add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
            add_extension(certificate, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") &&
            X509_sign(certificate, key, EVP_sha256());
}

int cert_make(struct cert *ret_cert, struct error *error)
{
        struct cert cert = {X509_new(), EVP_EC_gen("P-256")};
        if (!cert.certificate || !cert.key || !fill(cert.certificate, cert.key)) {
                cert_free(&cert);
                return error_set(
                    error, ERR_IO, "no certificate: %s", ERR_error_string(ERR_get_error(), NULL));
        }
        *ret_cert = cert;
        return 0;
}

void cert_free(struct cert *cert)
{
        X509_free(cert->certificate);
        EVP_PKEY_free(cert->key);
        *cert = (struct cert){0};
}

int cert_write(const struct cert *cert, const char *path, struct error *error)
{
        FILE *file = fopen(path, "w");
        int good = file && PEM_write_X509(file, cert->certificate);
        if (file && fclose(file))
                good = 0;
        return good ? 0 : error_set(error, ERR_IO, "%s: %s", path, strerror(errno));
}

int cert_use(const struct cert *cert, SSL_CTX *context)
{
        return SSL_CTX_use_certificate(context, cert->certificate) == 1 &&
                SSL_CTX_use_PrivateKey(context, cert->key) == 1
            ? 0
            : ERR_IO;
}
