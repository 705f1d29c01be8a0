"""The certificate of the kit's own server over TLS, made for each scene: nobody else ever trusts it."""

import datetime as dt
import ipaddress
import os
from pathlib import Path

from aisbx.testing.scene import Scene


def certificate(scene: Scene) -> Path:
    """Give the file with the certificate of `localhost` and its key, valid for a day; made when it is first asked for.

    Needs `cryptography`, as a proxy does that opens TLS (`aisbx-core[testing]` has it).
    """
    made = Path(scene.state, "localhost.pem")
    if not made.exists():
        data = _pair()
        made.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
    return made


def _pair() -> bytes:
    """Give key and certificate in PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    present, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(present - day)
        .not_valid_after(present + day)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(private, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    key = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return key + signed.public_bytes(serialization.Encoding.PEM)
