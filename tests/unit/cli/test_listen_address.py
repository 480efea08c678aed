"""exporter.cli.listen_address: addresses as Go spells them."""

import pytest

from exporter.cli.listen_address import listen_address
from exporter.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9877", ("127.0.0.1", 9877)),
        ("localhost:0", ("localhost", 0)),
        (":9877", ("0.0.0.0", 9877)),
        ("[::1]:9877", ("::1", 9877)),
        ("[::]:65535", ("::", 65535)),
        ("0.0.0.0:09877", ("0.0.0.0", 9877)),
    ],
)
def test_an_address_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert listen_address(text, "--web.listen-address") == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "9877",
        "localhost",
        "localhost:",
        "localhost:http",
        "localhost:65536",
        "h:-1",
        "h: 80",
        "h:８０",
        "h:8.0",
    ],
)
def test_anything_else_is_refused_by_the_options_name(text: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        listen_address(text, "--ingest.listen-address")
    assert str(error.value).startswith(f"--ingest.listen-address: {text!r} ")
