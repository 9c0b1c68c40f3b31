"""The agreement on documents: what the page says, what the file for machines says, what oblogger
and mongosh make of it in a server, and which documents that server then takes."""

import copy
import datetime
import json
import os
import re
import shutil
import subprocess

import pytest

import harness
import mongo

FOLDER = harness.ROOT / "schema" / "mongodb"
PAGE = (harness.ROOT / "schema" / "mongodb.md").read_text()
AGREED = {
    collection["name"]: collection
    for collection in json.loads((FOLDER / "collections.json").read_text())["collections"]
}
OF_A_DAY = sorted(name for name, collection in AGREED.items() if collection["of_a_day"])
BSON_TYPES = {"text": "string", "int64": "long", "int32": "int", "Date": "date", "bool": "bool"}
BSON_TYPES |= {"BinData": "binData", "array of Date": "array"}
DAY = datetime.datetime(2026, 11, 21)
KEY = "00000007/8000000000003039"
MONGOSH = "2.12.0"


# ---- the page and the file say the same ----


def section(title):
    return re.search(rf"^## {title}$(.*?)(?=^## |\Z)", PAGE, re.M | re.S).group(1)


def code_words(text):
    return re.findall(r"`([^`]+)`", text)


def table_rows(text):
    """The cells of each row, without the head."""
    rows = [re.split(r"\s*\|\s*", line)[1:-1] for line in re.findall(r"^\|.*\|$", text, re.M)]
    return rows[2:]


def fields_of_page():
    """collection -> field -> BSON type, as the tables of `Fields` have them."""
    fields = {name: {} for name in AGREED}
    parts = re.split(r"^### .*$", section("Fields"), flags=re.M)[1:]
    for part in parts:
        collections = code_words(re.search(r"^In: (.*?)\.(?: |\n)", part, re.M | re.S).group(1))
        assert collections
        for names, types, _ in table_rows(part):
            names, types = code_words(names), types.split(", ")
            types = types * len(names) if len(types) == 1 else types
            for collection in collections:
                assert len(names) == len(types), (names, types)
                fields[collection] |= {n: BSON_TYPES[t] for n, t in zip(names, types)}
    return fields


def fields_of_file(name):
    """field -> BSON type; what is inside an object by `outer.inner`."""
    fields = {}
    for field, rule in AGREED[name]["validator"]["$jsonSchema"]["properties"].items():
        if rule["bsonType"] == "object":
            inside = rule["properties"].items()
            fields |= {f"{field}.{inner}": deep["bsonType"] for inner, deep in inside}
        else:
            fields[field] = rule["bsonType"]
    return fields


@pytest.mark.parametrize("name", AGREED)
def test_the_page_has_exactly_the_fields_of_the_file(name):
    assert fields_of_page()[name] == fields_of_file(name)


def test_the_page_lists_exactly_the_collections_of_the_file():
    rows = table_rows(section("Collections"))
    assert sorted(word for row in rows for word in code_words(row[0])) == sorted(AGREED)
    of_a_day = [word for row in rows if row[2] for word in code_words(row[0])]
    assert sorted(of_a_day) == OF_A_DAY


def test_the_page_lists_exactly_the_indexes_of_the_file():
    others = sorted(set(AGREED) - set(OF_A_DAY))
    told = set()
    for where, index, key, _ in table_rows(section("Indexes")):
        named = {"of a day": OF_A_DAY, "others": others}.get(where) or code_words(where)
        key = re.search(r"\{.*?\}", key).group()
        if "expireAfterSeconds" not in where + key and index != "`retention`":
            told |= {(name, index.strip("`"), key) for name in named}
    agreed = set()
    for name, collection in AGREED.items():
        for index in collection["indexes"]:
            key = ", ".join(f"{field}: {way}" for field, way in index["key"].items())
            agreed.add((name, index["name"], f"{{{key}}}"))
    assert told == agreed


def test_no_field_is_a_double_and_none_is_forbidden_for_its_name():
    text = json.dumps(AGREED)
    for word in ("double", "number", "decimal", "additionalProperties", "patternProperties"):
        assert f'"{word}"' not in text, word


def test_the_shard_key_follows_from_the_id():
    """Recorder and day are part of _id, so documents of one _id are on one shard."""
    for name in OF_A_DAY:
        keys = {index["name"]: list(index["key"]) for index in AGREED[name]["indexes"]}
        assert keys["place"] == ["recorder", "day", "_id"]


# ---- which documents a server takes ----


