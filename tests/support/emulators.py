"""The emulators of the stack, as the tests use them: paying at pagoPA, what arrived by e-mail, what is on App IO."""
import requests

from .waiting import eventually


class Emulator:
    def __init__(self, url):
        self.url, self.http = url, requests.Session()

    def get(self, path, **options):
        answer = self.http.get(self.url + path, timeout=10, **options)
        assert answer.status_code == 200, f"{self.url}{path} gave {answer.status_code}: {answer.text[:300]}"
        return answer.json()


class PagoPa(Emulator):
    def pay(self, citizen, position):
        """The citizen opens a checkout for the position and pays on pagoPA's page."""
        checkout = citizen.post("/payments/v1/checkouts", {"positionIds": [position["id"]], "returnUrls": {
            "ok": "https://area.example/ok", "cancel": "https://area.example/no", "error": "https://area.example/error"}},
            expect=201).json()
        page = eventually(lambda: citizen.get(f"/payments/v1/checkouts/{checkout['id']}", expect=200).json().get("paymentUrl"))
        answer = self.http.post(page, data={"action": "pay"}, allow_redirects=False, timeout=30)
        assert answer.status_code == 303 and answer.headers["Location"] == "https://area.example/ok", \
            f"pagoPA did not take the payment: {answer.status_code} {answer.headers.get('Location')} {answer.text[:500]}"
        return checkout

    def pay_at_the_bank(self, position, creditor):
        """Somebody pays the notice elsewhere; True when the bank could."""
        answer = self.http.post(self.url + "/emulator/payments", timeout=30, json={
            "fiscalCode": creditor, "noticeNumber": position["noticeNumber"]})
        return answer.status_code == 202

    def knobs(self, **knobs):
        """pagopa.knobs(loseReceipts=3); without any, all are back to nothing."""
        if knobs:
            answer = self.http.patch(self.url + "/emulator/knobs", json=knobs, timeout=10)
        else:
            answer = self.http.delete(self.url + "/emulator/knobs", timeout=10)
        assert answer.status_code < 300, answer.text


class Mailbox(Emulator):
    def to(self, address):
        """The messages that arrived for that address, the newest first; each has subject, text, html."""
        return self.get("/messages", params={"to": address, "limit": 1000})["items"]


class AppIo(Emulator):
    def to(self, fiscal_code):
        """The messages on that citizen's phone; the text stands in content.subject and content.markdown."""
        return self.get("/emulator/messages", params={"fiscal_code": fiscal_code})["items"]
