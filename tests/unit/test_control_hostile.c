/* Many hostile peers at once, on the port and the pages: who asks by the socket does not notice. */
#include "control_help.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define FLOOD_MS 3000
#define SERVED_MS 2000 /* by the socket, whatever happens at the port */
#define FLOODERS 6

struct flood {
        uint16_t ports[2];
        atomic_bool over;
        atomic_uint connections;
};

struct flooder {
        struct flood *flood;
        uint32_t seed;
};

static int try_port(uint16_t port)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        struct linger at_once = {1, 0};
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) && errno != EINPROGRESS) {
                close(fd);
                return -1;
        }
        return fd;
}

static uint32_t next(uint32_t *seed)
{
        *seed = *seed * 1664525 + 1013904223;
        return *seed >> 8;
}

/* One visit: some bytes of some kind, and away; or half away; or just standing in the door. */
static void visit(int fd, uint32_t *seed)
{
        static const char *const words[] = {"{\"proof\":\"00\"}\n", "GET / HTTP/1.1\r\n\r\n",
            "GET /x HTTP/1.1\r\nHost: x\r\n", "\x16\x03\x01\x02", "\n", "{\"a\":", ""};
        char noise[2048];
        const char *word = words[next(seed) % (sizeof(words) / sizeof(words[0]))];
        struct pollfd at = {.fd = fd, .events = POLLOUT};
        poll(&at, 1, 10);
        send(fd, word, strlen(word), MSG_NOSIGNAL);
        for (size_t i = 0; i < sizeof(noise); i++)
                noise[i] = (char)next(seed);
        if (next(seed) % 2)
                send(fd, noise, next(seed) % sizeof(noise), MSG_NOSIGNAL);
        if (next(seed) % 4 == 0)
                shutdown(fd, SHUT_WR);
        if (next(seed) % 4 == 0)
                recv(fd, noise, sizeof(noise), MSG_DONTWAIT);
}

static void *flood(void *user)
{
        struct flooder *flooder = user;
        int fds[8] = {-1, -1, -1, -1, -1, -1, -1, -1}; /* the last few stay a while */
        for (unsigned i = 0; !atomic_load(&flooder->flood->over); i++) {
                int *fd = &fds[i % 8];
                if (*fd >= 0)
                        close(*fd);
                *fd = try_port(flooder->flood->ports[next(&flooder->seed) % 2]);
                if (*fd < 0)
                        continue;
                visit(*fd, &flooder->seed);
                atomic_fetch_add(&flooder->flood->connections, 1);
        }
        for (int i = 0; i < 8; i++)
                if (fds[i] >= 0)
                        close(fds[i]);
        return NULL;
}

static void answer_whatever(struct lab *lab, struct control_request *request)
{
        if (request->kind == CONTROL_PAGE)
                control_page(lab->server, request->id, 404, "text/plain", "none\n", 5);
        if (request->kind == CONTROL_LINE)
                answer(lab, request->id, "{\"end\":0}", true);
        buffer_deinit(&request->text);
}

/* The owner's answer to whatever came, until the one with @text came. */
static void answer_all_until(struct lab *lab, const char *text)
{
        struct control_request request;
        for (bool found = false; !found;) {
                assert_true(take_within(lab, &request, SERVED_MS));
                found = !strcmp((const char *)request.text.data, text);
                answer_whatever(lab, &request);
        }
}

static unsigned count_descriptors(void)
{
        unsigned count = 0;
        DIR *folder = opendir("/proc/self/fd");
        while (folder && readdir(folder))
                count++;
        closedir(folder);
        return count;
}

static void drain(struct lab *lab)
{
        struct control_request request;
        while (take_within(lab, &request, QUIET_MS))
                answer_whatever(lab, &request);
}

