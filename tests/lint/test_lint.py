"""The project checks itself: layers, sizes, banned calls, leftovers, and that lists agree."""
import os
import re
import shlex
import statistics
import subprocess

import pytest

from sources import (ROOT, c_files, code_of, files, functions, includes_of, is_text,
                     product_c_files, scripts, sources, text_of)

# Who may include whom. The stages of the data, each with the stages below it that it sees.
STAGES = {
    "base": set(),
    "book": {"base"},
    "codec": {"base", "book"},
    "store": {"base"},
    "record": {"base", "book", "codec", "store"},
    "ship": {"base", "book", "codec", "store", "recon"},
    "venue": {"base", "book"},
    "control": {"base"},
    "capture": {"base"},
    "recon": {"base", "book", "codec", "store"},
}
PROGRAMS = {"logger", "manager", "recon/cli", "audit"}
NOT_IN_THE_RIVER = {"tests", "bench"}  # may include any stage

# A foreign library is seen by so many .c files of the product, and by no header.
FOREIGN = {"lmdb.h": 2, "curl/": 3, "simdjson": 2, "zstd.h": 4, "xxhash.h": 2, "libwebsockets.h": 4,
           "mongoc/": 2, "bson/": 12, "systemd/": 1}

BANNED = {
    "strcpy": "snprintf or struct buffer", "strcat": "struct buffer", "stpcpy": "snprintf",
    "strncpy": "snprintf", "strncat": "struct buffer", "sprintf": "snprintf",
    "vsprintf": "vsnprintf", "gets": "fgets", "atoi": "decimal_parse", "atol": "decimal_parse",
    "atoll": "decimal_parse", "atof": "decimal_parse", "strtod": "decimal_parse",
    "strtof": "decimal_parse", "system": "posix_spawn", "popen": "posix_spawn",
    "strtok": "strsep", "rand": "a seeded generator of one's own", "srand": "the same",
    "localtime": "time_format", "gmtime": "time_format", "ctime": "time_format",
    "asctime": "time_format", "tmpnam": "mkstemp", "mktemp": "mkstemp", "alloca": "memory_new",
}
EXACT_STAGES = {"book", "codec", "record", "venue", "recon"}

FUNCTION_LINES_MAX = 70
FUNCTION_LINES_MEDIAN = 15
FILE_LINES_MAX = 800
COLUMNS_MAX = 100


def fail_with(problems):
    assert not problems, "\n" + "\n".join(str(problem) for problem in problems)


def layer_of(path):
    """The stage or program that a file belongs to, or None outside the river."""
    parts = path.parts
    if parts[0] in NOT_IN_THE_RIVER:
        return None
    two = "/".join(parts[:2])
    return two if two in PROGRAMS else parts[0]


def test_every_folder_with_code_is_a_stage_or_a_program():
    known = set(STAGES) | PROGRAMS | {None}
    fail_with([path for path in c_files() if layer_of(path) not in known])


def test_a_stage_includes_only_the_stages_below_it():
    problems = []
    for path in product_c_files():
        layer = layer_of(path)
        for number, header in includes_of(path):
            target = header.split("/")[0] if "/" in header else None
            if layer not in STAGES or target not in STAGES or target == layer:
                continue
            if target not in STAGES[layer]:
                problems.append(f"{path}:{number}: {layer} may not include {header}")
    fail_with(problems)


def test_no_stage_includes_a_program():
    fail_with([f"{path}:{number}: {header} belongs to a program"
               for path in product_c_files() if layer_of(path) in STAGES
               for number, header in includes_of(path)
               if any(header.startswith(program + "/") for program in PROGRAMS)])


def test_internal_headers_stay_in_their_stage():
    fail_with([f"{path}:{number}: {header} is another stage's inside"
               for path in product_c_files()
               for number, header in includes_of(path)
               if header.endswith("/internal.h") and header.split("/")[0] != path.parts[0]])


def declared(kind):
    """name -> (folder, DEPENDS) as CMakeLists.txt declares stages or programs."""
    found = {}
    for words in re.findall(rf"^oblogger_{kind}\(([^)]*)\)", text_of("CMakeLists.txt"), re.M):
        name, *rest = words.split()
        lists = {"": []}
        key = ""
        for word in rest:
            if word in {"DEPENDS", "LIBRARIES", "FOLDER", "EXCEPT"}:
                key = word
                lists[key] = []
            else:
                lists[key].append(word)
        found[name] = (lists.get("FOLDER", [name])[0], set(lists.get("DEPENDS", [])))
    return found


