/* REST requests and name look-ups on libcurl; no other file sees it.
 *
 * Two threads. One drives the transfers; the other looks names up, one after the other, since the
 * system's look-up blocks, for half a minute when no name server answers. So the look-up thread
 * owns its state together with struct rest (references), and rest_close leaves it behind when it
 * hangs: it ends by itself and frees what it owned.
 *
 * What waits is a job, what is done an answer; both count against LIMIT_REST_QUEUE until the answer
 * is taken, and no transfer begins while untaken bodies hold more than LIMIT_REST_BODY. */
#include "venue/rest.h"

#include <curl/curl.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/json.h"
#include "base/limits.h"
#include "venue/net.h"

#define TIMEOUT_MS 20000
#define CONNECT_MS 10000
#define CONNECTIONS_KEPT 8
#define CLOSE_WAIT_S 2     /* for a look-up to end, when closing */
#define RETRY_MAX_S 604800 /* a week: nobody means more */
#define HEADERS_SIZE (256u << 10)

struct job {
        struct job *next;
        uint64_t id;
        struct curl_slist *headers;
        char *body;  /* to be posted; NULL: nothing */
        char text[]; /* URL or host */
};

struct jobs {
        struct job *first;
        struct job *last;
};

struct done {
        struct done *next;
        struct rest_answer answer;
};

struct transfer {
        struct rest *rest;
        CURL *easy;
        struct job *job; /* NULL: idle */
        struct rest_answer answer;
        size_t headers_size;
        bool too_large;
        char error_text[CURL_ERROR_SIZE];
};

/* The look-up thread's own. */
struct lookup {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        struct rest *rest; /* NULL: closed, nobody wants answers */
        struct jobs jobs;
        bool ended;
        unsigned references;
};

struct rest {
        struct rest_options options;
        CURLM *multi;
        X509_STORE *trust;
        struct transfer transfers[REST_PARALLEL];
        pthread_t thread;
        struct lookup *lookup;
        atomic_bool stopping;
        pthread_mutex_t mutex; /* the following */
        struct jobs jobs;
        struct done *done_first;
        struct done *done_last;
        size_t count;     /* jobs and answers, of both threads */
        size_t body_size; /* of answers not taken */
};

static void jobs_add(struct jobs *jobs, struct job *job)
{
        if (jobs->first)
                jobs->last->next = job;
        else
                jobs->first = job;
        jobs->last = job;
}

static struct job *jobs_take(struct jobs *jobs)
{
        struct job *job = jobs->first;
        if (job)
                jobs->first = job->next;
        return job;
}

static void job_free(struct job *job)
{
        if (!job)
                return;
        curl_slist_free_all(job->headers);
        free(job->body);
        free(job);
}

static void jobs_free(struct jobs *jobs)
{
        struct job *job;
        while ((job = jobs_take(jobs)))
                job_free(job);
}

static struct job *job_new(uint64_t id, const char *text)
{
        size_t size = strlen(text) + 1;
        struct job *job = memory_new(sizeof(*job) + size);
        job->id = id;
        memcpy(job->text, text, size);
        return job;
}

static void job_add_headers(struct job *job, const char *lines)
{
        char *copy = memory_text(lines), *rest = copy, *line;
        while ((line = strsep(&rest, "\n"))) {
                if (*line)
                        job->headers = curl_slist_append(job->headers, line);
        }
        explicit_bzero(copy, strlen(lines));
        free(copy);
}

/* Answers */

static void answer_init(struct rest_answer *answer, uint64_t id)
{
        *answer = (struct rest_answer){.id = id, .retry_after_s = -1, .used_weight = -1};
        buffer_init(&answer->body, LIMIT_REST_BODY + JSON_PADDING);
}

