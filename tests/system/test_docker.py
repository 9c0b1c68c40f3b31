"""What docker/ ships: the image is built and run without a registry as compose.yaml says; and that
file, with what it names, agrees with the rest of the tree."""

import hashlib
import hmac
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time

import pytest

import containers
import harness
import reference
from containers import IMAGE, podman
from test_kill import check_exact, sent_before

yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")

ROOT = harness.ROOT
DOCKER = ROOT / "docker"
OWNER = 6634
NAME = "us10"


def compose():
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def settings():
    """name -> is it a secret?"""
    found = re.findall(
        r'\{"([A-Z0-9_]+)",\s*(SETTING_\w+)', (ROOT / "base/settings_table.c").read_text()
    )
    assert len(found) > 20
    return {name: kind == "SETTING_SECRET" for name, kind in found}


def published(service):
    return [str(port).rsplit(":", 2) for port in service.get("ports", [])]


def mounts(service):
    """(what, where) of each volume, in the short and the long form."""
    for volume in service.get("volumes", []):
        if isinstance(volume, dict):
            yield volume["source"], volume["target"]
        else:
            yield tuple(volume.split(":")[:2])


# ---- what the files say ----


def test_compose_names_settings_that_exist():
    known, environment = settings(), compose()["services"]["oblogger"]["environment"]
    names = known.keys() | {f"{name}_FILE" for name, secret in known.items() if secret}
    assert environment.keys() <= names
    plain = [name for name, secret in known.items() if secret and environment.get(name)]
    assert plain == ["MONGODB_ENDPOINT"] and "@" in environment["MONGODB_ENDPOINT"]
    assert not re.search(r"//[^/]*:[^/]*@", environment["MONGODB_ENDPOINT"]), "a password"


def test_every_service_of_compose_is_locked_up():
    services = compose()["services"]
    assert set(services) == {"oblogger", "mongodb", "prometheus", "grafana"}
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"] and "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert name == "oblogger" or int(service["user"].split(":")[0]) > 0, name
        assert {address for address, _, _ in published(service)} <= {"127.0.0.1"}, name


def test_the_ports_of_compose_are_those_that_the_logger_opens():
    service = compose()["services"]["oblogger"]
    environment = service["environment"]
    doors = {environment["MANAGER_PORT"], environment["METRICS_PORT"]}
    assert {inside for _, _, inside in published(service)} == doors
    assert {outside for _, outside, _ in published(service)} == doors
    assert environment["MANAGER_PORT"] == "6634"


def test_what_compose_mounts_is_there(tmp_path):
    made = compose()
    subprocess.run([DOCKER / "make-secrets", tmp_path / "secrets"], check=True, timeout=60)
    ignored = (DOCKER / ".gitignore").read_text().split()
    for name, secret in made["secrets"].items():
        assert secret["file"] == f"./secrets/{name}" and "/secrets/" in ignored
        assert (tmp_path / "secrets" / name).stat().st_size > 30
    used = set()
    for service in made["services"].values():
        used |= set(service.get("secrets", []))
        for name, value in service["environment"].items() if "environment" in service else ():
            if str(value).startswith("/run/secrets/"):
                assert value.removeprefix("/run/secrets/") in service["secrets"], name
        for source, _ in mounts(service):
            if source == "../vars.env":
                source = "../vars.env.example"
            assert source in made["volumes"] or (DOCKER / source).exists(), source
    assert used == set(made["secrets"])


def test_prometheus_and_grafana_find_each_other():
    made = compose()
    services = made["services"]
    port = services["oblogger"]["environment"]["METRICS_PORT"]
    scraped = yaml.safe_load((DOCKER / "prometheus.yml").read_text())
    targets = [job["static_configs"][0]["targets"] for job in scraped["scrape_configs"]]
    assert targets == [[f"oblogger:{port}"]]
    example = yaml.safe_load((ROOT / "docs/monitoring/prometheus.yml").read_text())
    named = [[job["job_name"] for job in one["scrape_configs"]] for one in (scraped, example)]
    assert named[0] == named[1]  # the rules ask for it
    inside = {where for _, where in mounts(services["prometheus"])}
    assert set(scraped["rule_files"]) <= inside
    source = yaml.safe_load((DOCKER / "grafana/datasource.yml").read_text())["datasources"][0]
    assert source["url"] == "http://prometheus:9090" and source["type"] == "prometheus"
    provider = yaml.safe_load((DOCKER / "grafana/dashboards.yml").read_text())["providers"][0]
    folder = provider["options"]["path"]
    shown = [what for what, where in mounts(services["grafana"]) if where.startswith(folder + "/")]
    assert len(shown) == 1 and json.loads((DOCKER / shown[0]).read_text())["panels"]
    for one, other in (("oblogger", "prometheus"), ("prometheus", "grafana")):
        assert set(services[one]["networks"]) & set(services[other]["networks"])


