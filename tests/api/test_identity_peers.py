"""Clients that nobody here wrote go through login, refresh, exchange and logout: npm `openid-client` (a certified one) and `oauth4webapi`."""
import json
import secrets
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import jwt

from support import clients, contracts, portico

FOLDER, HOME = contracts.ROOT / "tests/peers/oidc", contracts.ROOT / ".cache/peers/oidc"
ANNA, CHIARA = "BNCNNA85C52A944U", "0192f000-0000-7000-8000-000000000101"
SCOPES = "openid,profile,practices,offline_access"


def pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


@pytest.fixture(scope="module")
def play():
    """play(script, job): what the script found out, or its failure."""
    lock = (FOLDER / "package-lock.json").read_bytes()
    if not (HOME / "installed").exists() or (HOME / "installed").read_bytes() != lock:
        HOME.mkdir(parents=True, exist_ok=True)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(FOLDER / file, HOME)
        done = subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=HOME, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"SKIPPED, NOT PROVEN: npm cannot install openid-client and oauth4webapi: {done.stderr[-300:]}")
        (HOME / "installed").write_bytes(lock)
    for script in FOLDER.glob("*.mjs"):
        shutil.copy(script, HOME)

    def play(script, job):
        done = subprocess.run(["node", HOME / script], capture_output=True, text=True, input=json.dumps(job), timeout=120)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)
    return play


@pytest.fixture
def job(stack, operator):
    """The clients of the play: one public, one with a key that pushes its requests, a partner with the same key, the desk."""
    key, name = ec.generate_private_key(ec.SECP256R1()), secrets.token_hex(4)
    jwks = json.dumps({"keys": [json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())) | {"kid": "k1", "alg": "ES256", "use": "sig"}]})
    callback, goodbye = stack.url() + "/demo/callback", stack.url() + "/demo/goodbye"
    stack.sql("identity", f"""INSERT INTO clients (tenant_id, id, name, kind, scopes, redirect_uris, post_logout_redirect_uris, jwks, pushes_requests)
        VALUES ('c_a944', 'public-{name}', 'Prova', 'citizens', '{{{SCOPES}}}', '{{{callback}}}', '{{{goodbye}}}', NULL, false),
        ('c_a944', 'keyed-{name}', 'Prova', 'citizens', '{{{SCOPES}}}', '{{{callback}}}', '{{{goodbye}}}', '{jwks}', true),
        ('c_a944', 'partner-{name}', 'Prova', 'partner', '{{partner:positions}}', '{{}}', '{{}}', '{jwks}', false)""")
    yield {"issuer": stack.url() + "/identity/v1", "callback": callback, "goodbye": goodbye, "scope": SCOPES.replace(",", " "),
           "person": ANNA, "public": f"public-{name}", "keyed": f"keyed-{name}", "partner": f"partner-{name}", "desk": "demo-desk",
           "deskCallback": stack.url() + "/demo/desk", "operator": CHIARA, "kid": "k1", "key": pem(key),
           "otherKey": pem(ec.generate_private_key(ec.SECP256R1())),
           "mandate": portico.mandate(operator("c_a944", "mobilita"), "GRCPLA58R30A944T", duration="1-day")["id"]}
    stack.sql("identity", f"DELETE FROM clients WHERE id LIKE '%-{name}'")


def sub_of(name):
    return clients.find("Citizens", name=name)["sub"]


def is_exchanged(acting, job):
    assert acting["sub"] == sub_of("Paolo Greco") and acting["act"]["sub"] == CHIARA and acting["act"]["mandate"] == job["mandate"]


def test_openid_client(play, job):
    found = play("openid-client.mjs", job)
    public = found["public"]
    assert (public["sub"], public["name"], public["rotated"]) == (sub_of("Anna Bianchi"), "Anna", True)
    assert public["goodbye"] == job["goodbye"] + "?state=bye" and public["dead"] == "invalid_grant" == public["replayed"]
    assert found["keyed"] == {"pushed": True, "active": True, "revoked": True, "otherKey": "invalid_client"}
    is_exchanged(found["exchange"]["acting"], job)
    # the negative control: what the package refuses it refuses by itself, before or after our answer
    assert "nothing was refused" not in found["attacks"].values() and len(set(found["attacks"])) == 4, found["attacks"]


def test_oauth4webapi(play, job):
    found = play("oauth4webapi.mjs", job)
    public = found["public"]
    assert (public["sub"], public["name"], public["client"]) == (sub_of("Anna Bianchi"), "Anna", job["public"])
    assert public["replay"] == public["family"] == "invalid_grant" and public["otherAudience"] != "nothing was refused"
    assert found["keyed"] == {"active": True, "revoked": True}
    assert found["partner"] == {"scope": "partner:positions", "tooMuch": "invalid_scope"}
    is_exchanged(found["exchange"]["acting"], job)