static void answer_fail(struct rest_answer *answer, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void answer_fail(struct rest_answer *answer, int code, const char *format, ...)
{
        va_list args;
        answer->code = code;
        answer->status = 0;
        buffer_deinit(&answer->body);
        va_start(args, format);
        vsnprintf(answer->text, sizeof(answer->text), format, args);
        va_end(args);
        for (char *c = answer->text; *c; c++)
                if (*c < ' ' || *c > '~')
                        *c = '?';
}

/* The body moves with the answer. */
static void answer_post(struct rest *rest, const struct rest_answer *answer)
{
        struct done *done = memory_new(sizeof(*done));
        done->answer = *answer;
        pthread_mutex_lock(&rest->mutex);
        if (rest->done_first)
                rest->done_last->next = done;
        else
                rest->done_first = done;
        rest->done_last = done;
        rest->body_size += answer->body.size;
        pthread_mutex_unlock(&rest->mutex);
        if (rest->options.wake_cb)
                rest->options.wake_cb(rest->options.user);
}

/* Transfers */

static bool header_is(const char *line, size_t size, const char *name)
{
        size_t name_size = strlen(name);
        return size > name_size && line[name_size] == ':' && !strncasecmp(line, name, name_size);
}

static struct bytes header_value(const char *line, size_t size)
{
        const char *colon = memchr(line, ':', size), *end = line + size;
        const char *start = colon + 1;
        while (start < end && (*start == ' ' || *start == '\t'))
                start++;
        while (end > start && (unsigned char)end[-1] <= ' ')
                end--;
        return (struct bytes){(const uint8_t *)start, (size_t)(end - start)};
}

static int64_t count_parse(struct bytes text)
{
        int64_t value;
        for (size_t i = 0; i < text.size; i++)
                if (text.data[i] < '0' || text.data[i] > '9')
                        return -1;
        return decimal_parse((const char *)text.data, text.size, 0, &value) ? -1 : value;
}

/* Seconds, or a date. */
static int64_t retry_parse(struct bytes text)
{
        char date[64];
        int64_t seconds = count_parse(text);
        if (seconds < 0 && text.size < sizeof(date)) {
                memcpy(date, text.data, text.size);
                date[text.size] = '\0';
                time_t at = curl_getdate(date, NULL);
                if (at != -1)
                        seconds = at - clock_wall_ns() / NS_PER_S;
                if (at != -1 && seconds < 0)
                        seconds = 0;
        }
        return seconds > RETRY_MAX_S ? RETRY_MAX_S : seconds;
}

static size_t on_header(char *line, size_t one, size_t size, void *user)
{
        struct transfer *transfer = user;
        (void)one;
        transfer->headers_size += size;
        if (transfer->headers_size > HEADERS_SIZE) {
                transfer->too_large = true;
                return 0;
        }
        if (header_is(line, size, "retry-after"))
                transfer->answer.retry_after_s = retry_parse(header_value(line, size));
        else if (header_is(line, size, "x-mbx-used-weight-1m"))
                transfer->answer.used_weight = count_parse(header_value(line, size));
        return size;
}

static size_t on_body(char *data, size_t one, size_t size, void *user)
{
        struct transfer *transfer = user;
        struct buffer *body = &transfer->answer.body;
        (void)one;
        if (size > LIMIT_REST_BODY - body->size) {
                transfer->too_large = true;
                return 0;
        }
        buffer_append(body, data, size);
        return body->failed ? 0 : size;
}

static CURLcode on_tls(CURL *easy, void *tls, void *user)
{
        struct rest *rest = user;
        (void)easy;
        SSL_CTX_set1_cert_store(tls, rest->trust);
        return CURLE_OK;
}

/* Before the network is touched: may this be asked at all? The library's own parser decides what
 * the host is, so that nobody else's reading of the URL can differ from what is connected to. */
static int url_check(CURLU *url, const char *text, char ret_host[256], bool *ret_tls)
{
        char *scheme = NULL, *host = NULL, *user = NULL;
        int rc = ERR_PARSE;
        if (!curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) &&
            !curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) &&
            !curl_url_get(url, CURLUPART_HOST, &host, 0) && strlen(host) < 256) {
                *ret_tls = !strcasecmp(scheme, "https");
                bool plain = !strcasecmp(scheme, "http") && rest_is_loopback(host);
                rc = *ret_tls || plain ? 0 : ERR_DENIED;
                snprintf(ret_host, 256, "%s", host);
                if (curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK)
                        rc = ERR_PARSE;
        }
        curl_free(scheme);
        curl_free(host);
        curl_free(user);
        return rc;
}

static void set_proxy(CURL *easy, const char *host, bool tls)
{
        struct net_proxy proxy;
        bool found = net_proxy_find(host, tls, &proxy);
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
        curl_easy_setopt(easy, CURLOPT_PROXY, found ? proxy.address : "");
        curl_easy_setopt(easy, CURLOPT_PROXYUSERPWD, found && proxy.login[0] ? proxy.login : NULL);
        OPENSSL_cleanse(&proxy, sizeof(proxy));
}

