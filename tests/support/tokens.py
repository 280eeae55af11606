"""Tokens that must not be believed, made from a good one."""
import base64
import json
import secrets
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec


def encode(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def good(caller):
    caller.authorization()
    return caller.token


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def tampered(caller):
    """The claims say a little more than what was signed."""
    header, _, signature = good(caller).split(".")
    more = claims(caller.token)
    return ".".join([header, encode(more | {"exp": more["exp"] + 3600}), signature])


def unsigned(caller):
    """Algorithm "none", as in the oldest attack on tokens."""
    return ".".join([encode({"alg": "none", "typ": "at+jwt"}), encode(claims(good(caller))), ""])


def forged(caller):
    """Signed with a key of our own, under the name of the real one."""
    header = jwt.get_unverified_header(good(caller))
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(claims(caller.token), key, algorithm="ES256", headers=header)


class Mint:
    """Makes tokens as identity does, with a key that identity publishes: the only way to hold an expired one without waiting.
    The key is a retired one, put into identity's table by the test and taken out at the end."""

    def __init__(self, stack):
        self.stack, self.kid = stack, "test-" + secrets.token_hex(8)
        self.key = ec.generate_private_key(ec.SECP256R1())
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        public |= {"kid": self.kid, "use": "sig", "alg": "ES256"}
        stack.sql("identity", f"INSERT INTO signing_keys (kid, state, public, sealed) "
                              f"VALUES ('{self.kid}', 'previous', '{json.dumps(public)}', '')")

    def close(self):
        self.stack.sql("identity", f"DELETE FROM signing_keys WHERE kid = '{self.kid}'")

    def like(self, caller, **changed):
        """The caller's token again, with some claims changed."""
        header = jwt.get_unverified_header(good(caller)) | {"kid": self.kid}
        return jwt.encode(claims(caller.token) | changed, self.key, algorithm="ES256", headers=header)

    def expired(self, caller):
        now = int(time.time())
        return self.like(caller, iat=now - 7200, nbf=now - 7200, exp=now - 3600)
