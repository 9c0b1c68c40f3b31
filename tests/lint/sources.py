"""The project's files, and C text without its comments and strings."""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOT_OURS = {".git", "build", "orderbooks", "__pycache__", ".pytest_cache"}
C_SUFFIXES = {".c", ".h", ".cc"}

COMMENT_OR_TEXT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def files():
    """Every file of the project, as a path relative to its root."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(set(folders) - NOT_OURS)
        found += [(pathlib.Path(folder) / name).relative_to(ROOT) for name in sorted(names)]
    return found


def text_of(path):
    return (ROOT / path).read_text(encoding="utf-8")


def c_files():
    return [path for path in files() if path.suffix in C_SUFFIXES]


def product_c_files():
    return [path for path in c_files() if path.parts[0] != "tests"]


def scripts():
    """Files that begin with #!, of the shells."""
    return [path for path in files()
            if not path.suffix and re.match(rb"#!.*\b(ba)?sh\b", (ROOT / path).read_bytes()[:40])]


def sources():
    return c_files() + [path for path in files() if path.suffix in {".py", ".sh"}] + scripts()


def is_text(path):
    return b"\0" not in (ROOT / path).read_bytes()[:4096]


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def code_of(path):
    """The C text with comments and strings blanked: lines and columns stay."""
    return COMMENT_OR_TEXT.sub(blank, text_of(path))


def includes_of(path):
    """(line number, header) of each #include; comments are left out."""
    return [(number, match.group(1))
            for number, line in enumerate(text_of(path).splitlines(), 1)
            if (match := re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line))]


def functions():
    """(path, name, first line, last line) of each function outside tests/, by ctags."""
    listed = "\n".join(map(str, product_c_files()))
    tags = subprocess.run(
        ["ctags", "-L", "-", "--languages=C,C++", "--langmap=C:.c.h,C++:.cc", "--kinds-C=f",
         "--kinds-C++=f", "--fields=+ne", "--sort=no", "-o", "-"],
        input=listed, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    found = []
    for line in tags.splitlines():
        name, path, *rest = line.split("\t")
        fields = dict(field.split(":", 1) for field in rest if ":" in field)
        if "end" in fields:
            found.append((path, name, int(fields["line"]), int(fields["end"])))
    return found