static CURL *easy_new(struct rest *rest, struct transfer *transfer)
{
        CURL *easy = curl_easy_init();
        int timeout_ms = rest->options.timeout_ms;
        if (!easy)
                return NULL;
        curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error_text);
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* wait for no name server */
        curl_easy_setopt(easy, CURLOPT_USERAGENT, "oblogger/" OBLOGGER_VERSION);
        curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
            (long)(timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS));
        curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
        curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
        curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, rest);
        curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
        curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)LIMIT_REST_BODY);
        return easy;
}

static void transfer_finish(struct transfer *transfer)
{
        transfer->answer.received_ns = clock_wall_ns();
        answer_post(transfer->rest, &transfer->answer);
        job_free(transfer->job);
        transfer->job = NULL;
        answer_init(&transfer->answer, 0);
}

static void transfer_begin(struct transfer *transfer, struct job *job)
{
        struct rest *rest = transfer->rest;
        char host[256];
        bool tls;
        CURLU *url = curl_url();
        transfer->job = job;
        transfer->headers_size = 0;
        transfer->too_large = false;
        transfer->error_text[0] = '\0';
        answer_init(&transfer->answer, job->id);
        int rc = url ? url_check(url, job->text, host, &tls) : ERR_IO;
        curl_url_cleanup(url);
        if (!rc) {
                set_proxy(transfer->easy, host, tls);
                curl_easy_setopt(transfer->easy, CURLOPT_URL, (const char *)job->text);
                curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, job->headers);
                if (job->body)
                        curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, job->body);
                else
                        curl_easy_setopt(transfer->easy, CURLOPT_HTTPGET, 1L);
                rc = curl_multi_add_handle(rest->multi, transfer->easy) ? ERR_IO : 0;
        }
        if (!rc)
                return;
        if (rc == ERR_DENIED)
                answer_fail(&transfer->answer, rc, "%s: only https, or http to this machine", host);
        else
                answer_fail(&transfer->answer, rc, "the URL cannot be asked: %s", error_name(rc));
        transfer_finish(transfer);
}

static int code_of(const struct transfer *transfer, CURLcode result)
{
        if (transfer->too_large)
                return ERR_FULL;
        switch (result) {
        case CURLE_FILESIZE_EXCEEDED:
                return ERR_FULL;
        case CURLE_PEER_FAILED_VERIFICATION:
                return ERR_DENIED;
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL: /* an answer that is not HTTP; schemes were looked at */
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_BAD_CONTENT_ENCODING:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM:
                return ERR_PARSE;
        default:
                return ERR_IO;
        }
}

/* Bytes of any value may follow a JSON text, but they must be there. */
static void body_finish(struct buffer *body)
{
        body->data = memory_resize(body->data, body->size + JSON_PADDING);
        body->capacity = body->size + JSON_PADDING;
        memset(body->data + body->size, 0, JSON_PADDING);
}

static void transfer_end(struct transfer *transfer, CURLcode result)
{
        struct rest_answer *answer = &transfer->answer;
        long status = 0;
        curl_multi_remove_handle(transfer->rest->multi, transfer->easy);
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
        if (result == CURLE_OK && status > 0) {
                answer->status = (int)status;
                body_finish(&answer->body);
        } else if (result == CURLE_OK) {
                answer_fail(answer, ERR_PARSE, "the answer is not HTTP");
        } else if (transfer->too_large || result == CURLE_FILESIZE_EXCEEDED) {
                answer_fail(answer, ERR_FULL, "the answer is beyond %u MiB", LIMIT_REST_BODY >> 20);
        } else {
                answer_fail(answer, code_of(transfer, result), "%s",
                    transfer->error_text[0] ? transfer->error_text : curl_easy_strerror(result));
        }
        transfer_finish(transfer);
}

static struct job *next_job(struct rest *rest)
{
        pthread_mutex_lock(&rest->mutex);
        struct job *job = rest->body_size > LIMIT_REST_BODY ? NULL : jobs_take(&rest->jobs);
        pthread_mutex_unlock(&rest->mutex);
        return job;
}

static void transfers_begin(struct rest *rest)
{
        for (size_t i = 0; i < REST_PARALLEL; i++) {
                struct job *job;
                while (!rest->transfers[i].job && (job = next_job(rest)))
                        transfer_begin(&rest->transfers[i], job);
        }
}

static void transfers_collect(struct rest *rest)
{
        CURLMsg *message;
        int left;
        while ((message = curl_multi_info_read(rest->multi, &left))) {
                char *transfer = NULL;
                CURLcode result = message->data.result;
                if (message->msg != CURLMSG_DONE)
                        continue;
                curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
                transfer_end((struct transfer *)(void *)transfer, result);
        }
}

