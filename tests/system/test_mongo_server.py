"""The tests' own server does what the tests of the database build on."""

import pytest

import harness
import mongo


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = mongo.make_own_server(tmp_path_factory.mktemp("server"))
    yield made
    made.end()


def test_what_was_acknowledged_as_journaled_is_there_after_a_kill(server):
    """What was not may be lost: a shipper that does not ask for it is found out by kills."""
    with server.client(w="majority", journal="true") as client:
        for number in range(50):
            client.kept.rows.insert_one({"_id": number})
        server.kill()
        server.start()
        assert client.kept.rows.count_documents({}) == 50


def test_a_pause_is_a_stall_and_ends(server):
    server.pause()
    with pytest.raises(mongo.pymongo.errors.PyMongoError):
        with server.client(socketTimeoutMS=500, serverSelectionTimeoutMS=500) as client:
            client.admin.command("ping")
    server.resume()
    with server.client() as client:
        assert client.admin.command("ping")["ok"]


def test_a_fail_point_fails_and_is_taken_away(server):
    server.fail_point(failCommands=["insert"], errorCode=14031)
    with server.client(retryWrites="false") as client:
        with pytest.raises(mongo.pymongo.errors.OperationFailure) as refusal:
            client.kept.rows.insert_one({"_id": "refused"})
        assert refusal.value.code == 14031
        server.no_fail_point()
        client.kept.rows.insert_one({"_id": "refused"})


def test_passwords_certificates_and_rights_are_asked_for(tmp_path):
    server = mongo.make_own_server(tmp_path / "server", auth=True, tls=True, standalone=True)
    try:
        with server.client() as client:
            assert "setName" not in client.admin.command("hello")
        stranger, _, _ = mongo.make_certificates(tmp_path, "stranger")
        server.add_user("reader", "kept", ["find"])
        quick = {"serverSelectionTimeoutMS": 1500}
        for uri in (
            server.uri(password="wrong", **quick),
            server.uri(tlsCAFile=stranger, **quick),
            server.uri(tls="false", **quick),
            server.uri(user="reader", **quick),
        ):
            with pytest.raises(mongo.pymongo.errors.PyMongoError):
                with mongo.pymongo.MongoClient(uri) as client:
                    client.kept.rows.insert_one({})
    finally:
        server.end()


def test_the_tap_loses_an_answer_and_not_the_deed(server):
    tap = mongo.Tap(server.port)
    try:
        uri = server.uri(address=tap.address, directConnection="true", retryWrites="false")
        with mongo.pymongo.MongoClient(uri) as client:
            tap.lose_answers("insert", 1)
            with pytest.raises(mongo.pymongo.errors.ConnectionFailure):
                client.tapped.rows.insert_one({"_id": 1})
            assert client.tapped.rows.find_one() == {"_id": 1}
        assert tap.lost == ["insert"]
        assert [c for c in tap.commands if c.get("find") == "rows"]
    finally:
        tap.end()


def document_of(row):
    payload = row["value"]
    checksum = mongo.xxhash.XXH64(payload, len(payload), 0)
    return {"recorder": "main", "payload": payload, "checksum": mongo.bson.int64.Int64(checksum)}


def test_a_database_that_differs_is_found_out(server, tmp_path):
    """A copy made here has no difference; each harm to it is one."""
    lab = harness.Lab(tmp_path, ["spot4"])
    try:
        logger = harness.Logger(tmp_path, lab, harness.SYMBOLS["spot4"], tmp_path / "store")
        lab.wait_end(60)
        assert logger.end() == 0
    finally:
        lab.end()
    with server.client() as client:
        database = client.copied
        for (collection, id_), row in mongo.expected_documents(logger.store).items():
            database[collection].insert_one({"_id": id_, **document_of(row)})
        assert mongo.differences(logger.store, database) == []
        assert mongo.shipped_wrong(logger.store, database) == []
        image = database.images.find_one()
        database.images.delete_one({"_id": image["_id"]})
        assert len(mongo.differences(logger.store, database)) == 1
        database.changes.insert_one({**image, "_id": image["_id"] + "/0000000000000009"})
        assert len(mongo.differences(logger.store, database)) == 2
        assert len(mongo.shipped_wrong(logger.store, database)) == 1
        database.images.insert_one({**image, "payload": image["payload"][:-1] + b"\x00"})
        # of that one both the payload and its checksum
        assert len(mongo.differences(logger.store, database)) == 3
        database.marks.delete_many({})
        assert len(mongo.differences(logger.store, database)) > 6