@pytest.fixture(scope="module", name="server")
def make_server(tmp_path_factory):
    server = mongo.make_server(tmp_path_factory.mktemp("server") / "mongo")
    yield server
    server.end()


@pytest.fixture(name="database")
def make_database(server):
    with server.client() as client:
        name = mongo.fresh_name()
        yield client[name]
        client.drop_database(name)


@pytest.fixture(scope="module", name="validating")
def make_validating(server):
    """A database with the validators of the file."""
    with server.client() as client:
        name = mongo.fresh_name()
        for collection, agreed in AGREED.items():
            client[name].create_collection(collection, validator=agreed["validator"])
        yield client[name]
        client.drop_database(name)


def refusal(database, collection, document):
    """The code with which the server refuses it, or None. It stays there in no case."""
    try:
        database[collection].insert_one(copy.deepcopy(document))
    except mongo.pymongo.errors.WriteError as error:
        return error.code
    database[collection].delete_one({"_id": document["_id"]})
    return None


def id_for(name):
    place = f"main/{'2026-11-21' if name in OF_A_DAY else 'meta'}/{KEY}"
    return f"images/{place}#1" if name == "parts" else place


def sample(rule):
    return {
        "string": "text",
        "long": mongo.bson.int64.Int64(12345678901),
        "int": 3,
        "bool": True,
        "date": DAY,
        "binData": b"\0bytes",
    }[rule["bsonType"]]


def full_document(name):
    """With every field that the file knows, but those of a recorder."""
    properties = AGREED[name]["validator"]["$jsonSchema"]["properties"]
    document = {
        field: sample(rule)
        for field, rule in properties.items()
        if field not in ("uuid", "days", "lease")
    }
    return {**document, "_id": id_for(name)}


def recorder_document():
    return {
        "_id": "main%20two",
        "recorder": "main two",
        "uuid": "5ad3a4cc-6eb2-4d3b-a0f4-8bb7c2a44a0e",
        "days": [DAY, DAY + datetime.timedelta(days=1)],
        "lease": {
            "holder": "",
            "identity": "",
            "count": mongo.bson.int64.Int64(0),
            "renewed": DAY,
        },
    }


def least_document(name):
    """What an empty value is: nothing but what must be there."""
    required = AGREED[name]["validator"]["$jsonSchema"]["required"]
    required = required + ["stream"] * (name != "parts")
    return {field: value for field, value in full_document(name).items() if field in required}


@pytest.mark.parametrize("name", AGREED)
def test_a_document_is_taken_and_one_with_fields_added_later(validating, name):
    assert refusal(validating, name, full_document(name)) is None
    assert refusal(validating, name, least_document(name)) is None
    later = {**full_document(name), "later": {"any": [1, "x"]}, "more": 7}
    assert refusal(validating, name, later) is None


@pytest.mark.parametrize("name", AGREED)
def test_a_double_is_refused_in_every_field(validating, name):
    for field in full_document(name):
        wrong = {**full_document(name), field: 61837.63}
        assert refusal(validating, name, wrong) == 121, field
        assert refusal(validating, name, {**wrong, field: 1.0}) == 121, field


@pytest.mark.parametrize("name", AGREED)
def test_a_number_of_32_bits_is_refused_where_64_are_agreed(validating, name):
    for field, kind in fields_of_file(name).items():
        if kind == "long" and "." not in field:
            assert refusal(validating, name, {**full_document(name), field: 7}) == 121, field


@pytest.mark.parametrize("name", AGREED)
def test_a_missing_field_is_refused(validating, name):
    for field in least_document(name):
        if field == "_id":
            continue  # the server makes one, which is none of ours
        document = least_document(name)
        del document[field]
        assert refusal(validating, name, document) == 121, field
    halves = {"checksum", "payload", "parts", "size"} & set(full_document(name))
    for field in halves - set(least_document(name)):
        document = full_document(name)
        del document[field]
        assert refusal(validating, name, document) == 121, field


@pytest.mark.parametrize("name", AGREED)
def test_another_id_than_the_agreed_one_is_refused(validating, name):
    good = id_for(name)
    for wrong in (
        7,
        good + "/",
        good.replace("3039", "303F"),
        good.replace("main/", ""),
        good.replace("main/", "ma in/"),
        good.replace("8000000000003039", "3039"),
        good.replace("00000007", "7"),
        mongo.bson.ObjectId(),
    ):
        document = {**full_document(name), "_id": wrong}
        assert refusal(validating, name, document) == 121, wrong


def test_a_document_of_another_place_is_refused(validating):
    day, meta = id_for("images"), id_for("streams")
    assert refusal(validating, "images", {**full_document("images"), "_id": meta}) == 121
    assert refusal(validating, "streams", {**full_document("streams"), "_id": day}) == 121