static void *run_transfers(void *user)
{
        struct rest *rest = user;
        int running;
        while (!rest->stopping) {
                curl_multi_perform(rest->multi, &running);
                transfers_collect(rest);
                transfers_begin(rest);
                curl_multi_poll(rest->multi, NULL, 0, 1000, NULL);
        }
        return NULL;
}

/* Look-ups */

static void lookup_run(const char *host, struct rest_answer *answer)
{
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
        char bare[256];
        size_t size = strlen(host);
        bool bracketed = size > 2 && host[0] == '[' && host[size - 1] == ']';
        snprintf(bare, sizeof(bare), "%.*s", (int)(size - 2 * bracketed), host + bracketed);
        int rc = size < sizeof(bare) ? getaddrinfo(bare, NULL, &hints, &list) : EAI_NONAME;
        if (rc) {
                answer_fail(answer, rc == EAI_NONAME ? ERR_NOT_FOUND : ERR_IO, "%.100s: %s", host,
                    gai_strerror(rc));
                return;
        }
        for (struct addrinfo *at = list; at && answer->address_count < REST_ADDRESSES;
             at = at->ai_next) {
                char *text = answer->addresses[answer->address_count];
                if ((at->ai_family == AF_INET || at->ai_family == AF_INET6) &&
                    !getnameinfo(at->ai_addr, at->ai_addrlen, text, REST_ADDRESS_SIZE, NULL, 0,
                        NI_NUMERICHOST))
                        answer->address_count++;
        }
        freeaddrinfo(list);
        if (!answer->address_count)
                answer_fail(answer, ERR_NOT_FOUND, "%.100s: no address", host);
}

static void lookup_release(struct lookup *lookup)
{
        pthread_mutex_lock(&lookup->mutex);
        bool last = --lookup->references == 0;
        pthread_mutex_unlock(&lookup->mutex);
        if (!last)
                return;
        jobs_free(&lookup->jobs);
        pthread_mutex_destroy(&lookup->mutex);
        pthread_cond_destroy(&lookup->changed);
        free(lookup);
}

static void *run_lookups(void *user)
{
        struct lookup *lookup = user;
        struct rest_answer answer;
        pthread_mutex_lock(&lookup->mutex);
        while (lookup->rest) {
                struct job *job = jobs_take(&lookup->jobs);
                if (!job) {
                        pthread_cond_wait(&lookup->changed, &lookup->mutex);
                        continue;
                }
                pthread_mutex_unlock(&lookup->mutex);
                answer_init(&answer, job->id);
                lookup_run(job->text, &answer);
                answer.received_ns = clock_wall_ns();
                free(job);
                pthread_mutex_lock(&lookup->mutex);
                if (lookup->rest) /* stays while the mutex is held */
                        answer_post(lookup->rest, &answer);
        }
        lookup->ended = true;
        pthread_cond_broadcast(&lookup->changed);
        pthread_mutex_unlock(&lookup->mutex);
        lookup_release(lookup);
        return NULL;
}

static struct lookup *lookup_new(struct rest *rest)
{
        struct lookup *lookup = memory_new(sizeof(*lookup));
        pthread_condattr_t attributes;
        pthread_mutex_init(&lookup->mutex, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&lookup->changed, &attributes);
        pthread_condattr_destroy(&attributes);
        lookup->rest = rest;
        lookup->references = 1;
        return lookup;
}

/* Ask the thread to end, and wait a little. */
static void lookup_close(struct lookup *lookup)
{
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += CLOSE_WAIT_S;
        pthread_mutex_lock(&lookup->mutex);
        lookup->rest = NULL;
        pthread_cond_broadcast(&lookup->changed);
        while (!lookup->ended && lookup->references > 1)
                if (pthread_cond_timedwait(&lookup->changed, &lookup->mutex, &until))
                        break;
        pthread_mutex_unlock(&lookup->mutex);
        lookup_release(lookup);
}

/* Open and close */

/* Signals are for the thread that waits for them; SIGPIPE is for none. */
static int thread_start(pthread_t *ret_thread, void *(*run)(void *), void *user)
{
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int rc = pthread_create(ret_thread, NULL, run, user);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return rc;
}

static int lookup_start(struct lookup *lookup)
{
        pthread_t thread;
        lookup->references++;
        int rc = thread_start(&thread, run_lookups, lookup);
        if (rc)
                lookup->references--;
        else
                pthread_detach(thread);
        return rc;
}

