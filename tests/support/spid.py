"""SPID and CIE as the tests use them: the emulator with its registries, a browser that logs in through it, and an identity provider of our
own making, which can say anything and sign anything."""
import base64
import re
import secrets
import subprocess
import tempfile
import zlib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from . import clients, portico
from .oauth import Browser, answer_of
from .waiting import eventually

NAMESPACES = 'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
TRANSIENT, ENTITY = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient", "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
LEVEL = "https://www.spid.gov.it/SpidL"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"

IDS = [option for element in ("protocol:Response", "assertion:Assertion", "protocol:LogoutRequest", "protocol:LogoutResponse")
       for option in ("--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:" + element)]


def utc(seconds=0):
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def attribute(xml, name):
    found = re.search(rf'\b{name}="([^"]*)"', xml)
    return found and found[1]


class Registry:
    """The two lists of identity providers that the emulator publishes, and the refresh of ours from them."""

    def __init__(self, stack):
        self.stack, self.url, self.http = stack, stack.url("spid"), requests.Session()

    def refresh(self):
        self.stack.sql("identity", "NOTIFY tasks, 'saml-registries'")

    def known(self, federation="spid"):
        items = self.http.get(self.stack.url() + "/identity/v1/login-providers", timeout=10).json()["items"]
        return [item["entityId"] for item in items if item["federation"] == federation]

    def add(self, metadata, federation="spid"):
        entity = attribute(metadata, "entityID")
        assert self.http.post(f"{self.url}/emulator/registry/{federation}", data=metadata.encode(), timeout=10).status_code == 204
        self.refresh()
        eventually(lambda: entity in self.known(federation))

    def reset(self):
        """Only the emulator's own providers are known again."""
        self.http.delete(self.url + "/emulator/registry", timeout=10)
        self.refresh()
        eventually(lambda: self.known("spid") == [self.url + "/spid"] and self.known("cie") == [self.url + "/cie"])

    def tamper(self, on):
        assert self.http.patch(self.url + "/emulator/knobs", json={"tamperRegistry": on}, timeout=10).status_code == 204


class Request:
    """What the browser was sent to a provider with."""

    def __init__(self, response):
        if response.status_code == 302:
            self.location = response.headers["Location"].split("?")[0]
            fields = {name: values[0] for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()}
            self.xml = zlib.decompress(base64.b64decode(fields["SAMLRequest"]), -15).decode()
        else:
            assert response.status_code == 200, f"{response.status_code} {response.text[:500]}"
            form = clients.Form(response.text)
            self.location, fields = form.action, form.fields
            self.xml = base64.b64decode(fields["SAMLRequest"]).decode()
        self.fields, self.relay, self.id = fields, fields["RelayState"], attribute(self.xml, "ID")
        self.entity, self.set = attribute(self.xml, "NameQualifier"), attribute(self.xml, "AttributeConsumingServiceIndex")
        self.level = int(re.search(re.escape(LEVEL) + "([1-3])", self.xml)[1])


class SpidBrowser(Browser):
    """A browser on its way through a provider."""

    def ask(self, provider, binding=None, **changed):
        """From the front end straight to the provider's door."""
        answer = self.authorize(idp=provider, idp_binding=binding, **changed)
        assert answer.status_code == 302, answer.text[:500]
        return self.follow(answer.headers["Location"])

    def follow(self, location):
        self.request = parse_qs(urlsplit(location).query)["request"][0]
        return Request(self.get(clients.local(location)))

    def bring(self, response, relay):
        """Posts a response, as the provider's page does."""
        return self.post("/identity/v1/saml/responses", data={
            "SAMLResponse": base64.b64encode(response if isinstance(response, bytes) else response.encode()).decode(), "RelayState": relay})

    def at_emulator(self, request, **choice):
        """Chooses on the emulator's page: person=…, error=…, fault=…; gives what our side answers to the response."""
        site = requests.Session()
        page = site.get(request.location, params=request.fields, timeout=30) if "Signature" in request.fields else \
            site.post(request.location, data=request.fields, timeout=30)
        form = clients.Form(page.text)
        assert page.status_code == 200 and "request" in form.fields, f"the emulator refused: {page.status_code} {page.text[-800:]}"
        answer = site.post(urljoin(page.url, form.action), data={**form.fields, **choice}, timeout=30)
        form = clients.Form(answer.text)
        assert answer.status_code == 200 and "SAMLResponse" in form.fields, answer.text[-800:]
        self.response = form.fields
        return self.post(clients.local(form.action), data=form.fields)


