"""SPID and CIE: logins through the emulated federations, what the rules refuse, attacks on signatures, single logout, the log."""
import base64
import json
import re
import secrets
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import clients, portico
from support.oauth import ANNA, answer_of, seen_from_inside
from support.spid import LEVEL, Provider, Registry, SpidBrowser, attribute, utc

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


def someone(**more):
    return {"name": "Luigi", "familyName": "Prova", "fiscalNumber": "TINIT-" + portico.fiscal_code()} | more


def tokens_of(browser, answer):
    """What the front end gets for the code that a login ended with."""
    told = answer_of(answer)
    assert told["state"] == browser.state and "code" in told, told
    response = browser.redeem(told["code"])
    assert response.status_code == 200, response.text
    return response.json()


def refused(answer, status=403):
    assert answer.status_code == status and "Location" not in answer.headers, f"{answer.status_code} {answer.text[:300]}"
    assert "text/html" in answer.headers["Content-Type"] and "code=" not in answer.text


# ---- the way to a provider

def test_list_login_providers(anonymous, registry, stack):
    items = anonymous.get(IDENTITY + "/login-providers", expect=200).json()["items"]
    assert {"entityId": stack.url("spid") + "/spid", "federation": "spid", "name": "Gestore di prova (emulatore)"} in items
    assert {"entityId": stack.url("spid") + "/cie", "federation": "cie", "name": "CIE (emulatore)"} in items


def test_show_login_providers(stack, registry):
    """A tenant that is no demo has no other page than this."""
    browser = SpidBrowser(stack, "venezia-area")
    page = browser.get(clients.local(browser.authorize().headers["Location"]), expect=200)
    assert 'lang="it"' in page.text and "Entra con SPID di Gestore di prova" in page.text and "Entra con CIE" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "<script" not in page.text
    give_up = re.search(r'href="([^"]+error=access_denied[^"]+)"', page.text)[1]
    assert give_up.startswith(browser.redirect_uri) and f"state={browser.state}" in give_up
    links = [link.replace("&amp;", "&") for link in re.findall(r'class="button" href="([^"]+)"', page.text)]
    request = browser.follow(next(f"{IDENTITY}/saml/{link}" for link in links if "%2Fspid" in link))
    tokens_of(browser, browser.at_emulator(request, person=ANNA))


def test_the_page_is_of_the_browser_that_began(stack, registry):
    location = clients.local(SpidBrowser(stack, "venezia-area").authorize().headers["Location"])
    refused(SpidBrowser(stack).get(location), 400)


def test_operators_do_not_enter_here(stack, provider):
    desk = SpidBrowser(stack, "demo-desk", "/demo/desk")
    refused(desk.get(clients.local(desk.authorize(idp=provider.entity, scope=None).headers["Location"])), 400)


@pytest.mark.parametrize("binding", ["redirect", "post"])
def test_begin_saml_login_says_what_the_service_needs(browser, stack, provider, binding):
    request = browser.ask(provider.entity, binding)
    assert request.location == provider.entity + "/sso" and request.entity == stack.url() + IDENTITY + "/spid/metadata"
    assert request.level == 2 and 'ForceAuthn="true"' in request.xml and 'Comparison="minimum"' in request.xml
    assert request.set == "2", "the demo area fills in forms with the residence"
    assert ("Signature" in request.fields) == (binding == "redirect") and ("<ds:Signature" in request.xml) == (binding == "post")


def test_unknown_provider_begins_nothing(browser):
    location = browser.authorize(idp="https://idp.evil.example").headers["Location"]
    refused(browser.get(clients.local(location)), 400)


def test_each_request_has_its_own_id(browser, provider):
    assert len({browser.ask(provider.entity).id for _ in range(5)}) == 5


# ---- the journey