static bool transfers_open(struct rest *rest)
{
        rest->multi = curl_multi_init();
        if (!rest->multi)
                return false;
        curl_multi_setopt(rest->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
        for (size_t i = 0; i < REST_PARALLEL; i++) {
                struct transfer *transfer = &rest->transfers[i];
                transfer->rest = rest;
                answer_init(&transfer->answer, 0);
                transfer->easy = easy_new(rest, transfer);
                if (!transfer->easy)
                        return false;
        }
        return true;
}

static void transfers_close(struct rest *rest)
{
        for (size_t i = 0; i < REST_PARALLEL; i++) {
                struct transfer *transfer = &rest->transfers[i];
                if (transfer->job)
                        curl_multi_remove_handle(rest->multi, transfer->easy);
                curl_easy_cleanup(transfer->easy);
                buffer_deinit(&transfer->answer.body);
                job_free(transfer->job);
        }
        curl_multi_cleanup(rest->multi);
}

static void rest_free(struct rest *rest)
{
        struct rest_answer answer;
        if (rest->lookup)
                lookup_close(rest->lookup);
        while (rest_take(rest, &answer))
                buffer_deinit(&answer.body);
        transfers_close(rest);
        jobs_free(&rest->jobs);
        X509_STORE_free(rest->trust);
        pthread_mutex_destroy(&rest->mutex);
        free(rest);
        curl_global_cleanup();
}

int rest_open(struct rest **ret_rest, const struct rest_options *options, struct error *error)
{
        if (curl_global_init(CURL_GLOBAL_DEFAULT))
                return error_set(error, ERR_IO, "the HTTP library does not start");
        struct rest *rest = memory_new(sizeof(*rest));
        rest->options = *options;
        rest->options.ca_file = NULL;
        if (!rest->options.timeout_ms)
                rest->options.timeout_ms = TIMEOUT_MS;
        pthread_mutex_init(&rest->mutex, NULL);
        rest->trust = net_trust_new(options->ca_file, error);
        if (!rest->trust) {
                rest_free(rest);
                return ERR_IO;
        }
        rest->lookup = lookup_new(rest);
        if (!transfers_open(rest) || lookup_start(rest->lookup) ||
            thread_start(&rest->thread, run_transfers, rest)) {
                rest_free(rest);
                return error_set(error, ERR_IO, "the REST thread does not start");
        }
        *ret_rest = rest;
        return 0;
}

void rest_close(struct rest *rest)
{
        if (!rest)
                return;
        rest->stopping = true;
        curl_multi_wakeup(rest->multi);
        pthread_join(rest->thread, NULL);
        rest_free(rest);
}

/* The loop's side */

static int count_add(struct rest *rest)
{
        pthread_mutex_lock(&rest->mutex);
        int rc = rest->count < LIMIT_REST_QUEUE ? 0 : ERR_FULL;
        rest->count += !rc;
        pthread_mutex_unlock(&rest->mutex);
        return rc;
}

int rest_get(struct rest *rest, uint64_t id, const char *url, const char *headers)
{
        return rest_post(rest, id, url, headers, NULL);
}

int rest_post(
    struct rest *rest, uint64_t id, const char *url, const char *headers, const char *body)
{
        if (count_add(rest))
                return ERR_FULL;
        struct job *job = job_new(id, url);
        job_add_headers(job, headers);
        job->body = body ? memory_text(body) : NULL;
        pthread_mutex_lock(&rest->mutex);
        jobs_add(&rest->jobs, job);
        pthread_mutex_unlock(&rest->mutex);
        curl_multi_wakeup(rest->multi);
        return 0;
}

int rest_resolve(struct rest *rest, uint64_t id, const char *host)
{
        struct lookup *lookup = rest->lookup;
        if (count_add(rest))
                return ERR_FULL;
        pthread_mutex_lock(&lookup->mutex);
        jobs_add(&lookup->jobs, job_new(id, host));
        pthread_cond_broadcast(&lookup->changed);
        pthread_mutex_unlock(&lookup->mutex);
        return 0;
}

bool rest_take(struct rest *rest, struct rest_answer *ret_answer)
{
        pthread_mutex_lock(&rest->mutex);
        struct done *done = rest->done_first;
        bool held = rest->body_size > LIMIT_REST_BODY;
        if (done) {
                rest->done_first = done->next;
                rest->body_size -= done->answer.body.size;
                rest->count--;
        }
        held = held && rest->body_size <= LIMIT_REST_BODY;
        pthread_mutex_unlock(&rest->mutex);
        if (!done)
                return false;
        *ret_answer = done->answer;
        free(done);
        if (held)
                curl_multi_wakeup(rest->multi);
        return true;
}
