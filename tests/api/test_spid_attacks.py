"""SPID and CIE as attackers and careless providers meet them: answers out of turn, signatures that cover something else, XML that bites; a
registry that was changed; and the log of all that was said."""
import base64
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.oauth import answer_of, seen_from_inside
from support.spid import Provider, Registry, SpidBrowser, attribute, refused, someone, tokens_of

IDENTITY = "/identity/v1"


@pytest.fixture(scope="module")
def registry(stack):
    registry = Registry(stack)
    registry.refresh()
    yield registry
    registry.tamper(False)
    registry.reset()


@pytest.fixture(scope="module")
def provider(stack, registry):
    return Provider(stack, registry)


@pytest.fixture
def browser(stack):
    return SpidBrowser(stack)


# ---- one request, one answer, one browser

def test_a_response_counts_once(browser, provider):
    request = browser.ask(provider.entity)
    response = provider.good(request, someone())
    assert "code" in answer_of(browser.bring(response, request.relay))
    refused(browser.bring(response, request.relay), 400)


def test_of_many_at_once_exactly_one_counts(browser, provider):
    request = browser.ask(provider.entity)
    response = provider.good(request, someone())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: browser.bring(response, request.relay).status_code, range(8)))
    assert sorted(answers) == [302] + [400] * 7


def test_a_response_counts_only_in_the_browser_that_asked(browser, stack, provider):
    """Login forced on somebody: the attacker's own response, posted from the victim's browser."""
    request = browser.ask(provider.entity)
    response, victim = provider.good(request, someone()), SpidBrowser(stack)
    refused(victim.bring(response, request.relay), 400)
    victim.ask(provider.entity)
    refused(victim.bring(response, request.relay), 400)
    assert "code" in answer_of(browser.bring(response, request.relay)), "and it was not used up by that"


def test_relay_state_is_ours(browser, provider):
    request = browser.ask(provider.entity)
    refused(browser.bring(provider.good(request, someone()), "https://evil.example"), 400)
    assert "code" in answer_of(browser.bring(provider.good(request, someone()), request.relay))


def test_another_provider_cannot_answer(browser, stack, registry, provider):
    """Mix-up: a provider of the registry answers what another one was asked."""
    request = browser.ask(stack.url("spid") + "/spid")
    refused(browser.bring(provider.good(request, someone()), request.relay))
    provider_as_other = provider.good(request, someone()).replace(provider.entity, stack.url("spid") + "/spid")
    refused(browser.bring(provider_as_other, request.relay))


# ---- attacks on what is signed

EVIL = "Evil"


def wrapped(provider, request, shape):
    """A response with an assertion of the attacker's beside, around or below one that is really signed: the eight shapes of XML signature
    wrapping, with namespaces as they should be, and some more."""
    good = provider.sign(provider.assertion(request, someone()))
    evil = re.sub("<!--.*?-->", "", provider.assertion(request, someone(name=EVIL)))
    evil_id = attribute(evil, "ID")
    inner = re.search("<ds:Signature.*</ds:Signature>", good, re.S)[0]
    bare = good.replace(inner, "")
    signed = provider.good(request, someone())
    if shape in ("response in signature", "response before signature"):
        outer = re.search("</saml:Issuer>(<ds:Signature.*?</ds:Signature>)<samlp:Status>", signed, re.S)[1]
        original = signed.replace(outer, "")
        evil_response = provider.envelope(request, evil, before="@@")
        inside = outer.replace("</ds:Signature>", f"<ds:Object>{original}</ds:Object></ds:Signature>") if shape == "response in signature" else original + outer
        return evil_response.replace("@@", inside)
    return provider.envelope(request, {
        "evil first": evil + good,
        "evil last": good + evil,
        "good below evil": evil.replace("</saml:Assertion>", good + "</saml:Assertion>"),
        "good in the signature of evil": evil.replace(
            "</saml:Issuer>", "</saml:Issuer>" + inner.replace("</ds:Signature>", f"<ds:Object>{bare}</ds:Object></ds:Signature>"), 1),
        "good as an object of evil": evil.replace(
            "</saml:Issuer>", "</saml:Issuer>" + inner.replace("<ds:KeyInfo", f"<ds:Object>{good}</ds:Object><ds:KeyInfo"), 1),
        "evil with the signature of good": evil.replace("</saml:Issuer>", "</saml:Issuer>" + inner, 1),
        "evil with the id of good": evil.replace(evil_id, attribute(good, "ID")).replace("</saml:Issuer>", "</saml:Issuer>" + inner, 1) + bare,
        "good in extensions": evil.replace("</saml:Issuer>", "</saml:Issuer>" + inner, 1),
        "evil in advice": good.replace("</saml:Conditions>", f"</saml:Conditions><saml:Advice>{evil}</saml:Advice>"),
        "evil attributes behind": good.replace("</saml:Assertion>", re.search("<saml:AttributeStatement.*</saml:AttributeStatement>", evil)[0] +
                                               "</saml:Assertion>"),
        "no assertion": "",
    }[shape], before=f"<samlp:Extensions>{good}</samlp:Extensions>" if shape == "good in extensions" else "")


