"""The pagoPA node as the tests play it: SOAP calls to a creditor's station, each answer validated against the official paForNode.xsd where the
reference folder is there (otherwise the tests that need it are skipped, and say so)."""
import os
import subprocess
import uuid
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest

from .contracts import ROOT

PATH = "/payments/v1/pagopa/node"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
PA_FOR_NODE = "http://pagopa-api.pagopa.gov.it/pa/paForNode.xsd"
CREDITORS = {"c_a944": "01232710374", "c_a662": "80015010723"}
REQUESTS = {"paVerifyPaymentNotice": "paVerifyPaymentNoticeReq", "paGetPayment": "paGetPaymentReq",
            "paGetPaymentV2": "paGetPaymentV2Request", "paSendRT": "paSendRTReq", "paSendRTV2": "paSendRTV2Request",
            "paDemandPaymentNotice": "paDemandPaymentNoticeRequest"}


def schema():
    reference = Path(os.environ.get("PORTICO_REFERENCE", ROOT / "../shared/reference")).resolve()
    file = reference / "contracts/pagopa/soap/wsdl/xsd/paForNode.xsd"
    return file if file.exists() else None


def require_schema():
    return schema() or pytest.skip("SKIPPED, NOT PROVEN: the official paForNode.xsd is not here (PORTICO_REFERENCE)")


def violations(element):
    """What xmllint finds wrong with one element by the official schema; nothing where that is absent."""
    if not schema():
        return ""
    done = subprocess.run(["xmllint", "--noout", "--nonet", "--schema", schema(), "-"], input=ElementTree.tostring(element),
                          capture_output=True)
    return "" if done.returncode == 0 else done.stderr.decode()


def xml(members):
    """Members in their order as elements; a list repeats its element."""
    if isinstance(members, dict):
        return "".join(f"<{name}>{xml(entry)}</{name}>" for name, value in members.items()
                       for entry in (value if isinstance(value, list) else [value]))
    return escape(str(members))


def envelope(element, members):
    return (f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{SOAP}" xmlns:pafn="{PA_FOR_NODE}"><soapenv:Header/>'
            f"<soapenv:Body><pafn:{element}>{xml(members)}</pafn:{element}></soapenv:Body></soapenv:Envelope>")


class Answer:
    """What the station said: outcome, fault, and any leaf by its path: answer["data/paymentAmount"]."""

    def __init__(self, response):
        self.response = response
        root = ElementTree.fromstring(response.content)
        assert root.tag == f"{{{SOAP}}}Envelope"
        (self.element,) = root.find(f"{{{SOAP}}}Body")
        self.name = self.element.tag.removeprefix(f"{{{PA_FOR_NODE}}}")
        wrong = violations(self.element)
        assert not wrong, f"{self.name} breaks the schema: {wrong}\n{response.text}"

    def __getitem__(self, path):
        return self.element.findtext(path)

    @property
    def outcome(self):
        """OK, or the code of the fault."""
        return "OK" if self["outcome"] == "OK" else self["fault/faultCode"]


class Node:
    """node.verify(position), node.take(position), node.bring(receipt)."""

    def __init__(self, client, key):
        self.client, self.key = client, key

    def post(self, body, action=None, expect=200, key=None, content_type="text/xml; charset=utf-8"):
        headers = {"Content-Type": content_type, "SOAPAction": f'"{action}"' if action else '""',
                   "Ocp-Apim-Subscription-Key": self.key if key is None else key}
        return self.client.post(PATH, data=body.encode() if isinstance(body, str) else body, headers=headers, expect=expect)

    def call(self, action, members):
        return Answer(self.post(envelope(REQUESTS[action], members), action))

    def verify(self, position, **changes):
        return self.call("paVerifyPaymentNotice", about(position, **changes))

    def take(self, position, action="paGetPaymentV2", **changes):
        return self.call(action, about(position, **changes))

    def bring(self, receipt, action="paSendRTV2"):
        return self.call(action, receipt)


def station_of(creditor):
    return {"idPA": creditor, "idBrokerPA": creditor, "idStation": f"{creditor}_01"}


def about(position, **changes):
    creditor, notice = position["creditorFiscalCode"], changes.pop("noticeNumber", position.get("noticeNumber"))
    return {**station_of(creditor), **changes, "qrCode": {"fiscalCode": creditor, "noticeNumber": notice}}


def receipt(position, amount=None, notice=None, **changes):
    """The receipt of a payment of one notice of a position, amount in cents."""
    creditor = position["creditorFiscalCode"]
    part = next((i for i in position["instalments"] if i["noticeNumber"] == notice), position["instalments"][0])
    cents = part["amount"]["amount"] if amount is None else amount
    euros = f"{cents // 100}.{cents % 100:02}"
    return {**station_of(creditor), "receipt": {
        "receiptId": uuid.uuid4().hex, "noticeNumber": part["noticeNumber"], "fiscalCode": creditor, "outcome": "OK",
        "creditorReferenceId": part["iuv"], "paymentAmount": euros, "description": position["reason"],
        "companyName": position["tenantName"],
        "debtor": {"uniqueIdentifier": {"entityUniqueIdentifierType": "F",
                                        "entityUniqueIdentifierValue": position["debtor"]["fiscalCode"]},
                   "fullName": position["debtor"]["name"]},
        "transferList": {"transfer": {
            "idTransfer": 1, "transferAmount": euros, "fiscalCodePA": creditor, "IBAN": "IT60X0542811101000000123456",
            "remittanceInformation": "prova", "transferCategory": "0101101IM"}},
        "idPSP": "88888888888", "PSPCompanyName": "PSP di prova", "idChannel": "88888888888_01", "channelDescription": "app",
        "paymentMethod": "creditCard", "fee": "2.00", "paymentDateTime": "2026-11-21T17:48:22", "applicationDate": "2026-11-21",
        "transferDate": "2026-11-22", "standIn": "false"} | changes}