def test_cmake_declares_the_same_table():
    stages = declared("stage")
    assert stages, "no stage found in CMakeLists.txt"
    fail_with([f"{name}: CMakeLists.txt has {sorted(depends)}, the table {sorted(STAGES[name])}"
               for name, (_, depends) in stages.items() if depends != STAGES[name]])
    folders = {path.parts[0] for path in product_c_files()} & set(STAGES)
    assert folders == set(stages)


def test_a_program_links_what_it_includes():
    problems = []
    programs = declared("program")
    assert programs, "no program found in CMakeLists.txt"
    for name, (folder, depends) in programs.items():
        used = {header.split("/")[0] for path in product_c_files() if layer_of(path) == folder
                for _, header in includes_of(path)} & set(STAGES)
        if not used <= depends:
            problems.append(f"{name} includes {sorted(used - depends)} without DEPENDS")
    fail_with(problems)


def test_obrebuild_knows_no_network():
    assert "venue" not in declared("program")["obrebuild"][1]


@pytest.mark.parametrize("library", FOREIGN)
def test_a_foreign_library_is_seen_by_few_files(library):
    users = [path for path in product_c_files()
             for _, header in includes_of(path) if header.startswith(library)]
    assert len(set(users)) <= FOREIGN[library], f"{library}: {sorted(map(str, set(users)))}"
    assert not [str(path) for path in users if path.suffix == ".h"], f"{library} is in a header"


def test_libwebsockets_is_seen_once_a_role():
    users = [path.parts[0] for path in product_c_files()
             if "libwebsockets.h" in dict.fromkeys(header for _, header in includes_of(path))]
    roles = {"control": 2}  # its loop, and the pages
    fail_with([user for user in set(users) if users.count(user) > roles.get(user, 1)])


def test_no_function_is_too_long():
    fail_with([f"{path}:{first}: {name} has {last - first + 1} lines, {FUNCTION_LINES_MAX} at most"
               for path, name, first, last in functions()
               if last - first + 1 > FUNCTION_LINES_MAX])


def test_functions_are_short_in_the_middle():
    lengths = [last - first + 1 for _, _, first, last in functions()]
    assert len(lengths) > 100, "ctags found hardly any function"
    assert statistics.median(lengths) < FUNCTION_LINES_MEDIAN


def test_no_file_is_too_long():
    problems = []
    for path in sources():
        count = len(text_of(path).splitlines())
        if count > FILE_LINES_MAX:
            problems.append(f"{path} has {count} lines, {FILE_LINES_MAX} at most")
    fail_with(problems)


def test_no_line_is_too_wide():
    fail_with([f"{path}:{number}: {len(line.expandtabs(8))} columns, {COLUMNS_MAX} at most"
               for path in sources()
               for number, line in enumerate(text_of(path).splitlines(), 1)
               if len(line.expandtabs(8)) > COLUMNS_MAX])


def test_no_blanks_at_the_end_of_a_line_and_no_tabs():
    fail_with([f"{path}:{number}: blank at the end, or a tab"
               for path in sources()
               for number, line in enumerate(text_of(path).splitlines(), 1)
               if line != line.rstrip() or "\t" in line])


def test_c_is_laid_out_by_clang_format():
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *map(str, c_files())], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    places = [line.split(":")[0] for line in done.stderr.splitlines() if ": error" in line]
    fail_with(sorted(set(places)))
    assert done.returncode == 0, done.stderr


def test_no_banned_call():
    pattern = re.compile(rf"(?<![\w.>])({'|'.join(BANNED)})\s*\(")
    fail_with([f"{path}:{number}: {match.group(1)}: use {BANNED[match.group(1)]}"
               for path in c_files()
               for number, line in enumerate(code_of(path).splitlines(), 1)
               for match in pattern.finditer(line)])


def test_no_floating_point_near_prices():
    pattern = re.compile(r"\b(float|double)\b|\b\d+\.\d*[fF]?\b")
    fail_with([f"{path}:{number}: {line.strip()}"
               for path in product_c_files() if path.parts[0] in EXACT_STAGES
               for number, line in enumerate(code_of(path).splitlines(), 1)
               if pattern.search(line)])


def test_signal_handlers_only_take_a_note():
    problems = []
    for path in c_files():
        code = code_of(path)
        names = re.findall(r"sa_handler\s*=\s*(\w+)", code) + re.findall(
            r"\bsignal\s*\(\s*\w+\s*,\s*(\w+)", code)
        for name in set(names) - {"SIG_IGN", "SIG_DFL"}:
            body = re.search(rf"\b{name}\s*\([^)]*\)\s*\{{(.*?)^\}}", code, re.S | re.M)
            if not body or re.search(r"\b\w+\s*\([^)]", body.group(1)):
                problems.append(f"{path}: the signal handler {name} calls something")
    fail_with(problems)


