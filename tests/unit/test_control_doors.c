/* How the doors are opened and closed: the socket's file, addresses, keys and certificates. */
#include "control_help.h"

#include <grp.h>
#include <sys/wait.h>

static mode_t mode_of(const char *path)
{
        struct stat file;
        assert_int_equal(lstat(path, &file), 0);
        return file.st_mode;
}

static int open_again(struct lab *lab)
{
        struct control_server *second = NULL;
        int code = control_open(&second, &lab->options, &lab->error);
        control_close(second);
        return code;
}

static void lab_close(struct lab *lab)
{
        control_close(lab->server);
        lab->server = NULL;
}

/* The file */

static void its_mode_is_0660_whatever_the_umask(void **state)
{
        static const mode_t masks[] = {0, 022, 077, 0777};
        struct lab *lab = *state;
        for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
                mode_t before = umask(masks[i]);
                lab_open(lab);
                mode_t after = umask(before);
                assert_int_equal(after, masks[i]); /* nobody else's is changed */
                assert_int_equal(mode_of(lab->path), S_IFSOCK | 0660);
                lab_close(lab);
                assert_int_not_equal(access(lab->path, F_OK), 0);
        }
}

static void it_has_the_group_of_its_folder(void **state)
{
        struct lab *lab = *state;
        struct stat file;
        if (chown(lab->folder, (uid_t)-1, 12345))
                skip(); /* not root */
        assert_int_equal(chmod(lab->folder, 02770), 0);
        lab_open(lab);
        assert_int_equal(stat(lab->path, &file), 0);
        assert_int_equal(file.st_gid, 12345);
        assert_int_equal(file.st_mode, S_IFSOCK | 0660);
}

/* As kill -9 leaves it: the file is there, nobody behind it. */
static void leave_a_file(const struct lab *lab)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", lab->path);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 1), 0);
        close(fd);
}

static void one_that_nobody_serves_is_replaced(void **state)
{
        struct lab *lab = *state;
        leave_a_file(lab);
        lab_open(lab);
        struct control_client *client = client_by_socket(lab);
        expect_served(lab, client);
        control_disconnect(client);
}

static void one_that_somebody_serves_is_busy(void **state)
{
        struct lab *lab = *state;
        lab_open(lab);
        assert_int_equal(open_again(lab), ERR_BUSY);
        assert_non_null(strstr(lab->error.text, lab->path));
        struct control_client *client = client_by_socket(lab);
        expect_served(lab, client);
        control_disconnect(client);
}

static void what_is_no_socket_is_left_alone(void **state)
{
        struct lab *lab = *state;
        FILE *file = fopen(lab->path, "w");
        fputs("mine", file);
        fclose(file);
        assert_int_equal(open_again(lab), ERR_DENIED);
        assert_int_equal(mode_of(lab->path) & S_IFMT, S_IFREG);
        unlink(lab->path);
        char target[128];
        snprintf(target, sizeof(target), "%s/other", lab->folder);
        assert_int_equal(symlink(target, lab->path), 0);
        assert_int_equal(open_again(lab), ERR_DENIED);
        assert_int_equal(mode_of(lab->path) & S_IFMT, S_IFLNK);
}

static void only_ones_own_is_taken_away(void **state)
{
        struct lab *lab = *state;
        lab_open(lab);
        unlink(lab->path);
        leave_a_file(lab);
        lab_close(lab);
        assert_int_equal(mode_of(lab->path) & S_IFMT, S_IFSOCK);
}

static void a_path_that_cannot_be_is_an_error(void **state)
{
        struct lab *lab = *state;
        char path[200];
        memset(path, 'x', sizeof(path));
        path[0] = '/';
        path[108] = '\0'; /* one too many with its NUL */
        lab->options.socket_path = path;
        assert_int_equal(open_again(lab), ERR_USAGE);
        lab->options.socket_path = "";
        assert_int_equal(open_again(lab), ERR_USAGE);
        snprintf(path, sizeof(path), "%s/none/manager.sock", lab->folder);
        lab->options.socket_path = path;
        assert_int_equal(open_again(lab), ERR_IO);
        assert_non_null(strstr(lab->error.text, path));
}

static void a_folder_without_permission_is_denied(void **state)
{
        struct lab *lab = *state;
        if (!getuid() && seteuid(65534))
                skip();
        if (geteuid() == 65534) {
                int code = open_again(lab);
                assert_int_equal(seteuid(0), 0);
                assert_int_equal(code, ERR_DENIED);
                return;
        }
        chmod(lab->folder, 0500);
        int code = open_again(lab);
        chmod(lab->folder, 0700);
        assert_int_equal(code, ERR_DENIED);
}