def test_take_saml_response_logs_a_known_person_in(browser, stack, registry):
    tokens = tokens_of(browser, browser.at_emulator(browser.ask(stack.url("spid") + "/spid"), person=ANNA))
    claims = seen_from_inside(tokens["access_token"])
    assert claims["sub"] == "0192f000-0000-7000-8000-000000000001", "found again by her fiscal code"
    assert (claims["acr"], claims["amr"], claims["kind"]) == (LEVEL + "2", ["spid"], "citizen")
    me = browser.with_token(tokens["access_token"])
    assert me.get(IDENTITY + "/me", expect=200).json()["lastLogin"]["provider"] == "spid"
    session = next(each for each in me.get(IDENTITY + "/sessions", expect=200).json()["items"] if each["current"])
    assert session["provider"] == "spid"
    attributes = json.loads(stack.sql("identity", f"SELECT attributes FROM sessions WHERE id = '{claims['sid']}'"))
    assert attributes["domicileMunicipality"] == "Bologna" and attributes["email"] == "anna.bianchi@posta.example"


def test_cie_has_an_entity_of_its_own(browser, stack, registry):
    request = browser.ask(stack.url("spid") + "/cie", "post")
    assert (request.entity, request.set) == (stack.url() + IDENTITY + "/cie/metadata", "0")
    claims = seen_from_inside(tokens_of(browser, browser.at_emulator(request, person=ANNA))["access_token"])
    assert (claims["amr"], claims["sub"]) == (["cie"], "0192f000-0000-7000-8000-000000000001")


def test_an_aggregated_municipality_has_an_entity_of_its_own(stack, registry):
    browser = SpidBrowser(stack, "bari-area")
    request = browser.ask(stack.url("spid") + "/spid")
    assert (request.entity, request.set) == (stack.url() + IDENTITY + "/spid/pub-ag-full/c_a662", "1")
    tokens_of(browser, browser.at_emulator(request, person=ANNA))


def test_who_was_never_here_becomes_one_person(stack, provider):
    """Two first logins at once; sub is no fiscal code, and stays."""
    person = someone(dateOfBirth="1970-01-01", gender="M")

    def log_in(_):
        browser = SpidBrowser(stack)
        request = browser.ask(provider.entity)
        return seen_from_inside(tokens_of(browser, browser.bring(provider.good(request, person), request.relay))["access_token"])["sub"]
    with ThreadPoolExecutor(2) as pool:
        subs = set(pool.map(log_in, range(2)))
    assert len(subs) == 1 and person["fiscalNumber"][6:] not in subs.pop()


def test_only_the_attributes_of_the_federation_are_kept(browser, stack, provider):
    request = browser.ask(provider.entity)
    person = someone(dateOfBirth="not a date", gender="X", ivaCode="VATIT-97735020584", password="secret")
    claims = seen_from_inside(tokens_of(browser, browser.bring(provider.good(request, person), request.relay))["access_token"])
    attributes = json.loads(stack.sql("identity", f"SELECT attributes FROM sessions WHERE id = '{claims['sid']}'"))
    assert set(attributes) == {"name", "familyName", "fiscalNumber"}


@pytest.mark.parametrize("changed", [{"fiscalNumber": "TINIT-RSSMRA85T10A562X"}, {"fiscalNumber": "RSSMRA85T10A562S"},
                                     {"fiscalNumber": ""}, {"name": ""}, {"fiscalNumber": "TINIT-01232710374X"}])
def test_without_who_it_is_nobody_enters(browser, provider, changed):
    request = browser.ask(provider.entity)
    refused(browser.bring(provider.good(request, someone(**changed)), request.relay))


# ---- levels

@pytest.fixture
def level_one(stack):
    """The demo area accepts level 1, until the test is over."""
    stack.sql("identity", "UPDATE saml_services SET level = 1 WHERE client_id = 'demo-area'")
    yield
    stack.sql("identity", "UPDATE saml_services SET level = 2 WHERE client_id = 'demo-area'")


@pytest.mark.parametrize("acr_values, level", [(f"{LEVEL}3", 3), (f"{LEVEL}1", 2), (f"{LEVEL}3 {LEVEL}2", 2), ("urn:other", 2), (None, 2)])
def test_the_level_is_what_is_asked_for_and_never_below_the_services(browser, provider, acr_values, level):
    assert browser.ask(provider.entity, acr_values=acr_values).level == level


def test_a_level_that_is_too_low_is_refused_and_a_higher_one_is_told(browser, provider):
    request = browser.ask(provider.entity)
    refused(browser.bring(provider.good(request, someone(), level=1), request.relay))
    claims = seen_from_inside(tokens_of(browser, browser.bring(provider.good(request, someone(), level=3), request.relay))["access_token"])
    assert claims["acr"] == LEVEL + "3"


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