LEFTOVERS = re.compile("|".join((
    r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b", r"\bnot (yet )?imple" r"mented\b",
    r"\bst" r"ub(bed|s)?\b", r"\bplace" r"holder\b")), re.I)

# Nothing of a machine, of how the work is organised, or of who helped.
FOREIGN_WORDS = re.compile("|".join((
    r"(^|[^a-z.\w])/(wo" r"rk|fa" r"rm|ro" r"ot|ho" r"me)/[a-z]", r"\.\./sha" r"red\b",
    r'"sha' r'red"', r"before" r"-stop", r"\bdevelopers?[- ]ses" r"sion", r"\blanguage mo" r"del\b",
    r"\biss" r"ue #?[0-9]+\b", r"\.lib" r"rary\b", r"\bcla" r"ude\b", r"\banth" r"ropic\b",
    r"\bopen" r"ai\b", r"\bchat" r"gpt\b", r"\bcopi" r"lot\b", r"\bAI ass" r"istant")), re.I)


@pytest.mark.parametrize("pattern", [LEFTOVERS, FOREIGN_WORDS], ids=["leftovers", "words"])
def test_no_words_that_do_not_belong(pattern):
    fail_with([f"{path}:{number}: {match.group()}"
               for path in files() if path.parts[:2] != ("tests", "data") and is_text(path)
               for number, line in enumerate(text_of(path).splitlines(), 1)
               if (match := pattern.search(line))])


def begins_with_a_comment(path):
    text = text_of(path)
    if path.suffix in {".c", ".cc", ".h"}:
        return text.startswith("/*")
    text = re.sub(r"\A#![^\n]*\n", "", text)
    return text.startswith('"""') or text.startswith("# ")


def test_every_file_begins_by_saying_what_it_is():
    problems = []
    for path in sources():
        own = path.with_suffix(".h")
        includes = text_of(path).startswith(f'#include "{own}"')
        opened = path.suffix in {".c", ".cc"} and includes and begins_with_a_comment(own)
        if not opened and not begins_with_a_comment(path):
            problems.append(path)
    fail_with(problems)


def test_every_stage_has_a_readme():
    folders = {layer_of(path).split("/")[0] for path in c_files() if layer_of(path)}
    fail_with(sorted(folder for folder in folders if not (ROOT / folder / "README.md").exists()))


def test_links_in_documents_lead_somewhere():
    problems = []
    for path in files():
        if path.suffix != ".md" or path.parts[:2] == ("tests", "data"):
            continue
        text = re.sub(r"```.*?```|`[^`]*`", "", text_of(path), flags=re.S)
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            if "://" not in target and not (ROOT / path.parent / target).exists():
                problems.append(f"{path}: {target}")
    fail_with(problems)


def settings_table():
    """(name, default) of each setting, as base/settings_table.c has them."""
    return re.findall(r'\{"([A-Z0-9_]+)",\s*SETTING_\w+,\s*"([^"]*)"',
                      text_of("base/settings_table.c"))


def test_the_example_settings_are_the_known_ones_with_their_defaults():
    lines = text_of("vars.env.example").splitlines()
    shown = [tuple(line.split("=", 1)) for line in lines if line and not line.startswith("#")]
    assert len(settings_table()) > 10
    assert shown == settings_table()


def described_in(readme, path):
    """By its name, or by its folder's path where that holds many of a kind (a corpus)."""
    if not (ROOT / readme).exists():
        return False
    inside = path.relative_to(readme.parent)
    folder = f"`{inside.parent}/`" if len(inside.parts) > 1 else path.name
    return path.name in text_of(readme) or folder in text_of(readme)


def test_every_data_file_is_described():
    problems = []
    for path in files():
        if path.parts[:2] != ("tests", "data") or path.name == "README.md":
            continue
        folders = [folder for folder in path.parents if folder.parts[1:2] == ("data",)]
        if not any(described_in(folder / "README.md", path) for folder in folders):
            problems.append(path)
    fail_with(problems)


def test_scripts_parse_and_can_be_run():
    problems = []
    for path in scripts():
        shell = shlex.split(text_of(path).splitlines()[0])[-1].rsplit("/", 1)[-1]
        done = subprocess.run([shell, "-n", str(ROOT / path)], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            problems.append(f"{path}: {done.stderr}")
        if not os.access(ROOT / path, os.X_OK):
            problems.append(f"{path}: has no run bit")
    assert scripts(), "no script found"
    fail_with(problems)
