"""`Encryption`: the options of checkers that can speak TLS."""

from plugins.api.declare import block
from plugins.api.options import option
from plugins.api.tls import Tls


@block
class Encryption:
    """What a checker inherits to have TLS. Any of the options turns it on; certificates are judged when asked."""

    tls: bool = option(False, help="speak TLS; any certificate will do unless `verify` is given")
    verify: bool = option(False, help="the certificate must be valid for the server name, or else the address")
    server_name: str = option("", help="server name to send and verify", pattern=r"[A-Za-z0-9._-]+|")
    ca: str = option("", help="file of the authorities to trust, instead of the system's")
    certificate: str = option("", help="file with a certificate to show when asked")
    key: str = option("", help="file with its private key, unless that is in the certificate's file")

    def encryption(self, *protocols: str) -> Tls | None:
        """How to encrypt, None for not at all; ``protocols`` are offered by ALPN."""
        if not (self.tls or self.verify or self.server_name or self.ca or self.certificate):
            return None
        return Tls(self.server_name, self.verify, self.ca, self.certificate, self.key, protocols)