/* As nobody, in a process of its own. */
static int ask_as_nobody(struct lab *lab)
{
        struct control_client *client = NULL;
        const struct control_target target = {.socket_path = lab->path};
        int status = 0;
        pid_t child = fork();
        if (!child) {
                if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
                        _exit(100);
                _exit(-control_connect(&client, &target, &lab->error));
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        return -WEXITSTATUS(status);
}

static void who_may_not_write_to_it_may_not_ask(void **state)
{
        struct lab *lab = *state;
        if (getuid())
                skip();
        lab_open(lab);
        chmod(lab->folder, 0755);
        assert_int_equal(ask_as_nobody(lab), ERR_DENIED);
        chmod(lab->path, 0666);
        assert_int_equal(ask_as_nobody(lab), 0);
}

/* Addresses and keys */

static void expect_usage(struct lab *lab, const char *words)
{
        assert_int_equal(open_again(lab), ERR_USAGE);
        if (!strstr(lab->error.text, words))
                fail_msg("%s: not in: %s", words, lab->error.text);
        assert_int_not_equal(access(lab->path, F_OK), 0); /* and nothing is left */
}

static void a_port_needs_a_key(void **state)
{
        struct lab *lab = *state;
        lab->options.address = "127.0.0.1";
        lab->options.port = free_port();
        expect_usage(lab, "key");
        lab->options.key = "";
        expect_usage(lab, "key");
}

static void plain_is_for_loopback(void **state)
{
        static const char *const far[] = {"0.0.0.0", "192.0.2.1", "::", "2001:db8::1",
            "::ffff:192.0.2.1", "128.0.0.1", "126.255.255.255"};
        struct lab *lab = *state;
        lab->options.port = free_port();
        lab->options.key = KEY;
        for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
                lab->options.address = far[i];
                expect_usage(lab, "TLS");
        }
        lab->options.address = "localhost";
        expect_usage(lab, "numeric");
        lab->options.address = NULL;
        expect_usage(lab, "numeric");
        lab->options.address = "127.9.8.7";
        assert_int_equal(open_again(lab), 0);
}

static void a_certificate_must_be_one(void **state)
{
        struct lab *lab = *state;
        char path[128], empty[128];
        snprintf(path, sizeof(path), "%s/none.pem", lab->folder);
        snprintf(empty, sizeof(empty), "%s/cert.pem", lab->folder);
        fclose(fopen(empty, "w"));
        lab->options.address = "127.0.0.1";
        lab->options.port = free_port();
        lab->options.key = KEY;
        lab->options.tls_cert = path;
        expect_usage(lab, "belong together");
        lab->options.tls_key = path;
        expect_usage(lab, path);
        lab->options.tls_cert = lab->options.tls_key = empty;
        expect_usage(lab, empty);
        lab->options.tls_cert = NULL;
        expect_usage(lab, "belong together");
}

static void an_address_in_use_is_named(void **state)
{
        struct lab *lab = *state;
        char words[32];
        lab_open_port(lab);
        snprintf(words, sizeof(words), "127.0.0.1:%u", lab->port);
        lab->options.socket_path = NULL;
        assert_int_equal(open_again(lab), ERR_IO);
        assert_non_null(strstr(lab->error.text, words));
        lab->options.pages_address = "127.0.0.1";
        lab->options.pages_port = lab->port;
        lab->options.port = 0;
        assert_int_equal(open_again(lab), ERR_IO);
        assert_non_null(strstr(lab->error.text, words));
}

static void no_door_at_all_is_fine(void **state)
{
        struct lab *lab = *state;
        struct control_request request;
        lab->options.socket_path = NULL;
        lab_open(lab);
        assert_false(control_take(lab->server, &request));
        control_close(NULL);
}

static void it_opens_and_closes_again_and_again(void **state)
{
        struct lab *lab = *state;
        for (int i = 0; i < 20; i++) {
                lab_open_port(lab);
                struct control_client *client = client_by_socket(lab);
                expect_served(lab, client);
                lab_close(lab);
                control_disconnect(client);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            TEST(its_mode_is_0660_whatever_the_umask),
            TEST(it_has_the_group_of_its_folder),
            TEST(one_that_nobody_serves_is_replaced),
            TEST(one_that_somebody_serves_is_busy),
            TEST(what_is_no_socket_is_left_alone),
            TEST(only_ones_own_is_taken_away),
            TEST(a_path_that_cannot_be_is_an_error),
            TEST(a_folder_without_permission_is_denied),
            TEST(who_may_not_write_to_it_may_not_ask),
            TEST(a_port_needs_a_key),
            TEST(plain_is_for_loopback),
            TEST(a_certificate_must_be_one),
            TEST(an_address_in_use_is_named),
            TEST(no_door_at_all_is_fine),
            TEST(it_opens_and_closes_again_and_again),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
