"""Contacts verified by code: the code arrives where it should, is guessed by nobody, and what it proves is no longer so after a change."""
import json
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import portico
from support.oauth import Browser

VERIFICATIONS = "/identity/v1/me/contact-verifications"


@pytest.fixture
def someone(stack):
    """A person of her own, logged in, whose provider told no e-mail."""
    code = portico.fiscal_code()
    attributes = json.dumps({"spidCode": "DEMO0000000007", "name": "Bice", "familyName": "Prova", "fiscalNumber": "TINIT-" + code})
    stack.sql("identity", f"INSERT INTO demo_identities VALUES ('c_a944', '{code}', 'prova', '{attributes}')")
    browser = Browser(stack)
    browser.token = browser.tokens(code)["access_token"]
    browser.code_of_person = code
    yield browser
    stack.sql("identity", f"DELETE FROM demo_identities WHERE id = '{code}'")


def write(someone, email=None):
    email = email or f"bice.{secrets.token_hex(6)}@posta.example"
    changed = someone.patch("/identity/v1/me", {"contacts": {"email": email}}, expect=200).json()
    assert changed["contacts"]["emailVerified"] is False
    return email


def begin(someone):
    return someone.post(VERIFICATIONS, expect=201).json()


def confirm(someone, begun, code):
    return someone.post(f"{VERIFICATIONS}/{begun['id']}/confirmation", {"code": code})


def slug(response):
    return response.json()["type"].removeprefix("/problems/")


def verified(someone):
    return someone.get("/identity/v1/me", expect=200).json()["contacts"].get("emailVerified")


def test_begin_contact_verification_and_confirm_contact(someone, mailbox, stack):
    assert slug(someone.post(VERIFICATIONS, expect=409)) == "no-email"
    email = write(someone)
    begun = begin(someone)
    assert begun["email"] == email
    code = portico.code_of(mailbox, email)
    assert code not in stack.sql("identity", "SELECT string_agg(row_to_json(c)::text, '') FROM contact_codes c")
    answer = confirm(someone, begun, code)
    assert answer.status_code == 200 and answer.json()["contacts"]["emailVerified"] is True and verified(someone)
    assert someone.get("/identity/v1/me/journal").json()["items"][0]["text"] == "Hai confermato la tua e-mail."
    assert confirm(someone, begun, code).status_code == 404, "a code is good once"
    assert slug(someone.post(VERIFICATIONS, expect=409)) == "email-verified"
    write(someone)
    assert not verified(someone), "another e-mail is another question"


def test_wrong_codes_are_counted(someone, mailbox):
    email = write(someone)
    begun = begin(someone)
    code = portico.code_of(mailbox, email)
    wrong = [f"{(int(code) + n) % 1000000:06}" for n in range(1, 9)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda each: confirm(someone, begun, each).status_code, wrong))
    assert sorted(answers) == 3 * [404] + 5 * [422], "also when they come at once"
    assert confirm(someone, begun, code).status_code == 404 and not verified(someone)


def test_five_codes_in_an_hour(someone, stack):
    write(someone)
    for _ in range(5):
        begin(someone)
    assert slug(someone.post(VERIFICATIONS, expect=409)) == "too-many-codes"
    stack.sql("identity", "UPDATE contact_codes SET created_at = created_at - interval '61 minutes' "
                          f"WHERE person_id = (SELECT id FROM persons WHERE fiscal_code = '{someone.code_of_person}')")
    begin(someone)


def test_code_is_of_one_person_one_address_and_a_quarter_of_an_hour(someone, citizen, mailbox, stack):
    email = write(someone)
    begun = begin(someone)
    code = portico.code_of(mailbox, email)
    assert confirm(citizen("Luca Ferrari"), begun, code).status_code == 404
    write(someone)
    assert slug(confirm(someone, begun, code)) == "email-changed" and not verified(someone)
    other = begin(someone)
    stack.sql("identity", f"UPDATE contact_codes SET expires_at = now() WHERE id = '{other['id']}'")
    assert confirm(someone, other, "000000").status_code == 404
    for code in ("12345", "1234567", "abcdef", "", "１２３４５６"):
        assert confirm(someone, begun, code).status_code == 400


def test_provider_has_verified_what_it_tells(citizen):
    assert verified(citizen("Davide Conti")) is True


def test_address_cannot_write_the_letter(someone, stack, eventually, mailbox):
    """An address that would begin another field is refused by the sender, whatever let it into the table."""
    write(someone)
    evil = "x@posta.example>\r\nBcc: <victim@posta.example"
    sub = stack.sql("identity", f"SELECT id FROM persons WHERE fiscal_code = '{someone.code_of_person}'")
    begun = begin(someone)
    stack.sql("identity", f"UPDATE contact_codes SET email = E'{evil}', due_at = now() WHERE id = '{begun['id']}'; NOTIFY tasks, 'contact-codes'")
    eventually(lambda: stack.sql("identity", f"SELECT due_at IS NULL FROM contact_codes WHERE person_id = '{sub}'") == "t")
    assert not mailbox.to("victim@posta.example")