def test_a_recorder_is_taken_whole_only(validating):
    assert refusal(validating, "recorders", recorder_document()) is None
    for field in ("recorder", "uuid", "days", "lease"):
        document = recorder_document()
        del document[field]
        assert refusal(validating, "recorders", document) == 121, field
    for field, wrong in (("count", 1.0), ("count", 1), ("renewed", 1.0), ("holder", None)):
        document = recorder_document()
        document["lease"][field] = wrong
        assert refusal(validating, "recorders", document) == 121, (field, wrong)
    document = recorder_document()
    document["days"].append(20778.0)
    assert refusal(validating, "recorders", document) == 121


def test_no_update_smuggles_a_double_in(validating):
    document = full_document("marks")
    validating.marks.insert_one(document)
    for change in ({"$set": {"next_position": 7.0}}, {"$mul": {"events": 1.5}}):
        with pytest.raises(mongo.pymongo.errors.WriteError) as error:
            validating.marks.update_one({"_id": document["_id"]}, change)
        assert error.value.code == 121
    wrong = {**document, "recorded_until_ns": 1.5}
    with pytest.raises(mongo.pymongo.errors.WriteError) as error:
        validating.marks.replace_one({"_id": document["_id"]}, wrong, upsert=True)
    assert error.value.code == 121
    assert validating.marks.find_one() == document
    validating.marks.delete_many({})


def examples():
    """(collection, document) of each example of the page."""
    blocks = re.findall(r"^```json (\w+)\n(.*?)^```", PAGE, re.M | re.S)
    from bson import json_util  # found where the server for the tests is

    return [(name, json_util.loads(text)) for name, text in blocks]


def test_the_examples_of_the_page_are_taken(validating):
    found = examples()
    assert {"recorders", "images", "gaps", "times"} == {name for name, _ in found}
    for name, document in found:
        assert refusal(validating, name, document) is None, document
        known = AGREED[name]["validator"]["$jsonSchema"]["properties"]
        assert set(document) <= set(known)
        payload = document.get("payload")
        if payload is not None:
            assert document["checksum"] == mongo.xxhash.XXH64(payload, len(payload), 0)


# ---- what oblogger makes of it ----


def state_of(database):
    """Every collection of the agreement with its validator and indexes."""
    found = {}
    for entry in database.list_collections():
        if entry["name"] in AGREED:
            indexes = [
                (index["name"], tuple(index["key"].items()), index.get("expireAfterSeconds"))
                for index in database[entry["name"]].list_indexes()
                if index["name"] != "_id_"
            ]
            found[entry["name"]] = (entry["options"].get("validator"), sorted(indexes))
    return found


def agreed_state():
    return {
        name: (
            agreed["validator"],
            sorted((i["name"], tuple(i["key"].items()), None) for i in agreed["indexes"]),
        )
        for name, agreed in AGREED.items()
    }


class Recorded:
    """A capture recorded with a server beside it."""

    def __init__(self, directory, server, database, captures=("us10",), **settings):
        self.directory, self.server, self.database = directory, server, database
        self.captures, self.settings = captures, settings
        self.lab = harness.Lab(directory, captures, *harness.KEYED)

    def run(self, wait_for=None, log="oblogger.log"):
        """Start, wait until the predicate of the log holds, end in order: the log."""
        symbols = [symbol for name in self.captures for symbol in harness.SYMBOLS[name]]
        logger = harness.Logger(
            self.directory,
            self.lab,
            symbols,
            self.directory / "store",
            log,
            **{
                "MONGODB_ENDPOINT": self.server.uri(),
                "MONGODB_DATABASE": self.database.name,
                "SEAL_AFTER": "1s",
                "IMAGE_MIN": "1s",
                **harness.KEYS,
                **self.settings,
            },
        )
        try:
            logger.wait_text("records to")
            self.lab.wait_end(60)
            if wait_for:
                harness.wait_until(lambda: wait_for(logger.text()), 30, "what the log should say")
            assert logger.end() == 0, logger.text()[-3000:]
        except BaseException:
            logger.kill()
            raise
        return logger.text()

    def end(self):
        self.lab.kill()


@pytest.fixture(name="recorded")
def make_recorded(tmp_path, server, database):
    recorded = Recorded(tmp_path, server, database, ("spot4", "made"))
    yield recorded
    recorded.end()


