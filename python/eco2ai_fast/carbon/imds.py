"""Ask the cloud's instance metadata service for the region: one provider, 0.3 s, in a thread of its own.

Only `detect="imds"` comes here, and only for the provider that DMI names.
"""

from __future__ import annotations

import time

from .region_cache import remember

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import threading

BASE_URL = (
    "http://169.254.169.254"  # link-local, the same address for AWS, Azure and Google: no name to resolve
)
BUDGET_S = 0.3
MAX_ANSWER = 8192  # bytes; a region has twenty

# Per provider: the path whose body names the region, and the headers that it wants.
_QUESTIONS = {
    "aws": ("/latest/meta-data/placement/region", {}),
    "azure": ("/metadata/instance/compute/location?api-version=2021-08-01&format=text", {"Metadata": "true"}),
    "gcp": ("/computeMetadata/v1/instance/zone", {"Metadata-Flavor": "Google"}),
}
_AWS_TOKEN = "/latest/api/token"


class MetadataError(Exception):
    """The service did not answer as it should; the message says what it did."""


class Probe:
    """One question, asked in a daemon thread from the moment this is made."""

    def __init__(
        self, provider: str, boot_id: str, base_url: str = BASE_URL, budget_s: float = BUDGET_S
    ) -> None:
        import threading  # only whoever asks for a probe pays for it

        self.provider = provider
        self.region = ""
        self.error = ""
        self._boot_id = boot_id
        self._thread: threading.Thread = threading.Thread(
            target=self._run, args=(base_url, budget_s), name="eco2ai_fast-imds", daemon=True
        )
        self._thread.start()

    def wait(self, timeout_s: float = BUDGET_S) -> str:
        """The region, "" while it is not known, after at most `timeout_s`."""
        self._thread.join(timeout_s)
        return self.region

    def _run(self, base_url: str, budget_s: float) -> None:
        try:
            self.region = ask(self.provider, base_url, budget_s)
            remember(self._boot_id, self.provider, self.region)
        except (OSError, MetadataError) as why:
            self.error = str(why)


def ask(provider: str, base_url: str = BASE_URL, budget_s: float = BUDGET_S) -> str:
    """The region in which this machine runs, asked over HTTP.

    Raises MetadataError or OSError; TimeoutError, an OSError, when `budget_s` is over.
    """
    deadline_s = time.monotonic() + budget_s
    path, headers = _QUESTIONS[provider]
    if provider == "aws":  # IMDSv2: a token first
        token = _http("PUT", base_url, _AWS_TOKEN, {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, deadline_s)
        headers = {"X-aws-ec2-metadata-token": token}
    answer = _http("GET", base_url, path, headers, deadline_s)
    if provider == "gcp":  # projects/123/zones/europe-west1-b
        answer = answer.rpartition("/")[2].rpartition("-")[0]
    region = answer.lower()
    if not region or not region.isascii() or not region.replace("-", "").isalnum():
        raise MetadataError(f"{provider}: {answer[:40]!r} is no region")
    return region


def _http(method: str, base_url: str, path: str, headers: dict[str, str], deadline_s: float) -> str:
    """The body of a 200 answer. HTTP/1.0 by hand: http.client costs 10 ms of import, and knows proxies."""
    import socket

    host, _, port = base_url.removeprefix("http://").partition(":")
    lines = [
        f"{method} {path} HTTP/1.0",
        f"Host: {host}",
        *(f"{key}: {value}" for key, value in headers.items()),
    ]
    if method == "PUT":
        lines.append("Content-Length: 0")
    with socket.create_connection((host, int(port or 80)), timeout=_left_s(deadline_s)) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
        answer = _receive(connection, deadline_s).decode("utf-8", "replace")
    head, _, body = answer.partition("\r\n\r\n")
    status = head.partition("\r\n")[0].split()
    if len(status) < 2 or status[1] != "200":
        raise MetadataError(f"{method} {path}: {' '.join(status)[:60] or 'no answer'}")
    return body.strip()


def _receive(connection: socket.socket, deadline_s: float) -> bytes:
    received = b""
    while len(received) < MAX_ANSWER:
        connection.settimeout(_left_s(deadline_s))
        part = connection.recv(MAX_ANSWER)
        if not part:
            break
        received += part
    return received


def _left_s(deadline_s: float) -> float:
    left = deadline_s - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time for the instance metadata service is over")
    return left
