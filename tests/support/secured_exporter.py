"""A real exporter process behind a `--web.config.file`, and the certificates for it."""

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import bcrypt
import psutil
import requests
import trustme

from exporter.stack.ports import free_ports
from tests.support.waiting import wait_for

USER, PASSWORD = "prometheus", "geheim ジ"


@dataclass(frozen=True)
class Certificates:
    """An authority's certificates, as files in one folder."""

    folder: Path
    authority: trustme.CA

    @classmethod
    def made_in(cls, folder: Path) -> "Certificates":
        """An authority, a server's pair and a client's."""
        made = cls(folder, trustme.CA())
        made.authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        made.renew_server()
        made.client("client", "prometheus.example")
        made.client("stranger", "stranger.example")
        return made

    def renew_server(self) -> None:
        """Another certificate and key for the server, under the same names."""
        pair = self.authority.issue_cert("127.0.0.1", "exporter.example")
        for name, blob in (("server.crt", pair.cert_chain_pems[0]), ("server.key", pair.private_key_pem)):
            (self.folder / f"{name}.new").write_bytes(blob.bytes())
            (self.folder / f"{name}.new").replace(self.folder / name)

    def client(self, name: str, identity: str) -> None:
        """A client's pair, in NAME.crt and NAME.key."""
        pair = self.authority.issue_cert(identity)
        (self.folder / f"{name}.crt").write_bytes(pair.cert_chain_pems[0].bytes())
        (self.folder / f"{name}.key").write_bytes(pair.private_key_pem.bytes())


def hashed(password: str) -> str:
    """A cheap bcrypt hash, as htpasswd spells it."""
    made = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    return made.replace("$2b$", "$2y$")


class ExporterProcess:
    """`soak exporter` on free loopback ports from entering to leaving."""

    def __init__(self, folder: Path, *options: str, host: str = "127.0.0.1") -> None:
        ports = free_ports()
        self.port, self.ingest_port = ports.exporter, ports.ingest
        self.log = folder / "exporter.log"
        self._command = [sys.executable, "-m", "exporter.cli", "exporter"]
        self._command += ["--web.listen-address", f"{host}:{self.port}"]
        self._command += ["--ingest.listen-address", f"127.0.0.1:{self.ingest_port}"]
        self._command += ["--ingest.state-file", "", *options]

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env={**os.environ, "ROUTER_URL": "http://127.0.0.1:9"}
            )
        wait_for("the exporter listens", self._listens)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.log.read_text("utf-8")
        try:
            self.connect().close()
        except OSError:
            return False
        return True

    def connect(self) -> socket.socket:
        """A connection to it, with nothing sent."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def get(self, path: str = "/metrics") -> requests.Response:
        """A plain request on a connection of its own."""
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"http://127.0.0.1:{self.port}{path}", timeout=20)

    def connections(self) -> int:
        """Accepted TCP connections that it holds."""
        found = psutil.Process(self.process.pid).net_connections("tcp")
        return sum(each.status != psutil.CONN_LISTEN and each.laddr.port == self.port for each in found)

    def resident_bytes(self) -> int:
        """Its resident memory."""
        return int(psutil.Process(self.process.pid).memory_info().rss)
