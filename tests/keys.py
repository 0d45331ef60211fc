"""Real RSA keys of service accounts that do not exist."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

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