# ---- what the provider says when it says no

@pytest.mark.parametrize("code, words", [
    ("nr19", "più volte"), ("nr20", "livello di sicurezza"), ("nr21", "troppo tempo"), ("nr22", "consenso"), ("nr23", "sospesa o revocata"),
    ("nr25", "annullato"), ("nr30", "persona fisica")])
def test_courtesy_page(browser, stack, registry, code, words):
    request = browser.ask(stack.url("spid") + "/spid")
    page = browser.at_emulator(request, error=code)
    refused(page)
    assert words in page.text and code in page.text and 'lang="it"' in page.text
    back = re.search(r'href="([^"]+error=access_denied[^"]+)"', page.text)[1].replace("&amp;", "&")
    assert back.startswith(browser.redirect_uri) and f"state={browser.state}" in back
    again = re.search(r'href="([^"]*saml/providers[^"]*)"', page.text)[1]
    assert browser.get(clients.local(again)).status_code == 200, "the same login goes on with another request"
    refused(browser.bring(base64.b64decode(browser.response["SAMLResponse"]), request.relay), 400)


def test_the_other_messages_have_a_page_too(browser, provider):
    request = browser.ask(provider.entity)
    envelope = provider.envelope(request, "").replace("status:Success", "status:Requester").replace(
        "</samlp:Status>", "<samlp:StatusMessage>ErrorCode nr12</samlp:StatusMessage></samlp:Status>")
    page = browser.bring(envelope, request.relay)
    refused(page)
    assert "nr12" in page.text


@pytest.mark.parametrize("fault, status", [("tampered", 403), ("unsigned-assertion", 403), ("expired", 403), ("other-audience", 403),
                                           ("other-request", 400), ("lower-level", 403), ("no-fiscal-code", 403), ("entity", 400)])
def test_faults_of_the_emulator_are_refused(browser, stack, registry, fault, status):
    request = browser.ask(stack.url("spid") + "/spid")
    refused(browser.at_emulator(request, fault=fault), status)
    assert "code" in answer_of(browser.at_emulator(request, person=ANNA)), "a wrong response does not end the login"


def test_the_emulator_reads_requests_by_the_rules(browser, stack, registry):
    """Control: what it answers to a request that was changed on its way."""
    request = browser.ask(stack.url("spid") + "/spid")
    changed = {**request.fields, "RelayState": "other"}
    answer = browser.http.get(request.location, params=changed, timeout=30)
    assert answer.status_code == 403 and "firma" in answer.text


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


# ---- single logout

def test_follow_saml_logout_ends_the_session(browser, stack, provider, level_one, anonymous):
    """The provider ends its session: ours ends with it, and it is told so by a signed answer."""
    request = browser.ask(provider.entity, acr_values=LEVEL + "1")
    assert request.level == 1 and "ForceAuthn" not in request.xml
    name, index = secrets.token_hex(16), "_" + secrets.token_hex(16)
    tokens = tokens_of(browser, browser.bring(provider.good(request, someone(), level=1, name_id=name, session=index), request.relay))
    logout = (f'<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" '
              f'ID="_{secrets.token_hex(16)}" Version="2.0" IssueInstant="{utc()}" Destination="{stack.url()}{IDENTITY}/saml/logout">'
              f'<saml:Issuer>{provider.entity}</saml:Issuer>'
              f'<saml:NameID NameQualifier="{provider.entity}">{name}</saml:NameID><samlp:SessionIndex>{index}</samlp:SessionIndex></samlp:LogoutRequest>')
    query = provider.redirect("SAMLRequest", logout)
    assert anonymous.get(f"{IDENTITY}/saml/logout?{query.replace('RelayState=x', 'RelayState=y')}").status_code == 400
    assert browser.refresh(tokens["refresh_token"]).status_code == 200, "what is not signed ends nothing"
    told = anonymous.get(f"{IDENTITY}/saml/logout?{query}", expect=302)
    assert told.headers["Location"].startswith(provider.entity + "/slo?SAMLResponse=") and "RelayState=x" in told.headers["Location"]
    assert stack.sql("identity", f"SELECT end_cause FROM sessions WHERE id = '{seen_from_inside(tokens['access_token'])['sid']}'") == \
        "ended by the identity provider"