static void under_a_flood_the_socket_is_served(void **state)
{
        struct lab *lab = *state;
        struct flood flooded = {0};
        struct flooder flooders[FLOODERS];
        pthread_t threads[FLOODERS];
        int64_t slowest_ns = 0, end_ns;
        unsigned served = 0;
        lab->options.pages_address = "127.0.0.1";
        lab->options.pages_port = free_port();
        lab_open_port(lab);
        struct control_client *client = client_by_socket(lab);
        expect_served(lab, client);
        unsigned before = count_descriptors();
        flooded.ports[0] = lab->options.port;
        flooded.ports[1] = lab->options.pages_port;
        for (unsigned i = 0; i < FLOODERS; i++) {
                flooders[i] = (struct flooder){&flooded, i};
                assert_int_equal(pthread_create(&threads[i], NULL, flood, &flooders[i]), 0);
        }
        end_ns = clock_mono_ns() + FLOOD_MS * NS_PER_MS;
        for (int64_t now_ns = clock_mono_ns(); now_ns < end_ns; served++) {
                client_send(lab, client, "{\"command\":\"ping\"}");
                answer_all_until(lab, "{\"command\":\"ping\"}");
                expect_line(lab, client, "{\"end\":0}");
                int64_t took_ns = clock_mono_ns() - now_ns;
                slowest_ns = took_ns > slowest_ns ? took_ns : slowest_ns;
                now_ns += took_ns;
        }
        atomic_store(&flooded.over, true);
        for (unsigned i = 0; i < FLOODERS; i++)
                pthread_join(threads[i], NULL);
        printf("%u connections, %u requests by the socket, the slowest %lld ms\n",
            atomic_load(&flooded.connections), served, (long long)(slowest_ns / NS_PER_MS));
        assert_in_range(slowest_ns, 1, SERVED_MS * NS_PER_MS);
        assert_in_range(atomic_load(&flooded.connections), 100, UINT32_MAX);
        drain(lab);
        expect_served(lab, client);
        for (int i = 0; i < 40 && count_descriptors() > before; i++)
                usleep(100000);
        assert_int_equal(count_descriptors(), before);
        control_disconnect(client);
}

/* Without descriptors a door waits; it does not spin, and goes on by itself. */
static void without_descriptors_a_door_waits(void **state)
{
        struct lab *lab = *state;
        struct rlimit limit, low;
        struct timespec begin, end;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        lab_open(lab);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", lab->path);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        socket_limit(fd);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        low = limit;
        low.rlim_cur = (rlim_t)fd + 1;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        raw_say(fd, "{}\n");
        usleep(1000000);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        int64_t spent_ns = (end.tv_sec - begin.tv_sec) * NS_PER_S + end.tv_nsec - begin.tv_nsec;
        assert_in_range(spent_ns, 0, 300 * NS_PER_MS);
        assert_int_equal(control_stats(lab->server).connections, 0);
        answer(lab, expect_request(lab, CONTROL_LINE, "{}"), "{\"end\":0}", true);
        raw_expect(fd, "{\"end\":0}");
        close(fd);
}

/* Nothing at all to do costs nothing at all. */
static void idle_connections_cost_nothing(void **state)
{
        struct lab *lab = *state;
        struct timespec begin, end;
        int fds[20];
        lab_open_port(lab);
        for (int i = 0; i < 20; i++)
                fds[i] = i < 15 ? raw_by_socket(lab) : raw_by_port(lab->port);
        char text[3 * 20000]; /* one under way, more behind it than is read at once */
        for (size_t i = 0; i < sizeof(text); i++)
                text[i] = "{}\n"[i % 3];
        raw_send(fds[0], text, sizeof(text));
        uint64_t id = expect_request(lab, CONTROL_LINE, "{}");
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
        usleep(1000000);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        int64_t spent_ns = (end.tv_sec - begin.tv_sec) * NS_PER_S + end.tv_nsec - begin.tv_nsec;
        assert_in_range(spent_ns, 0, 100 * NS_PER_MS);
        answer(lab, id, "{\"end\":0}", true);
        for (int i = 0; i < 20; i++)
                close(fds[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            TEST(under_a_flood_the_socket_is_served),
            TEST(without_descriptors_a_door_waits),
            TEST(idle_connections_cost_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
