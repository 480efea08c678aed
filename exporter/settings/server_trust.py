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
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # As curl has it: a certificate in the file is trusted, whoever signed it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if self.ca_file is not None:
            try:
                # Bytes that are not ASCII are comments around the certificates.
                context.load_verify_locations(cadata=read_bytes(self.ca_file, what).decode("ascii", "ignore"))
            except (ssl.SSLError, ValueError) as error:
                raise ConfigurationError(
                    f"{self.ca_file}: holds no PEM certificates that can be used; check {what}"
                ) from error
        elif not self.insecure_skip_verify:
            context.load_default_certs()
        if self.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def any_server() -> ssl.SSLContext:
    """TLS with whoever answers, as wrk and hey speak it."""
    return ServerTrust(insecure_skip_verify=True).context("")