def doubles_in(value, path=""):
    if isinstance(value, float):
        return [path]
    if isinstance(value, dict):
        return [at for key, inner in value.items() for at in doubles_in(inner, f"{path}.{key}")]
    if isinstance(value, list):
        return [at for inner in value for at in doubles_in(inner, path + "[]")]
    return []


def test_oblogger_makes_it_so_and_again_changes_nothing(recorded, database):
    log = recorded.run(lambda text: "validators set" in text)
    assert log.count("validators set") == 1
    assert state_of(database) == agreed_state()
    log = recorded.run(log="again.log")
    assert "validators set" not in log
    assert state_of(database) == agreed_state()


def test_what_oblogger_writes_is_what_the_page_says(recorded, database):
    recorded.run()
    for name in ("recorders", "streams", "symbols", "images", "changes", "trades", "marks"):
        assert database[name].count_documents({}), name
    for name, agreed in AGREED.items():
        known = set(agreed["validator"]["$jsonSchema"]["properties"])
        assert database[name].find_one({"$nor": [agreed["validator"]]}) is None
        for document in database[name].find():
            assert set(document) <= known, (name, set(document) - known)
            assert doubles_in(document) == []
            if name in OF_A_DAY:
                assert f"/{document['day']:%Y-%m-%d}/" in document["_id"]


def test_an_older_agreement_is_brought_up_to_date(recorded, database):
    """And what an administrator has added stays."""
    database.create_collection("gaps", validator={"$jsonSchema": {"bsonType": "object"}})
    database.create_collection("marks", validator=AGREED["marks"]["validator"])
    database.command("collMod", "marks", validationAction="warn")
    database.images.create_index("day", expireAfterSeconds=864000, name="retention")
    recorded.run(lambda text: "validators set" in text)
    found, agreed = state_of(database), agreed_state()
    assert ("retention", (("day", 1),), 864000) in found["images"][1]
    found["images"][1].remove(("retention", (("day", 1),), 864000))
    assert found == agreed
    options = next(database.list_collections(filter={"name": "marks"}))["options"]
    assert options["validationAction"] == "warn"


@pytest.fixture(name="harmed")
def make_harmed(tmp_path):
    """A server that can be told to fail."""
    server = mongo.make_own_server(tmp_path / "mongo", standalone=True)
    client = server.client()
    recorded = Recorded(tmp_path, server, client.recorded)
    yield recorded
    recorded.end()
    client.close()
    server.end()


@pytest.mark.parametrize("code", [13, 8000, 59, 72, 115, 9])
def test_a_server_that_refuses_it_costs_a_line_and_no_record(harmed, code):
    commands = ["create", "collMod", "createIndexes"]
    harmed.server.fail_point(failCommands=commands, errorCode=code)
    log = harmed.run(lambda text: "validators and indexes are not set" in text)
    line, = [line for line in log.splitlines() if "not set" in line]
    assert " warning: " in line and f"(code {code})" in line
    assert ("schema/mongodb/apply.js" in line) == (code in (13, 8000))
    assert harmed.database.marks.count_documents({})
    harmed.server.no_fail_point()
    harmed.run(lambda text: "validators set" in text, log="again.log")
    assert state_of(harmed.database) == agreed_state()


def test_each_cause_has_a_line_of_its_own(harmed):
    harmed.server.fail_point(failCommands=["createIndexes"], errorCode=85)
    log = harmed.run(lambda text: "an index is missing" in text)
    assert log.count("an index is missing") == 1 and "(code 85)" in log
    assert {name: entry[0] for name, entry in state_of(harmed.database).items()} == {
        name: agreed["validator"] for name, agreed in AGREED.items()
    }


def test_a_connection_that_is_lost_meanwhile_is_tried_again(harmed):
    harmed.server.fail_point(
        mode={"times": 2}, failCommands=["createIndexes"], closeConnection=True
    )
    log = harmed.run(lambda text: "MongoDB: shipping" in text)
    assert log.index("nothing is shipped") < log.index("indexes made")
    assert "not set" not in log and "is missing" not in log
    assert state_of(harmed.database) == agreed_state()
    assert harmed.database.marks.count_documents({})


# ---- what mongosh makes of it ----


def find_mongosh():
    """Its path; where it is not installed it comes out of npm, beside the server for the tests."""
    found = shutil.which("mongosh")
    if found:
        return found
    folder = mongo.STAND_IN.parent / f"mongosh-{MONGOSH}"
    if not (folder / "complete").exists():
        if not shutil.which("npm"):
            pytest.skip("neither mongosh nor npm is installed")
        words = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder)]
        words.append(f"mongosh@{MONGOSH}")
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(words, capture_output=True, text=True, timeout=550, check=False)
        if done.returncode:
            pytest.skip(f"npm could not install mongosh: {done.stderr.strip()[-200:]}")
        (folder / "complete").touch()
    return str(folder / "node_modules" / ".bin" / "mongosh")


