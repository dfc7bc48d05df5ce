"""The stand-in's certificate for web.whatsapp.com, which only a browser told of its key's hash will believe."""

from __future__ import annotations

import base64
import hashlib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from linda_cli.sandbox import disk
from linda_cli.whatsapp.page import ORIGIN

HOST = urlsplit(ORIGIN).hostname or ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Key and certificate in one file, and the hash by which Chromium is told to accept them."""

    path: Path
    spki: str

    def context(self) -> ssl.SSLContext:
        """What the HTTPS server speaks with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        return context


def certificate(folder: Path) -> Certificate:
    """The folder's certificate; made on first use and kept, so that a browser left running stays valid."""
    path = folder / "tls.pem"
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        path.chmod(0o600)
    except (FileNotFoundError, ValueError):
        key = ec.generate_private_key(ec.SECP256R1())
        disk.write(path, _pem(key))
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Certificate(path, base64.b64encode(hashlib.sha256(public).digest()).decode())


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=7300))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + made.public_bytes(serialization.Encoding.PEM)
