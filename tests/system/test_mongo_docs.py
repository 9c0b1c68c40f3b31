"""docs/mongodb.md, command by command, as a reader would type them: a server with TLS and
passwords, users with the rights of the page and no others, the laboratory as the exchange."""

import json
import os
import re
import shlex
import subprocess
import xml.etree.ElementTree

import pytest

import harness
import mongo
from test_mongo_schema import AGREED, code_words, find_mongosh, table_rows

PAGE = (harness.ROOT / "docs" / "mongodb.md").read_text()
PICTURE = harness.ROOT / "docs" / "mongosh-document.svg"
HOSTS = ("db.example.net", "mongos.example.net")
EVENTS = harness.DEPTH_MESSAGES["btcusdt"]


def section(title):
    return re.search(rf"^## {title}$(.*?)(?=^## |\Z)", PAGE, re.M | re.S).group(1)


def blocks(title, language="sh"):
    """The code blocks of a section, each a list of lines."""
    found = re.findall(rf"^```{language}\n(.*?)^```", section(title), re.M | re.S)
    return [block.strip().splitlines() for block in found]


def rights():
    """The actions of each row of the table, in its order."""
    return [code_words(row[1]) for row in table_rows(section("Rights"))]


@pytest.fixture(scope="module", name="server")
def make_server(tmp_path_factory):
    server = mongo.make_own_server(tmp_path_factory.mktemp("server"), auth=True, tls=True)
    reads, records, makes = rights()
    server.add_user("reader", "orderbooks", reads)
    server.add_user("oblogger", "orderbooks", records + makes)
    yield server
    server.end()


def as_typed(lines, server):
    """The lines, with this server and these passwords in place of the page's."""
    text = "\n".join(lines)
    for user in ("oblogger", "reader"):
        text = text.replace(f"'password of {user}'", shlex.quote(mongo.PASSWORD))
    for host in HOSTS:
        text = text.replace(host, server.address())
    return text.replace("db-ca.pem", str(server.ca)).splitlines()


def environment(**variables):
    path = f"{harness.BUILD}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, **variables}