class Provider:
    """An identity provider with a key of its own, registered through the emulator."""

    def __init__(self, stack, registry, federation="spid"):
        self.entity = f"https://idp-{secrets.token_hex(4)}.example"
        self.consumer, self.federation = stack.url() + "/identity/v1/saml/responses", federation
        self.key = rsa.generate_private_key(65537, 2048)
        self.folder = Path(tempfile.mkdtemp())
        (self.folder / "key.pem").write_bytes(self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a provider of the tests")])
        start = datetime(2020, 1, 1, tzinfo=timezone.utc)   # long expired: the registry says what is trusted, not the dates
        self.certificate = base64.b64encode(
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key()).serial_number(1)
            .not_valid_before(start).not_valid_after(start + timedelta(days=30)).sign(self.key, hashes.SHA256())
            .public_bytes(serialization.Encoding.DER)).decode()
        registry.add(self.metadata(), federation)

    def metadata(self):
        ends = "".join(f'<md:{service} Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-{binding}" Location="{self.entity}/{where}"/>'
                       for service, where in (("SingleLogoutService", "slo"), ("SingleSignOnService", "sso"))
                       for binding in ("Redirect", "POST"))
        return ('<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" '
                f'entityID="{self.entity}"><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
                f'<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{self.certificate}</ds:X509Certificate>'
                f'</ds:X509Data></ds:KeyInfo></md:KeyDescriptor>{ends}</md:IDPSSODescriptor></md:EntityDescriptor>')

    def assertion(self, request, attributes, level=2, name_id=None, session=None, id=None):
        values = "".join(f'<saml:Attribute Name="{name}"><saml:AttributeValue>{value}</saml:AttributeValue></saml:Attribute>'
                         for name, value in attributes.items())
        id = id or "_" + secrets.token_hex(16)
        index = f' SessionIndex="{session}"' if session else ""
        return (f'<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{id}" Version="2.0" IssueInstant="{utc()}">'
                f'<saml:Issuer Format="{ENTITY}">{self.entity}</saml:Issuer><!--SIGNATURE {id}--><saml:Subject><saml:NameID '
                f'Format="{TRANSIENT}" NameQualifier="{self.entity}">{name_id or secrets.token_hex(16)}</saml:NameID>'
                '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData '
                f'InResponseTo="{request.id}" NotOnOrAfter="{utc(300)}" Recipient="{self.consumer}"/></saml:SubjectConfirmation>'
                f'</saml:Subject><saml:Conditions NotBefore="{utc()}" NotOnOrAfter="{utc(300)}"><saml:AudienceRestriction>'
                f'<saml:Audience>{request.entity}</saml:Audience></saml:AudienceRestriction></saml:Conditions>'
                f'<saml:AuthnStatement AuthnInstant="{utc()}"{index}><saml:AuthnContext><saml:AuthnContextClassRef>{LEVEL}{level}'
                '</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>'
                f'<saml:AttributeStatement>{values}</saml:AttributeStatement></saml:Assertion>')

    def envelope(self, request, inside, id=None, signed=False, before=""):
        id = id or "_" + secrets.token_hex(16)
        return (f'<samlp:Response {NAMESPACES} ID="{id}" Version="2.0" IssueInstant="{utc()}" InResponseTo="{request.id}" '
                f'Destination="{self.consumer}"><saml:Issuer Format="{ENTITY}">{self.entity}</saml:Issuer>'
                f'{f"<!--SIGNATURE {id}-->" if signed else ""}{before}<samlp:Status><samlp:StatusCode '
                f'Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>{inside}</samlp:Response>')

    def sign(self, xml, transforms=None, digest="http://www.w3.org/2001/04/xmlenc#sha256", method=RSA_SHA256, uri=None):
        """Fills in the places that are marked for a signature, the innermost (last) first, with xmlsec1."""
        transforms = transforms or ["http://www.w3.org/2000/09/xmldsig#enveloped-signature", "http://www.w3.org/2001/10/xml-exc-c14n#"]
        while marks := re.findall("<!--SIGNATURE ([^ ]+)-->", xml):
            id = marks[-1]
            chain = "".join(f'<ds:Transform Algorithm="{transform}"/>' for transform in transforms)
            xml = xml.replace(f"<!--SIGNATURE {id}-->", (
                '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod '
                f'Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="{method}"/>'
                f'<ds:Reference URI="{f"#{id}" if uri is None else uri}"><ds:Transforms>{chain}</ds:Transforms>'
                f'<ds:DigestMethod Algorithm="{digest}"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/></ds:Signature>'))
            file = self.folder / secrets.token_hex(8)
            file.write_text(xml)
            done = subprocess.run(["xmlsec1", "--sign", "--privkey-pem", self.folder / "key.pem", *IDS, "--node-xpath", f'//*[@ID="{id}"]/*[local-name()="Signature"]',
                                   file], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            xml = done.stdout.split("?>\n", 1)[-1].strip()
        return xml

    def good(self, request, attributes, signed=True, **more):
        """A response by all the rules."""
        return self.sign(self.envelope(request, self.assertion(request, attributes, **more), signed=signed))

    def redirect(self, name, xml, relay="x"):
        """The query with which a browser brings a logout message, signed."""
        packed = zlib.compressobj(9, zlib.DEFLATED, -15)
        text = base64.b64encode(packed.compress(xml.encode()) + packed.flush()).decode()
        covered = f"{name}={quote(text, safe='')}&RelayState={quote(relay, safe='')}&SigAlg={quote(RSA_SHA256, safe='')}"
        signature = base64.b64encode(self.key.sign(covered.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
        return f"{covered}&Signature={quote(signature, safe='')}"


# ---- what tests say

def someone(**more):
    """The attributes of a person whom nobody knows yet."""
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
