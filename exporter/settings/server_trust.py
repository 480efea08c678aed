"""Which servers a client trusts: the keys of `tls_config` that say so, and the TLS that follows from them."""

import ssl
from pathlib import Path
from typing import Annotated

from pydantic import Field

from exporter.errors import ConfigurationError
from exporter.settings.strict_yaml import Model, read_bytes


class ServerTrust(Model):
    """By which certificates, and under which name, a server is taken for the one that is meant."""

    ca_file: Path | None = None
    """PEM certificates of the authorities that are trusted, in place of the system's"""
    server_name: Annotated[str, Field(min_length=1)] | None = None
    """asked for and checked in place of the URL's host"""
    insecure_skip_verify: bool = False
    """take any certificate"""

    def context(self, what: str) -> ssl.SSLContext:
        """TLS for connections to such a server.

        Raises ConfigurationError where `ca_file` holds no certificates, naming it and `what`, the option or
        key that names it.
        """
        authorities = None
        if self.ca_file is not None:
            # Other bytes are comments around the certificates; no text at all would mean the system's.
            authorities = read_bytes(self.ca_file, what).decode("ascii", "ignore") or "\n"
        try:
            context = ssl.create_default_context(cadata=authorities)
        except (ssl.SSLError, ValueError) as error:
            raise ConfigurationError(
                f"{self.ca_file}: holds no PEM certificates that can be used; check {what}"
            ) from error
        if self.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
