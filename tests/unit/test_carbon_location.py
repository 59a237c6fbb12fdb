"""Where a process runs: who may say so, in which order, and what no one is asked unless told to."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from eco2ai_fast import carbon, settings
from eco2ai_fast.carbon import imds, location, machine, region_cache

BOOT = "2f1c7f2e-0000-4000-8000-000000000001"
ZONE_TAB = "# country\tcoordinates\tTZ\nFR\t+4852+00220\tEurope/Paris\nAQ\t-90+0\tAntarctica/Troll\n"


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing configured, no cache, no probe left over, and no way out: a connection to elsewhere fails the
    test."""
    for name in [name for name in os.environ if name.startswith("ECO2AI_FAST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(settings, "_configured", {})
    monkeypatch.setattr(location, "_probe", None)
    monkeypatch.setattr(machine, "_countries", {})
    connect = socket.create_connection

    def only_loopback(address: tuple[str, int], timeout: float | None = None) -> socket.socket:
        assert address[0] == "127.0.0.1", f"a packet to {address}"
        return connect(address, timeout)

    monkeypatch.setattr(socket, "create_connection", only_loopback)


def tree(root: Path, **files: str) -> str:
    """A machine's files: names with __ for /, e.g. sys__class__dmi__id__sys_vendor."""
    for name, text in {"proc__sys__kernel__random__boot_id": BOOT, **files}.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return str(root)


def ec2(root: Path, **files: str) -> str:
    return tree(root, sys__class__dmi__id__sys_vendor="Amazon EC2", **files)


class Metadata(BaseHTTPRequestHandler):
    """The three services in one: each answers only to the headers that the real one wants."""

    def do_PUT(self) -> None:
        self._answer("token-7" if self.path == "/latest/api/token" else "")

    def do_GET(self) -> None:
        if (
            self.path == "/latest/meta-data/placement/region"
            and self.headers["X-aws-ec2-metadata-token"] == "token-7"
        ):
            self._answer("eu-west-3")
        elif (
            self.path.startswith("/metadata/instance/compute/location?")
            and self.headers["Metadata"] == "true"
        ):
            self._answer("westeurope")
        elif self.path == "/computeMetadata/v1/instance/zone" and self.headers["Metadata-Flavor"] == "Google":
            self._answer("projects/12/zones/europe-west1-b")
        else:
            self._answer("")

    def _answer(self, text: str) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200 if text else 401)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def service() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Metadata) as server:
        server.asked = []  # type: ignore[attr-defined]
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def url(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


def test_nothing_known_is_the_world_not_a_country(tmp_path: Path) -> None:
    found = carbon.locate(sysroot=tree(tmp_path), environ={})
    assert (found.zone, found.found_by) == (None, "default")


def test_named_zone_outranks_every_hint(tmp_path: Path) -> None:
    root = ec2(tmp_path, etc__timezone="Europe/Paris", usr__share__zoneinfo__zone="")
    found = carbon.locate("SE", detect="dmi", sysroot=root, environ={"AWS_REGION": "eu-west-3"})
    assert (found.zone, found.found_by) == ("SE", "argument")


@pytest.mark.parametrize("how", ["variable", "link", "file"])
def test_time_zone_is_a_guess_that_says_so(tmp_path: Path, how: str) -> None:
    root = tree(tmp_path)
    table = tmp_path / "usr/share/zoneinfo/zone.tab"
    table.parent.mkdir(parents=True)
    table.write_text(ZONE_TAB)
    (tmp_path / "etc").mkdir()
    environ = {}
    if how == "variable":
        environ["TZ"] = ":Europe/Paris"
    elif how == "link":
        (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Paris")
    else:
        (tmp_path / "etc/timezone").write_text("Europe/Paris\n")
    found = carbon.locate(sysroot=root, environ=environ)
    assert (found.zone, found.found_by) == ("FR", "guess: time zone Europe/Paris")
    assert carbon.intensity(found.zone, origin=found.found_by).is_guess


@pytest.mark.parametrize("name", ["Etc/UTC", "Antarctica/Troll", "Nowhere/Land"])
def test_time_zone_without_a_country_of_ours_is_no_guess(tmp_path: Path, name: str) -> None:
    root = tree(tmp_path, usr__share__zoneinfo__zone="")
    (tmp_path / "usr/share/zoneinfo/zone.tab").write_text(ZONE_TAB)
    assert carbon.locate(sysroot=root, environ={"TZ": name}).zone is None


@pytest.mark.parametrize(
    ("path", "text", "provider"),
    [
        ("sys/class/dmi/id/sys_vendor", "Amazon EC2", "aws"),
        ("sys/class/dmi/id/product_uuid", "EC2E1916-9099-7CAF-FD21-012345ABCDEF", "aws"),
        ("sys/hypervisor/uuid", "ec2a1b2c-0000", "aws"),
        ("sys/class/dmi/id/product_name", "Google Compute Engine", "gcp"),
        ("sys/class/dmi/id/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", "azure"),
        ("sys/class/dmi/id/sys_vendor", "LENOVO", ""),
    ],
)
def test_dmi_names_the_provider(tmp_path: Path, path: str, text: str, provider: str) -> None:
    assert machine.cloud_provider(tree(tmp_path, **{path.replace("/", "__"): text})) == provider


def test_region_variable_counts_only_on_a_machine_of_that_provider(tmp_path: Path) -> None:
    environ = {"AWS_REGION": "eu-west-3"}
    laptop = tree(tmp_path / "laptop", sys__class__dmi__id__sys_vendor="LENOVO")
    assert carbon.locate(detect="dmi", sysroot=laptop, environ=environ).zone is None
    found = carbon.locate(detect="dmi", sysroot=ec2(tmp_path / "ec2"), environ=environ)
    assert (found.zone, found.found_by) == ("aws:eu-west-3", "guess: AWS_REGION on a machine of aws")
    assert carbon.locate(sysroot=str(tmp_path / "ec2"), environ=environ).zone is None  # off by default


@pytest.mark.parametrize(
    ("provider", "region"), [("aws", "eu-west-3"), ("azure", "westeurope"), ("gcp", "europe-west1")]
)
def test_metadata_service_is_asked_the_way_it_wants(
    service: ThreadingHTTPServer, provider: str, region: str
) -> None:
    assert imds.ask(provider, url(service), budget_s=5) == region


def test_imds_asks_in_a_thread_and_a_later_call_has_the_answer(
    tmp_path: Path, service: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imds, "BASE_URL", url(service))
    monkeypatch.setattr(imds, "BUDGET_S", 5.0)
    root = ec2(tmp_path)
    found = carbon.locate(detect="imds", sysroot=root, environ={}, wait_s=5)
    assert (found.zone, found.found_by) == ("aws:eu-west-3", "instance metadata")
    assert carbon.locate(sysroot=root, environ={}).found_by == "cached: instance metadata of this boot"
    assert service.asked == ["/latest/api/token", "/latest/meta-data/placement/region"]  # type: ignore[attr-defined]


def test_imds_asks_no_one_where_dmi_names_no_provider(tmp_path: Path, service: ThreadingHTTPServer) -> None:
    root = tree(tmp_path, sys__class__dmi__id__sys_vendor="LENOVO")
    assert carbon.locate(detect="imds", sysroot=root, environ={}, wait_s=1).zone is None
    assert service.asked == []  # type: ignore[attr-defined]


def test_service_that_swallows_packets_costs_no_more_than_the_budget() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        probe = imds.Probe("azure", BOOT, f"http://127.0.0.1:{silent.getsockname()[1]}", budget_s=0.05)
        assert probe.wait(timeout_s=30) == ""
    assert "time" in probe.error
    assert region_cache.recall(BOOT) == ""


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.0 404 gone\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n<html>", b"\xff" * 99]
)
def test_answer_that_is_no_region_is_an_error_not_a_place(answer: bytes) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def reply() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        Thread(target=reply, daemon=True).start()
        with pytest.raises(imds.MetadataError):
            imds.ask("azure", f"http://127.0.0.1:{listener.getsockname()[1]}", budget_s=5)


def test_region_of_another_boot_or_unknown_to_us_is_not_believed(tmp_path: Path) -> None:
    root = tree(tmp_path)
    region_cache.remember("another boot", "aws", "eu-west-3")
    assert carbon.locate(sysroot=root, environ={}).zone is None
    region_cache.remember(BOOT, "aws", "mars-north-1")
    assert carbon.locate(sysroot=root, environ={}).zone is None
    (tmp_path / "cache/eco2ai_fast/region").write_bytes(b"\xff\xfe")
    assert carbon.locate(sysroot=root, environ={}).zone is None


def test_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, service: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file where the directory should be")
    probe = imds.Probe("azure", BOOT, url(service), budget_s=5)
    assert probe.wait(30) == "westeurope"


def test_here_answers_with_the_place_and_who_named_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECO2AI_FAST_SYSROOT", tree(tmp_path))
    monkeypatch.setenv("TZ", "UTC")
    world = carbon.here()
    assert (world.zone, world.found_by, world.is_guess) == ("WORLD", "default", True)
    region_cache.remember(BOOT, "aws", "eu-west-3")
    france = carbon.here()
    assert (france.zone, france.found_by) == ("FR", "cached: instance metadata of this boot")
