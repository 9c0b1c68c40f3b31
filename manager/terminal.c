#include "manager/terminal.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static bool keys_taken, entered;
static volatile sig_atomic_t resized, stopped;

static void resize_cb(int signal_number)
{
        (void)signal_number;
        resized = 1;
}

static void suspend_cb(int signal_number)
{
        (void)signal_number;
        stopped = 1;
}

void terminal_enter(void)
{
        struct sigaction resize = {.sa_handler = resize_cb}, suspend = {.sa_handler = suspend_cb};
        sigaction(SIGWINCH, &resize, NULL);
        sigaction(SIGTSTP, &suspend, NULL);
        if (isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &before)) {
                struct termios raw = before;
                raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
                raw.c_cc[VMIN] = 0;
                raw.c_cc[VTIME] = 0;
                keys_taken = !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        }
        fputs("\033[?1049h\033[?25l\033[?7l\033[2J", stdout);
        fflush(stdout);
        entered = true;
}

void terminal_leave(void)
{
        if (!entered)
                return;
        fputs("\033[?7h\033[?25h\033[?1049l", stdout);
        fflush(stdout);
        if (keys_taken)
                tcsetattr(STDIN_FILENO, TCSANOW, &before);
        signal(SIGTSTP, SIG_DFL);
        entered = keys_taken = false;
}

struct terminal_size terminal_size(void)
{
        struct winsize size;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col || !size.ws_row)
                return (struct terminal_size){.columns = 80, .rows = 24};
        return (struct terminal_size){.columns = size.ws_col, .rows = size.ws_row};
}

bool terminal_is_resized(void)
{
        bool result = resized;
        resized = 0;
        return result;
}

/* Ctrl-Z: the shell gets its terminal as it was, and later we take it over anew. */
static void suspend_now(void)
{
        stopped = 0;
        terminal_leave();
        raise(SIGTSTP);
        terminal_enter();
        resized = 1;
}

int terminal_key(void)
{
        unsigned char key;
        struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
        if (stopped)
                suspend_now();
        if (!keys_taken || poll(&in, 1, 0) <= 0)
                return 0;
        return read(STDIN_FILENO, &key, 1) == 1 ? key : -1;
}

void terminal_wait(int wait_ms)
{
        struct pollfd in = {.fd = keys_taken ? STDIN_FILENO : -1, .events = POLLIN};
        poll(&in, 1, wait_ms);
}

void terminal_draw(const struct buffer *lines)
{
        const char *at = (const char *)lines->data, *end = at + lines->size;
        fputs("\033[H", stdout);
        while (at < end) {
                const char *next = memchr(at, '\n', (size_t)(end - at));
                size_t size = (size_t)((next ? next : end) - at);
                fwrite(at, 1, size, stdout);
                fputs("\033[K", stdout);
                at += size + 1;
                if (at < end) /* the last line has no end: the screen would move */
                        putchar('\n');
        }
        fputs("\033[J", stdout);
        fflush(stdout);
}
