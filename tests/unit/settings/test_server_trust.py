"""exporter.settings.server_trust: the certificates that are trusted, and files that hold none."""

import ssl
from pathlib import Path

import pytest
import trustme

from exporter.errors import ConfigurationError
from exporter.settings.server_trust import ServerTrust


def test_by_default_the_system_decides_and_names_are_checked() -> None:
    context = ServerTrust().context("--cacert")
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_file_of_authorities_takes_the_place_of_the_systems(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes("# 認証局 \xe9\n".encode("latin-1", "ignore") + trustme.CA().cert_pem.bytes())
    context = ServerTrust(ca_file=file).context("--cacert")
    assert context.cert_store_stats()["x509_ca"] == 1
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_any_certificate_is_taken_where_that_is_asked_for() -> None:
    context = ServerTrust(insecure_skip_verify=True).context("--cacert")
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


BROKEN = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"\n",
        b"no certificate",
        b"\xff\xfe",
        BROKEN,
        trustme.CA().private_key_pem.bytes(),
        bytes(1 << 21),
    ],
    ids=["missing", "empty", "blank", "text", "binary", "broken", "a key", "too long"],
)
def test_a_file_without_certificates_is_refused_by_its_name_and_option(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        ServerTrust(ca_file=file).context("--cacert")
    assert str(refused.value).startswith(f"{file}: ")
    assert "--cacert" in str(refused.value)
