"""How spid-sp-test reaches our AuthnRequest, and what counts as success: as a browser it begins a login at GET /authorize, follows it to the
provider's door, and after the response it asks the token endpoint for tokens. So a 200 means that somebody is really logged in.

Named to the tool as --authn-plugin portico_plugin.Login; --authn-url is the address of GET /authorize with client_id, redirect_uri, scope, idp
and idp_binding."""
import base64
import hashlib
import secrets
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

verifiers = {}          # by requests session: the tool makes a new plugin object for the request and for the response


class Login:
    def __init__(self, session, url, *options):
        self.session, self.url = session, url

    def request(self):
        """The address where the AuthnRequest is made, after the browser has begun its login."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        verifiers[id(self.session)] = verifier
        parts = urlsplit(self.url)
        asked = dict(parse_qsl(parts.query)) | {
            "response_type": "code", "state": secrets.token_urlsafe(8), "nonce": secrets.token_urlsafe(8),
            "code_challenge": challenge, "code_challenge_method": "S256"}
        begun = self.session.get(urlunsplit(parts._replace(query=urlencode(asked))), allow_redirects=False)
        assert begun.status_code == 302, f"{begun.status_code} {begun.text}"
        return begun.headers["Location"]

    def response(self, url, data):
        """What came of the response: 200 when tokens came of it."""
        answer = self.session.post(url, data=data, allow_redirects=False)
        if answer.status_code != 302:
            return answer
        asked, told = dict(parse_qsl(urlsplit(self.url).query)), parse_qs(urlsplit(answer.headers["Location"]).query)
        return self.session.post(self.url.split("/authorize")[0] + "/token", data={
            "grant_type": "authorization_code", "code": told.get("code", [""])[0], "client_id": asked["client_id"],
            "redirect_uri": asked["redirect_uri"], "code_verifier": verifiers.pop(id(self.session))})