def test_take_saml_logout_by_form(browser, stack, provider, level_one, anonymous):
    request = browser.ask(provider.entity)
    name, index, id = secrets.token_hex(16), "_" + secrets.token_hex(16), "_" + secrets.token_hex(16)
    tokens = tokens_of(browser, browser.bring(provider.good(request, someone(), level=1, name_id=name, session=index), request.relay))
    logout = (f'<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" '
              f'ID="{id}" Version="2.0" IssueInstant="{utc()}" Destination="{stack.url()}{IDENTITY}/saml/logout">'
              f'<saml:Issuer>{provider.entity}</saml:Issuer><!--SIGNATURE {id}--><saml:NameID>{name}</saml:NameID></samlp:LogoutRequest>')
    post = lambda xml: anonymous.post(IDENTITY + "/saml/logout", data={"SAMLRequest": base64.b64encode(xml.encode()).decode(), "RelayState": "x"})
    assert post(re.sub("<!--.*?-->", "", logout)).status_code == 400
    assert post(provider.sign(logout).replace(name, secrets.token_hex(16))).status_code == 400
    assert post(provider.sign(logout)).status_code == 302
    assert browser.refresh(tokens["refresh_token"]).status_code == 400


def test_logging_out_at_the_front_end_logs_out_at_the_provider(browser, stack, registry, level_one):
    """The browser goes to the provider and comes back to where the front end wanted it; a second time there is nothing to ask."""
    tokens = tokens_of(browser, browser.at_emulator(browser.ask(stack.url("spid") + "/spid"), person=ANNA))
    out = browser.get(IDENTITY + "/logout", params={"id_token_hint": tokens["id_token"]})
    assert out.status_code == 302 and out.headers["Location"].startswith(stack.url("spid") + "/spid/slo?SAMLRequest="), out.text
    back = browser.http.get(out.headers["Location"], allow_redirects=False, timeout=30)
    assert back.status_code == 302, back.text
    assert "Sei uscito, anche presso" in browser.get(clients.local(back.headers["Location"]), expect=200).text
    assert browser.get(clients.local(back.headers["Location"])).status_code == 400, "an answer counts once"
    assert browser.refresh(tokens["refresh_token"]).status_code == 400


def test_the_emulator_ends_its_sessions(browser, stack, registry, level_one):
    tokens = tokens_of(browser, browser.at_emulator(browser.ask(stack.url("spid") + "/spid"), person=ANNA))
    sid = seen_from_inside(tokens["access_token"])["sid"]
    index = stack.sql("identity", f"SELECT session_index FROM saml_sessions WHERE session_id = '{sid}'")
    out = browser.http.get(f"{stack.url('spid')}/spid/sessions/{index}", allow_redirects=False, timeout=30)
    answer = browser.get(clients.local(out.headers["Location"]), expect=302)
    assert "è finita" in browser.http.get(answer.headers["Location"], timeout=30).text
    assert browser.refresh(tokens["refresh_token"]).status_code == 400


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


# ---- metadata

@pytest.mark.parametrize("path", ["/spid/metadata", "/spid/pub-ag-full/c_a662", "/cie/metadata"])
def test_show_spid_metadata_show_aggregated_metadata_show_cie_metadata(anonymous, stack, path, tmp_path):
    answer = anonymous.get(IDENTITY + path, expect=200)
    assert attribute(answer.text, "entityID") == stack.url() + IDENTITY + path, "the name of an entity is the address of its metadata"
    (tmp_path / "metadata.xml").write_bytes(answer.content)
    verify = ["xmlsec1", "--verify", "--insecure", "--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:metadata:EntityDescriptor"]
    assert subprocess.run([*verify, tmp_path / "metadata.xml"], capture_output=True).returncode == 0
    (tmp_path / "changed.xml").write_bytes(answer.content.replace(b"saml/responses", b"saml/elsewhere"))
    assert subprocess.run([*verify, tmp_path / "changed.xml"], capture_output=True).returncode != 0


def test_metadata_of_nobody(anonymous):
    assert anonymous.get(IDENTITY + "/spid/pub-ag-full/c_zzzz").status_code == 404
    assert anonymous.get(IDENTITY + "/spid/pub-ag-full/c_a944").status_code == 404, "it is a provider by itself"


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
