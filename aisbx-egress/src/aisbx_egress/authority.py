"""The certificate authority of one sandbox: good for the hosts of its secrets alone, a certificate for each name.

Its key is in the memory of the process that makes it and of the proxy's; no file has it. Sources: RFC 5280, of name
constraints 4.2.1.10; what clients ask of certificates is in the CA/Browser Forum's Baseline Requirements, 7.1.
"""

import os
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from aisbx.types import Authority
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from aisbx_egress import names
from aisbx_egress.rules import Rule

_CLOCKS = timedelta(hours=1)
"""How far the inside's clock may be behind."""
_LIFE, _LEAF = timedelta(days=365), timedelta(days=7)
_RENEW = timedelta(days=1)
_PROTOCOL = "http/1.1"


def made(hosts: Iterable[Rule]) -> Authority:
    """Make an authority for these hosts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"aisbx sandbox {os.urandom(4).hex()}")])
    permitted = [_constraint(rule.host) for rule in sorted(hosts, key=lambda rule: rule.host)]
    usage = _usage(key_cert_sign=True, crl_sign=True)
    certificate = (
        _begun(name, name, key.public_key(), _LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.NameConstraints(list(dict.fromkeys(permitted)), None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


class Issuer:
    """Gives what a TLS server needs to be one of these hosts, to whoever trusts the authority."""

    def __init__(self, authority: Authority) -> None:
        """ValueError for what is no authority."""
        self._certificate = x509.load_pem_x509_certificate(authority.certificate)
        key = serialization.load_pem_private_key(authority.key, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("the authority's key is of another kind")  # noqa: TRY004 - it is a value that is wrong
        self._key = key
        self._leaf = ec.generate_private_key(ec.SECP256R1())
        self._contexts: dict[str, tuple[datetime, ssl.SSLContext]] = {}

    def context(self, host: str) -> ssl.SSLContext:
        """Give the server's side for one host."""
        now = datetime.now(UTC)
        until, context = self._contexts.get(host, (now, None))
        if context is None or now >= until:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.num_tickets = 0
            context.options |= ssl.OP_NO_TICKET
            context.set_alpn_protocols([_PROTOCOL])
            self._load(context, self._issued(host))
            self._contexts[host] = (now + _RENEW, context)
        return context

    def _load(self, context: ssl.SSLContext, chain: bytes) -> None:
        """Give a context key and certificate, which it takes from files only: from one in memory."""
        descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, _pem(self._leaf) + chain)
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)

    def _issued(self, host: str) -> bytes:
        address = names.address(host)
        subject = x509.DNSName(host) if address is None else x509.IPAddress(address)
        public = self._leaf.public_key()
        issuer = self._certificate.subject
        about = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _begun(x509.Name([]), issuer, public, min(_LEAF, self._certificate.not_valid_after_utc - datetime.now(UTC)))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([subject]), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(about, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)


def upstream(more: str) -> ssl.SSLContext:
    """Give the client's side: it trusts what the host does, and what the file `more` has (empty: nothing).

    OSError for a file that cannot be read or holds no certificate.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([_PROTOCOL])
    if more:
        context.load_verify_locations(more)
    return context


def _begun(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, life: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS)
        .not_valid_after(now + life)
    )


def _usage(*, key_cert_sign: bool = False, crl_sign: bool = False, digital_signature: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _constraint(host: str) -> x509.GeneralName:
    """Give what a certificate may be for; a name stands for all below it as well, in the constraint alone."""
    address = names.address(host)
    return x509.DNSName(host.removeprefix(".")) if address is None else x509.IPAddress(ip_network(address))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
