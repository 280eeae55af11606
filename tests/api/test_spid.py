"""SPID and CIE: logins through the emulated federations, what a service asks for, what the provider says, single logout, metadata."""
import base64
import json
import re
import secrets
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import clients
from support.oauth import ANNA, answer_of, seen_from_inside
from support.spid import LEVEL, Provider, Registry, SpidBrowser, attribute, refused, someone, tokens_of, utc

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
    assert me.get(IDENTITY + "/me", expect=200).json()["lastLogin"]["provider"] == stack.url("spid") + "/spid"
    session = next(each for each in me.get(IDENTITY + "/sessions", expect=200).json()["items"] if each["current"])
    assert session["provider"] == stack.url("spid") + "/spid"
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


def test_whose_logins_are_blocked_is_told_so(browser, stack, provider):
    person = someone()
    code = person["fiscalNumber"][6:]
    log_in = lambda request: browser.bring(provider.good(request, person), request.relay)
    assert "code" in answer_of(log_in(browser.ask(provider.entity)))
    stack.sql("identity", f"SELECT block_person('{code}', 'prova')")
    request = browser.ask(provider.entity)
    page = log_in(request)
    refused(page)
    assert "è stato bloccato" in page.text
    assert stack.sql("identity", f"SELECT outcome FROM saml_log WHERE request_id = '{request.id}' AND direction = 'received'") == "blocked"


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
