"""Whether a page is the device it says it is: every part of the login must be that device's own."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import load_der_public_key

from linda_cli.sandbox.devices import Device


@dataclass(frozen=True, slots=True)
class Proof:
    """What a page brings to a login: a signature over the nonce and its name, and two hashes."""

    wid: str
    signature: str
    noise: str
    identity: str


def public_key(text: str) -> ec.EllipticCurvePublicKey:
    """The public half that a page registers; anything but a P-256 key is a ``ValueError``."""
    key = load_der_public_key(base64.b64decode(text, validate=True))
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not a P-256 key")
    return key


def flaw(device: Device, nonce: str, proof: Proof) -> str | None:
    """The first part of the proof that is not this device's, or None."""
    if not hmac.compare_digest(device.noise.encode(), proof.noise.encode()):
        return "noise"
    if not hmac.compare_digest(device.identity.encode(), proof.identity.encode()):
        return "identity"
    try:
        raw = base64.b64decode(proof.signature, validate=True)
        if len(raw) != 64:
            return "signature"
        # Browsers sign as two numbers side by side, the library wants them in DER.
        signature = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        public_key(device.key).verify(signature, (nonce + proof.wid).encode(), ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        return "signature"
    return None