def test_the_database_makes_the_user_that_the_logger_is():
    services = compose()["services"]
    endpoint = services["oblogger"]["environment"]["MONGODB_ENDPOINT"]
    user, database = re.fullmatch(
        r"mongodb://(\w+)@mongodb/(\w+)\?authSource=admin", endpoint
    ).groups()
    script = (DOCKER / "mongodb-init.js").read_text()
    assert f'user: "{user}"' in script and 'getSiblingDB("admin")' in script
    assert set(re.findall(r'db: "(\w+)"', script)) == {database}
    assert "/run/secrets/mongodb_password" in script
    assert "mongodb_password" in services["mongodb"]["secrets"]


def test_compose_is_valid():
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and not subprocess.run(
            [*command, "version"], capture_output=True, check=False
        ).returncode:
            break
    else:
        pytest.skip("neither docker compose nor docker-compose is installed")
    done = subprocess.run(
        [*command, "-f", DOCKER / "compose.yaml", "config", "-q"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def dockerfile():
    return re.sub(r"\\\n", " ", (DOCKER / "Dockerfile").read_text())


def test_the_image_is_built_with_what_setup_installs():
    setup = (ROOT / "tools/setup").read_text()
    lists = re.findall(r'^(?:build|libraries)="([^"]*)"', setup, re.M)
    assert len(lists) == 2
    tools = re.search(r"AS tools\s+RUN (.*)", dockerfile()).group(1).split()
    assert set(" ".join(lists).split()) - set(tools) == set()


def test_the_build_does_not_see_settings_secrets_and_records():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    hidden = {line for line in lines if not line.startswith("#")}
    assert hidden >= {".*", "build", "docker", "orderbooks", "**/*.env", "**/*.pem"}
    assert not [line for line in hidden if line.startswith("!")]
    # all that is not kept in the tree, as .gitignore has it
    kept_out = {line.strip("/") for line in (ROOT / ".gitignore").read_text().split()}
    assert kept_out <= {line.removeprefix("**/") for line in hidden} | {".pytest_cache"}


# ---- the image ----


@pytest.fixture(scope="module")
def image():
    containers.require()
    containers.make_image()
    return json.loads(podman("image", "inspect", IMAGE).stdout)[0]


# Limits that the machine may be below of are given; there is no systemd for timers of health.
RUN = ("--no-healthcheck", "--ulimit", "nofile=20000:20000", "--ulimit", "nproc=20000:20000")


def run_once(*arguments, program=None, expect=0):
    entry = ["--entrypoint", program] if program else []
    return podman(
        *("run", "--rm", *RUN, "--network", "none", "--read-only", *entry, IMAGE, *arguments),
        expect=expect,
    )


@pytest.mark.full
def test_the_image_says_who_and_how(image):
    config = image["Config"]
    assert config["User"] == f"{OWNER}:{OWNER}"
    assert config["StopSignal"] in ("SIGTERM", "15")
    assert list(config["Volumes"]) == ["/var/lib/oblogger"]
    assert "STORE=/var/lib/oblogger" in config["Env"]
    health = compose()["services"]["oblogger"]["healthcheck"]["test"]
    assert (image.get("Healthcheck") or config["Healthcheck"])["Test"] == health
    assert not [line for line in config["Env"] if re.match(r"\w*(KEY|SECRET|PASS)", line)]


@pytest.mark.full
def test_the_image_holds_what_runs_and_no_tools(image):
    packages = run_once("-W", "-f", "${Package}\n", program="dpkg-query").stdout.split()
    assert "libwebsockets17" in packages
    assert not [name for name in packages if re.search(r"-dev$|^gcc$|^cmake|^make$|^git", name)]
    install = (ROOT / "cmake/install.cmake").read_text()
    programs = re.search(r"set\(programs ([^)]*)\)", install).group(1).split()
    assert {"oblogger", "obmanage", "obrebuild"} <= set(programs)
    for program in programs:
        assert run_once("--version", program=program).stdout.startswith(program)
    # the module of the database is found, and all that it is linked with
    asked = run_once("--mongodb", "mongodb://127.0.0.1:1/x", "list", program="obrebuild", expect=1)
    assert "No suitable servers" in asked.stderr
    # what came with the build is not in any layer
    assert run_once("/src", "/tree", program="ls", expect=2).stdout == ""


@pytest.mark.full
def test_the_settings_are_those_of_the_service(image, tmp_path):
    wrong = tmp_path / "vars.env"
    wrong.write_text("SYMBOLS=binance:BTCUSDT\nIMAGE_DEPTH=7000\n")
    mount = ("-v", f"{wrong}:/etc/oblogger/vars.env:ro")
    done = podman("run", "--rm", *RUN, "--network", "none", *mount, IMAGE, "--check", expect=2)
    assert "IMAGE_DEPTH=7000 (/etc/oblogger/vars.env, line 2)" in done.stderr
    wrong.write_text("SYMBOLS=binance:BTCUSDT\n")
    podman("run", "--rm", *RUN, "--network", "none", *mount, IMAGE, "--check")


# ---- the logger in it ----


class Container:
    """The logger as compose.yaml runs it, without the database, before a laboratory."""

    def __init__(self, directory, lab):
        self.store, self.name = directory / "store", f"oblogger-test-{os.getpid()}"
        self.secrets = directory / "secrets"
        self.store.mkdir(mode=0o2770)
        os.chown(self.store, OWNER, OWNER)
        self.store.chmod(0o2770)
        subprocess.run([DOCKER / "make-secrets", self.secrets], check=True, timeout=60)
        vars_env = directory / "vars.env"
        symbols = ",".join("binance:" + symbol for symbol in harness.SYMBOLS[NAME])
        example = (ROOT / "vars.env.example").read_text()
        vars_env.write_text(example.replace("\nSYMBOLS=\n", f"\nSYMBOLS={symbols}\n"))
        service = compose()["services"]["oblogger"]
        options = ["--network", "host", "--name", self.name, *RUN]
        options += ["--read-only", "--read-only-tmpfs=false"] if service["read_only"] else []
        options += [f"--cap-drop={name}" for name in service["cap_drop"]]
        options += ["--security-opt", "no-new-privileges"]
        environment = {
            name: value
            for name, value in service["environment"].items()
            if not name.startswith("MONGODB_")
        }
        environment |= {name: url for name, url in lab.env.items() if name != "CA_FILE"}
        environment["CA_FILE"] = "/run/secrets/laboratory"
        for name, value in environment.items():
            options += ["-e", f"{name}={value}"]
        places = {str(self.store): "/var/lib/oblogger"}
        places[f"{vars_env}"] = "/etc/oblogger/vars.env:ro"
        places[f"{lab.ca}"] = "/run/secrets/laboratory:ro"
        for name in service["secrets"]:
            places[f"{self.secrets / name}"] = f"/run/secrets/{name}:ro"
        for what, where in places.items():
            options += ["-v", f"{what}:{where}"]
        podman("run", "-d", *options, IMAGE)

    def execute(self, *command, expect=0, **environment):
        given = [f"--env={name}={value}" for name, value in environment.items()]
        return podman("exec", *given, self.name, *command, expect=expect)

    def beside(self, program, *arguments):
        """What another container says that sees the logger's processes and its store."""
        options = ("--pid", f"container:{self.name}", "-v", f"{self.store}:/var/lib/oblogger")
        return podman("run", "--rm", *RUN, *options, "--entrypoint", program, IMAGE, *arguments)

    def state(self):
        return json.loads(podman("inspect", self.name).stdout)[0]["State"]

    def logs(self):
        done = podman("logs", self.name, expect=None)
        return done.stdout + done.stderr

    def states(self):
        """symbol -> state, as the manager tells."""
        done = self.execute("obmanage", "--json", "status", expect=None)
        lines = done.stdout.splitlines() if not done.returncode else []
        return {row["symbol"]: row["state"] for row in map(json.loads, lines)}

    def remove(self):
        podman("rm", "-f", "-t", "5", self.name, expect=None)


def check_process(logger):
    """The logger is the first process, no root, without rights, over a root that is read-only."""
    status = dict(
        line.split(":\t", 1)
        for line in logger.execute("cat", "/proc/1/status").stdout.splitlines()
        if ":\t" in line
    )
    assert status["Name"] == "oblogger"
    assert status["Uid"].split() == status["Gid"].split() == [str(OWNER)] * 4
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    table = logger.execute("cat", "/proc/mounts").stdout.splitlines()
    root = [line.split() for line in table if line.split()[1] == "/"][-1]
    assert "ro" in root[3].split(",")
    socket_file = logger.store / "manager.sock"
    assert socket_file.is_socket() and socket_file.stat().st_mode & 0o777 == 0o660
    assert socket_file.stat().st_uid == OWNER


def check_health(image, logger):
    """The check of the image passes; so do readers beside the writer, here and from next door."""
    test = (image.get("Healthcheck") or image["Config"]["Healthcheck"])["Test"]
    logger.execute(*test[1:])
    logger.execute(*test[1:], MANAGER_SOCKET="/nowhere", expect=1)
    for ask in (logger.execute, logger.beside):
        rows = ask("obrebuild", "list", "--output", "json").stdout.splitlines()
        assert {json.loads(row)["symbol"] for row in rows} == set(harness.SYMBOLS[NAME])


def proof(key, nonce):
    message = b"oblogger control 1 " + nonce.encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def check_manager(logger):
    """The port of the manager: TLS with the certificate of make-secrets, and the key."""
    trust = ssl.create_default_context(cafile=logger.secrets / "manager_tls_cert")
    key = (logger.secrets / "manager_authkey").read_bytes().strip()
    with socket.create_connection(("127.0.0.1", 6634), timeout=10) as plain:
        with trust.wrap_socket(plain, server_hostname="localhost") as door:
            lines = door.makefile("rw", encoding="utf-8", newline="\n")
            hello = json.loads(lines.readline())
            for request in ({"proof": proof(key, hello["nonce"])}, {"command": "ping"}):
                lines.write(json.dumps(request) + "\n")
                lines.flush()
                answer = json.loads(lines.readline())
                if "command" not in request:
                    assert answer == {"end": 0}
            assert answer["pid"] == 1
    command = ("obmanage", "--json", "--host", "localhost", "ping")
    told = logger.execute(*command, CA_FILE="/run/secrets/manager_tls_cert")
    assert json.loads(told.stdout)["pid"] == 1
    logger.execute(*command, CA_FILE="/run/secrets/laboratory", expect=1)


def fetch(path):
    connection = http.client.HTTPConnection("127.0.0.1", 9464, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def check_pages():
    assert fetch("/healthz")[0] == 200
    assert fetch("/readyz")[0] == 200
    status, text = fetch("/metrics")
    assert status == 200 and "\noblogger_" in text


def stop(logger):
    """Ends it as Docker does. The moment before."""
    before_ns, began = time.time_ns(), time.monotonic()
    podman("stop", "-t", "10", logger.name)
    seconds = time.monotonic() - began
    assert logger.state()["ExitCode"] == 0, logger.logs()[-3000:]
    assert seconds < 2, f"{seconds:.2f} s"
    assert "stopped in order, everything is written" in logger.logs()
    return before_ns


def check_record(store, lab, before_ns):
    """All that the laboratory sent before that moment is there, as it was sent."""
    newest = sent_before(lab, before_ns)
    events = reference.emitted(lab.journal())
    stored = check_exact(store, events, reference.snapshots(harness.capture_path(NAME)))
    for symbol, ids in stored.items():
        assert ids[-1] >= newest[symbol], symbol
        sent = [event["u"] for event in events[symbol] if ids[0] <= event["u"] <= ids[-1]]
        assert ids == sent, symbol
    for row in harness.rows(store, "coverage", "--kind", "l2"):
        assert row["gaps"] == [], row
    assert sum(map(len, stored.values())) > 300


@pytest.mark.full
@pytest.mark.alone
def test_the_logger_in_its_container(image, tmp_path):
    with containers.alone_on_loopback():
        lab = harness.Lab(tmp_path, [NAME], "--loop", "60", speed=20)
        logger = None
        try:
            logger = Container(tmp_path, lab)
            wanted = dict.fromkeys(harness.SYMBOLS[NAME], "live")
            harness.wait_until(lambda: logger.states() == wanted, 60, "every book is live")
            time.sleep(2)
            check_process(logger)
            check_health(image, logger)
            check_manager(logger)
            check_pages()
            before_ns = stop(logger)
            check_record(logger.store, lab, before_ns)
        except AssertionError:
            print(logger.logs()[-3000:] if logger else "")
            raise
        finally:
            if logger:
                logger.remove()
            lab.end()