@pytest.fixture(scope="module", name="mongosh")
def make_mongosh():
    return find_mongosh()


@pytest.fixture(name="script")
def make_script(mongosh, server, database, tmp_path):
    """Runs one of the scripts: (exit code, output)."""

    def run(name, evaluate=None, uri=None):
        words = [mongosh, "--quiet", "--norc", uri or server.uri(database.name)]
        words += ["--eval", evaluate] * bool(evaluate) + [str(FOLDER / name)]
        home = {**os.environ, "HOME": str(tmp_path)}
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=60, env=home, check=False
        )
        return done.returncode, done.stdout + done.stderr

    return run


def retention_of(database):
    """collection -> seconds, where the server deletes by `day`."""
    found = {}
    for name, (_, indexes) in state_of(database).items():
        found |= {name: seconds for _, key, seconds in indexes if key == (("day", 1),)}
    return found


@pytest.mark.full
def test_the_script_makes_what_oblogger_makes(script, database):
    code, text = script("apply.js")
    assert code == 0 and state_of(database) == agreed_state(), text
    code, text = script("apply.js")
    assert code == 0 and text.split() == f"{database.name}: 16 collections, 0 changes".split()
    database.command("collMod", "gaps", validator={})
    database.images.drop_index("symbol")
    code, text = script("apply.js")
    assert code == 0 and "gaps: validator set" in text and "2 changes" in text
    assert state_of(database) == agreed_state()


@pytest.mark.full
def test_retention_is_set_changed_and_taken_away(script, database):
    assert script("apply.js")[0] == 0
    for days in (90, 90, 30, 2):
        before = retention_of(database)
        code, text = script("retention.js", f"var keepDays = {days}")
        assert code == 0, text
        assert retention_of(database) == {name: days * 86400 for name in OF_A_DAY}
        changes = 0 if before == retention_of(database) else len(OF_A_DAY)
        assert f" {changes} changes" in text
    for wrong in (None, "var keepDays = 1", "var keepDays = -3", "var keepDays = '90'"):
        code, text = script("retention.js", wrong)
        assert code == 1 and "keepDays" in text
    assert script("retention.js", "var keepDays = 0")[0] == 0
    assert state_of(database) == agreed_state()


@pytest.mark.full
def test_a_day_goes_and_the_others_stay(script, database):
    """Within the minute or two that the server takes."""
    assert script("apply.js")[0] == 0
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    today = datetime.datetime(now.year, now.month, now.day)
    days = [today - datetime.timedelta(days=back) for back in range(4)]
    for name in OF_A_DAY:
        for day in days:
            document = full_document(name)
            document["_id"] = document["_id"].replace("2026-11-21", f"{day:%Y-%m-%d}")
            database[name].insert_one({**document, "day": day})
    database.streams.insert_one(full_document("streams"))
    assert script("retention.js", "var keepDays = 2")[0] == 0
    harness.wait_until(
        lambda: not any(database[n].count_documents({"day": {"$lt": days[1]}}) for n in OF_A_DAY),
        150,
        "the older days are gone",
    )
    for name in OF_A_DAY:
        assert sorted(database[name].distinct("day")) == sorted(days[:2]), name
    assert database.streams.count_documents({}) == 1


@pytest.mark.full
def test_sharding_names_the_key_and_refuses_where_there_are_no_shards(script, database):
    assert script("apply.js")[0] == 0
    code, text = script("sharding.js", "var dryRun = true")
    assert code == 0
    told = re.findall(r'^sh\.shardCollection\("(\S+)", (\{.*\})\)$', text, re.M)
    assert sorted(name for name, _ in told) == sorted(f"{database.name}.{n}" for n in OF_A_DAY)
    assert {key for _, key in told} == {'{"recorder":1,"day":1,"_id":1}'}
    code, text = script("sharding.js")
    assert code == 1 and "no mongos" in text
    assert state_of(database) == agreed_state()


@pytest.mark.full
@pytest.mark.parametrize("name", ["apply.js", "retention.js", "sharding.js"])
def test_a_database_that_nobody_named_is_left_alone(script, server, name):
    with server.client() as client:
        before = client.test.list_collection_names()
        code, text = script(name, uri=server.uri())
        assert code == 1 and "name the database" in text
        assert client.test.list_collection_names() == before
