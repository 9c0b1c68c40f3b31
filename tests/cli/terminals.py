"""A terminal for a program: its screen as lines of text, its keys, its size."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

PIECE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+|\x1b")


class Screen:
    """What the escapes that obmanage uses make of a screen, others fail. On its other page nothing
    wraps; what is cut there is counted, and a line below the last fails: it would move the rest."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.pages = {False: [""] * 200, True: [""] * 200}
        self.other_page, self.cursor_shown, self.wraps = False, True, True
        self.row = self.column = 0
        self.saved = 0, 0
        self.pictures = self.cut = 0

    @property
    def lines(self):
        return self.pages[self.other_page]

    def text(self):
        return "\n".join(self.lines).rstrip("\n")

    def feed(self, text):
        for match in PIECE.finditer(text):
            private, number, letter = match.groups()
            if letter:
                self.escape(private, number, letter)
            elif match.group() == "\n":
                self.row += 1
                assert not self.other_page or self.row < self.rows, "the screen would move"
            elif match.group() == "\r":
                self.column = 0
            else:
                self.put(match.group())

    def put(self, text):
        if self.other_page:
            assert not self.wraps
            self.cut += max(0, self.column + len(text) - self.columns)
            text = text[:self.columns - self.column]
        old = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = old[:self.column] + text + old[self.column + len(text):]
        self.column += len(text)

    def swap_page(self, enter):
        """The cursor is kept over there and comes back."""
        if enter and not self.other_page:
            self.saved = self.row, self.column
        elif self.other_page and not enter:
            self.row, self.column = self.saved

    def escape(self, private, number, letter):
        if private:
            if number == "1049":
                self.swap_page(letter == "h")
            name = {"1049": "other_page", "25": "cursor_shown", "7": "wraps"}[number]
            setattr(self, name, letter == "h")
        elif letter == "H" and not number:
            self.row = self.column = 0
            self.pictures += 1
        elif letter == "K":
            self.lines[self.row] = self.lines[self.row][:self.column].rstrip()
        elif letter == "J":
            first = 0 if number == "2" else self.row + 1
            self.lines[first:] = [""] * (len(self.lines) - first)
        else:
            assert letter == "m", (number, letter)


class Terminal:
    """Runs a program with a terminal of its own, and ends it by its number."""

    def __init__(self, words, env, rows=24, columns=80, **files):
        self.main, child_end = pty.openpty()
        self.screen = Screen(rows, columns)
        self.size(rows, columns)
        self.before = termios.tcgetattr(child_end)
        self.child_end = child_end
        files = {"stdin": child_end, "stdout": child_end, "stderr": child_end, **files}
        self.child = subprocess.Popen(words, env=env, start_new_session=True,
                                      preexec_fn=lambda: fcntl.ioctl(child_end, termios.TIOCSCTTY),
                                      **files)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self.main)
        os.close(self.child_end)

    def size(self, rows, columns):
        self.screen.rows, self.screen.columns = rows, columns
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def is_as_before(self):
        return termios.tcgetattr(self.child_end) == self.before

    def keys(self, text):
        os.write(self.main, text.encode())

    def read(self):
        """What comes until it pauses."""
        text = b""
        while len(text) < 1 << 20 and select.select([self.main], [], [], 0.05)[0]:
            text += os.read(self.main, 65536)
        self.screen.feed(text.decode())
        return text.decode()

    def until(self, is_right, seconds=15):
        end = time.monotonic() + seconds
        while not is_right(self.screen):
            assert time.monotonic() < end, self.screen.text()
            self.read()
        return self.screen.lines

    def wait(self, seconds=10):
        """The exit code, after all that was said was read."""
        end = time.monotonic() + seconds
        while self.child.poll() is None and time.monotonic() < end:
            self.read()
        self.read()
        return self.child.wait(1)

    def signal(self, number=signal.SIGINT):
        self.child.send_signal(number)
