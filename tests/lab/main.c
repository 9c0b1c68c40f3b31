/* oblab: an exchange on loopback that plays captures, and fails as exchanges do. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cert.h"
#include "conn.h"
#include "fault.h"
#include "options.h"
#include "play.h"
#include "products.h"

#define EXIT_WRONG_USAGE 2
#define TICK_US 20000
#define RANDOM_START UINT64_C(0x9e3779b97f4a7c15)

static struct cert cert;
static volatile sig_atomic_t stop_asked;

static void stop_cb(int number)
{
        (void)number;
        stop_asked = 1;
}

static void tick_cb(lws_sorted_usec_list_t *timer)
{
        struct lab *lab = lws_container_of(timer, struct lab, tick);
        int64_t now_ns = clock_mono_ns();
        fault_tick(lab, now_ns);
        deliver_tick(lab, now_ns);
        conn_tick(lab, now_ns);
        play_tick(lab, now_ns);
        journal_flush(&lab->journal);
        lws_sul_schedule(lab->context, 0, &lab->tick, tick_cb, TICK_US);
}

/* The first protocol of the vhosts: it only lends OpenSSL the certificate. */
static int tls_cb(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
        (void)wsi;
        (void)in;
        (void)size;
        if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS)
                return cert_use(&cert, user) ? 1 : 0;
        return 0;
}

static struct lws_protocols protocols[3];

static struct lws_vhost *listen_on(struct lab *lab, const char *address, int port)
{
        struct lws_context_creation_info info = {.port = port,
            .iface = address,
            .vhost_name = address,
            .protocols = protocols,
            .listen_accept_role = "raw-skt",
            .listen_accept_protocol = conn_protocols[0].name,
            .alpn = "http/1.1"};
        info.options = LWS_SERVER_OPTION_ADOPT_APPLY_LISTEN_ACCEPT_CONFIG;
        if (!strchr(address, ':'))
                info.options |= LWS_SERVER_OPTION_DISABLE_IPV6;
        if (!lab->options.plain)
                info.options |=
                    LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
        return lws_create_vhost(lab->context, &info);
}

static int serve(struct lab *lab, struct error *error)
{
        struct lws_context_creation_info info = {.port = CONTEXT_PORT_NO_LISTEN,
            .user = lab,
            .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT};
        protocols[0] = (struct lws_protocols){.name = "certificate", .callback = tls_cb};
        protocols[1] = conn_protocols[0];
        lws_set_log_level(LLL_ERR, NULL);
        lab->context = lws_create_context(&info);
        if (!lab->context)
                return error_set(error, ERR_IO, "libwebsockets does not start");
        lab->vhost = listen_on(lab, "127.0.0.1", lab->options.port);
        if (!lab->vhost || lws_get_vhost_listen_port(lab->vhost) <= 0)
                return error_set(error, ERR_IO, "port %d is not free", lab->options.port);
        lab->port = lws_get_vhost_listen_port(lab->vhost);
        lws_set_log_level(0, NULL);
        listen_on(lab, "::1", lab->port); /* a machine without IPv6 does without */
        return 0;
}

static int write_ready(const struct lab *lab, struct error *error)
{
        const char *path = lab->options.ready_out, *end = lab->options.plain ? "" : "s";
        char partial[4096];
        if (!path)
                return 0;
        snprintf(partial, sizeof(partial), "%s.part", path);
        FILE *file = fopen(partial, "w");
        if (!file)
                return error_set(error, ERR_IO, "%s: %s", partial, strerror(errno));
        fprintf(file,
            "{\"port\":%d,\"ws_url\":\"ws%s://localhost:%d\",\"rest_url\":\"http%s://"
            "localhost:%d\"}\n",
            lab->port, end, lab->port, end, lab->port);
        if (fclose(file) || rename(partial, path))
                return error_set(error, ERR_IO, "%s: %s", path, strerror(errno));
        return 0;
}

static int prepare(struct lab *lab, int count, char **words, struct error *error)
{
        int first = 0, result = options_read(count, words, &lab->options, &first, error);
        if (result)
                return result;
        lab->tape.kinds = lab->options.streams;
        lab->random = RANDOM_START ^ (lab->options.seed * 2654435761u);
        buffer_init(&lab->scratch, CONN_QUEUE_PACED);
        for (int i = first; !result && i < count; i++)
                result = tape_load(&lab->tape, words[i], error);
        products_finish(&lab->tape);
        if (!result && lab->options.product_status)
                result = products_set_statuses(&lab->tape, lab->options.product_status, error);
        if (!result && lab->options.faults)
                result = fault_load(lab, lab->options.faults, error);
        if (!result)
                result = journal_open(&lab->journal, lab->options.journal, error);
        if (!result)
                result = cert_make(&cert, error);
        if (!result && lab->options.ca_out)
                result = cert_write(&cert, lab->options.ca_out, error);
        return result;
}

static void run(struct lab *lab)
{
        struct sigaction action = {.sa_handler = stop_cb};
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGINT, &action, NULL);
        signal(SIGPIPE, SIG_IGN);
        play_begin(lab);
        lws_sul_schedule(lab->context, 0, &lab->tick, tick_cb, TICK_US);
        while (!stop_asked && !lab->stopping && lws_service(lab->context, 0) >= 0)
                ;
        lab->stopping = true;
        play_end(lab);
        lws_sul_cancel(&lab->tick);
}

static void clean(struct lab *lab)
{
        if (lab->context)
                lws_context_destroy(lab->context);
        deliver_flush(lab);
        journal_close(&lab->journal);
        cert_free(&cert);
        tape_free(&lab->tape);
        buffer_deinit(&lab->scratch);
        json_free(lab->parser);
        fault_free(lab);
        free(lab);
}

int main(int count, char **words)
{
        struct lab *lab = memory_new(sizeof(*lab));
        struct error error;
        lab->journal.fd = -1;
        lab->parser = json_new();
        int result = prepare(lab, count, words, &error);
        if (!result)
                result = serve(lab, &error);
        if (!result)
                result = write_ready(lab, &error);
        if (!result)
                run(lab);
        else if (result != ERR_STOPPED)
                fprintf(stderr, "oblab: %s\n", error.text);
        clean(lab);
        return !result || result == ERR_STOPPED ? 0 : EXIT_WRONG_USAGE;
}