@pytest.mark.parametrize("shape", [
    "response in signature", "response before signature", "evil first", "evil last", "good below evil", "good in the signature of evil",
    "good as an object of evil", "evil with the signature of good", "evil with the id of good", "good in extensions", "evil in advice",
    "evil attributes behind", "no assertion"])
def test_signature_wrapping(browser, provider, stack, shape):
    request = browser.ask(provider.entity)
    answer = browser.bring(wrapped(provider, request, shape), request.relay)
    assert answer.status_code in (400, 403), answer.headers.get("Location")
    assert stack.sql("identity", f"SELECT count(*) FROM persons WHERE given_name = '{EVIL}'") == "0"
    assert "code" in answer_of(browser.bring(provider.good(request, someone(), signed=shape == "evil first"), request.relay)), \
        "control: the same provider, without the attack"


@pytest.mark.parametrize("options", [
    {"transforms": ["http://www.w3.org/2000/09/xmldsig#enveloped-signature", "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"]},
    {"transforms": ["http://www.w3.org/2000/09/xmldsig#enveloped-signature", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"]},
    {"digest": "http://www.w3.org/2000/09/xmldsig#sha1"}, {"method": "http://www.w3.org/2000/09/xmldsig#rsa-sha1"}])
def test_a_signature_has_one_form_only(browser, provider, options):
    request = browser.ask(provider.entity)
    refused(browser.bring(provider.envelope(request, provider.sign(provider.assertion(request, someone()), **options)), request.relay))


def test_a_comment_cannot_cut_a_value(browser, provider, stack):
    """Exclusive canonicalisation leaves comments out, so the signature still holds; what is read is the whole text."""
    request, person = browser.ask(provider.entity), someone()
    code = person["fiscalNumber"]
    response = provider.good(request, person).replace(code, code[:12] + "<!-- -->" + code[12:])
    claims = seen_from_inside(tokens_of(browser, browser.bring(response, request.relay))["access_token"])
    assert stack.sql("identity", f"SELECT fiscal_code FROM persons WHERE id = '{claims['sub']}'") == code[6:]


@pytest.mark.parametrize("head", [
    '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x">', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>', "<?xml-stylesheet href='x'?>"])
def test_no_dtd_no_entities_no_instructions(browser, provider, head):
    request = browser.ask(provider.entity)
    refused(browser.bring(head + provider.good(request, someone()), request.relay), 400)


@pytest.mark.parametrize("rubbish", [b"", b"<a", b"\xff\xfe\x00", b"<a/>", b"<a>" * 2000, b"<a " + b"b='c' " * 20000 + b"/>", b"<a/>\x00<b/>"])
def test_rubbish(browser, provider, rubbish):
    request = browser.ask(provider.entity)
    assert browser.bring(rubbish, request.relay).status_code in (400, 413)
    assert browser.post(IDENTITY + "/saml/responses", data={"SAMLResponse": "!!!", "RelayState": request.relay}).status_code == 400
    assert browser.post(IDENTITY + "/saml/responses", data={"RelayState": request.relay}).status_code == 400


# ---- the registry

def test_a_registry_that_was_changed_is_not_believed(stack, registry, eventually):
    failures = lambda: (stack.state / "log/identity.log").read_text().count("the signature is not that of the registry")
    before, known = failures(), registry.known()
    registry.tamper(True)
    registry.refresh()
    eventually(lambda: failures() > before)
    assert registry.known() == known
    registry.tamper(False)


def test_who_leaves_the_registry_is_known_no_more(registry, browser, provider):
    request = browser.ask(provider.entity)
    registry.reset()
    refused(browser.bring(provider.good(request, someone()), request.relay), 400)
    registry.add(provider.metadata())


# ---- the log

def test_what_was_said_is_kept_sealed(browser, stack, provider, eventually):
    request, person = browser.ask(provider.entity), someone()
    refused(browser.bring(provider.envelope(request, ""), request.relay))
    assert "code" in answer_of(browser.bring(provider.good(request, person), request.relay))
    rows = stack.sql("identity", f"SELECT direction, outcome, sealed FROM saml_log WHERE request_id = '{request.id}' ORDER BY position")
    rows = [row.split("|") for row in rows.splitlines()]
    assert [row[:2] for row in rows] == [["sent", "request"], ["received", "refused"], ["received", "accepted"]]
    for row in rows:
        sealed = base64.urlsafe_b64decode(row[2] + "==")
        assert len(sealed) > 500 and b"samlp" not in sealed and person["fiscalNumber"].encode() not in sealed
    eventually(lambda: stack.sql("identity", f"SELECT count(*) FROM saml_log WHERE request_id = '{request.id}' AND link IS NULL") == "0")
    assert stack.sql("identity", "SELECT * FROM verify_saml_log()") == ""


@pytest.mark.parametrize("change", ["UPDATE saml_log SET outcome = 'accepted'", "DELETE FROM saml_log", "TRUNCATE saml_log",
                                    "UPDATE saml_log SET link = NULL, chain = NULL"])
def test_the_log_cannot_be_changed(stack, browser, provider, change):
    browser.ask(provider.entity)
    with pytest.raises(RuntimeError, match="kept as it is for 24 months"):
        stack.sql("identity", change)
    with pytest.raises(RuntimeError, match="permission denied"):
        stack.sql("identity", f"SET ROLE portico_identity; {change}")
    with pytest.raises(RuntimeError, match="permission denied"):
        stack.sql("identity", "SET ROLE portico_identity; SELECT * FROM saml_log")


@pytest.mark.parametrize("change, fault", [
    ("UPDATE saml_log SET outcome = 'changed' WHERE link = {link}", "{link}|changed"),
    ("DELETE FROM saml_log WHERE link = {link}", "{next}|messages before it are missing"),
    ("UPDATE saml_log SET previous = sha256('x'), chain = saml_link(saml_log, sha256('x')) WHERE link = {link}", "{link}|out of order")])
def test_whoever_changes_it_behind_our_back_is_seen(stack, browser, provider, eventually, change, fault):
    for _ in range(3):
        browser.ask(provider.entity)
    eventually(lambda: stack.sql("identity", "SELECT count(*) FROM saml_log WHERE link IS NULL") == "0")
    link = int(stack.sql("identity", "SELECT max(link) FROM saml_log")) - 1
    seen = stack.sql("identity", "BEGIN; ALTER TABLE saml_log DISABLE TRIGGER ALL; " + change.format(link=link) +
                     "; SELECT * FROM verify_saml_log(); ROLLBACK")
    assert fault.format(link=link, next=link + 1) in seen.splitlines()