def shell(lines, cwd, **variables):
    """Run the lines in one shell, which ends at the first that fails."""
    return subprocess.run(
        ["bash", "-ec", "\n".join(lines)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment(**variables),
    )


class Team:
    """The machine that records, and the second one: two folders."""

    def __init__(self, directory, server):
        self.directory, self.server = directory, server
        self.first, self.second = directory / "first", directory / "second"
        self.first.mkdir()
        self.second.mkdir()
        self.lab = harness.Lab(directory, ["btcusdt"], speed="200")
        self.logger = None

    def start(self):
        """The first block; its last line is the logger."""
        *lines, last = as_typed(blocks("A team of one logger and a second machine")[0], self.server)
        lines = [f"cd {shlex.quote(str(self.first))}", *lines, f"exec env {last}"]
        words = ["bash", "-ec", "\n".join(lines)]
        env = environment(**self.lab.env, SEAL_AFTER="1s")
        self.logger = harness.Process(words, self.directory / "oblogger.log", env)

    def ask(self):
        """The second block."""
        lines = as_typed(blocks("A team of one logger and a second machine")[1], self.server)
        return shell(lines, self.second)

    def take_home(self):
        """The third one, with the names that the second one has set."""
        _, second, third = blocks("A team of one logger and a second machine")
        return shell([*as_typed(second[:2], self.server), *third], self.second)

    def end(self):
        if self.logger:
            self.logger.kill()
        self.lab.kill()


@pytest.fixture(scope="module", name="team")
def make_team(tmp_path_factory, server):
    team = Team(tmp_path_factory.mktemp("team"), server)
    try:
        team.start()
        team.lab.wait_end(60)
        yield team
    finally:
        team.end()


def test_the_page_says_it_in_ten_lines():
    first, second, _ = blocks("A team of one logger and a second machine")
    assert len(first) + len(second) <= 10
    assert first[-1].endswith(" oblogger") and all("obrebuild" in line for line in second[2:])


def test_the_second_machine_gets_the_same_answers(team):
    assert team.logger.running(), team.logger.text()
    harness.wait_until(lambda: team.ask().returncode == 0, 20, "it is answered while it records")
    assert (team.first / "mongodb.password").stat().st_mode & 0o777 == 0o600
    code = team.logger.end()
    assert code == 0, team.logger.text()[-3000:]
    done = team.ask()
    assert done.returncode == 0, done.stderr
    store = team.first / "orderbooks"
    want = [
        harness.obrebuild(store, *words.split()).stdout
        for words in ("list", "--depth 5 BTCUSDT", "coverage", "verify")
    ]
    assert done.stdout == "".join(want)
    assert "status ok" in done.stdout and str(EVENTS) in done.stdout
    assert list(team.second.iterdir()) == []


def test_a_symbol_goes_home(team):
    assert team.logger.text()
    done = team.take_home()
    assert done.returncode == 0, done.stderr
    home, store = team.second / "home", team.first / "orderbooks"
    for words in ("--depth 5 BTCUSDT", "coverage BTCUSDT", "replay BTCUSDT --digest"):
        want = harness.obrebuild(store, *words.split()).stdout
        assert harness.obrebuild(home, *words.split()).stdout == want
    assert done.stdout.endswith(harness.obrebuild(store, "--depth", 5, "BTCUSDT").stdout)


def test_no_password_is_seen(team):
    assert mongo.PASSWORD not in team.logger.text()
    assert "not authorized" not in team.logger.text().lower()


def test_the_rights_of_the_page_suffice_and_are_needed(team, server):
    """Validators and indexes are there; who reads may not write."""
    with server.client() as client:
        options = {c["name"]: c["options"] for c in client.orderbooks.list_collections()}
        assert {name: options[name]["validator"] for name in AGREED} == {
            name: agreed["validator"] for name, agreed in AGREED.items()
        }
    uri = server.uri("orderbooks", user="reader")
    with mongo.pymongo.MongoClient(uri, serverSelectionTimeoutMS=5000) as client:
        assert client.orderbooks.streams.find_one()
        for write in (client.orderbooks.streams.delete_one, client.orderbooks.streams.insert_one):
            with pytest.raises(mongo.pymongo.errors.OperationFailure) as error:
                write({"_id": "x"})
            assert error.value.code == 13
    assert team.logger.text()


def test_settings_named_by_the_page_are_settings():
    example = (harness.ROOT / "vars.env.example").read_text()
    names = set(re.findall(r"\b(MONGODB_[A-Z]+|STORE_KEEP|SEAL_AFTER|RECORDER)\b", PAGE))
    assert len(names) >= 7
    for name in names:
        assert f"\n{name.removesuffix('_FILE')}=" in example, name


# ---- with mongosh ----


@pytest.fixture(scope="module", name="mongosh")
def make_mongosh():
    return find_mongosh()


def with_login(line, server):
    """A mongosh line of the page: its address, with the login that this server asks for."""
    uri = re.search(r"mongodb://\S+", line).group()
    return line.replace(uri, shlex.quote(server.uri("orderbooks", user=mongo.ADMIN)))


@pytest.mark.full
def test_the_scripts_run_as_the_page_has_them(team, server, mongosh, tmp_path):
    assert team.logger.text()
    told = []
    for title in ("How long it is kept", "Growing"):
        (line,), = blocks(title)
        path = f"{os.path.dirname(mongosh)}:{os.environ['PATH']}"
        line = with_login(line, server)
        done = shell([line], harness.ROOT, HOME=str(tmp_path), PATH=path)
        told.append((done.returncode, done.stdout + done.stderr))
    assert told[0][0] == 0 and "90 days of retention" in told[0][1], told
    assert told[1][0] == 1 and "no mongos" in told[1][1], told
    with server.client() as client:
        for index in client.orderbooks.images.list_indexes():
            assert "expireAfterSeconds" not in index or index["expireAfterSeconds"] == 90 * 86400


@pytest.mark.full
def test_the_questions_of_the_page_are_answered(team, server, mongosh, tmp_path):
    """Each statement prints something, but those that look for what is missing: nothing is."""
    assert team.logger.text()
    (lines,) = blocks("Looking in with mongosh", "js")
    statements = re.split(r"^// .*\n", "\n".join(lines), flags=re.M)[1:]
    assert len(statements) == 4
    for statement in statements:
        words = [mongosh, "--quiet", "--norc", server.uri("orderbooks", user="reader")]
        words += ["--json=relaxed", "--eval", f"({statement.strip()}).toArray()"]
        home = {**os.environ, "HOME": str(tmp_path)}
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=60, check=False, env=home
        )
        assert done.returncode == 0, done.stderr
        rows = json.loads(done.stdout)
        assert bool(rows) == ("db.gaps" not in statement), statement


def test_the_picture_shows_the_fields_of_the_agreement():
    root = xml.etree.ElementTree.parse(PICTURE).getroot()
    lines = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    shown = [match.group(1) for line in lines if (match := re.match(r"\s+(\w+): ", line))]
    properties = AGREED["images"]["validator"]["$jsonSchema"]["properties"]
    absent = {"parts", "size"}  # of those that are cut
    assert set(properties) - absent == set(shown)
    assert f"![A document in mongosh]({PICTURE.name})" in PAGE
