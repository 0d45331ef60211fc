"""Real RSA keys of service accounts that do not exist."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

KEY_ID = "0123456789abcdef"


@dataclass(frozen=True)
class Key:
    """A key pair, in PEM."""

    private: str
    public: str

    def file(self, email: str, token_uri: str, key_id: str = KEY_ID) -> str:
        """The file that `gcloud iam service-accounts keys create` writes."""
        fields = {"type": "service_account", "client_email": email, "private_key_id": key_id, "token_uri": token_uri}
        return json.dumps({**fields, "private_key": self.private})


@cache
def make_key(_: int = 0) -> Key:
    """A key; another number, another key. Making one takes a moment."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Key(private.decode(), public.decode())


def certify(key: Key, address: str) -> str:
    """A certificate for an IP address, in PEM, that is vouched for by nobody but itself."""
    private = load_pem_private_key(key.private.encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority of one's own")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, private.public_key(), 1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode()
