"""What people do with Portico, as verbs: make a position, pay it, write a notice, register a document, take a practice through its
states. Each asserts that it worked, so that a test says only what it is about."""
import random
import uuid
from datetime import date, timedelta

MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


def current_session(person):
    sessions = person.get("/identity/v1/sessions", params={"limit": 100}, expect=200).json()["items"]
    return next(session["id"] for session in sessions if session["current"])


def new_operator():
    return {"givenName": "Sara", "familyName": "Fontana", "fiscalCode": fiscal_code(), "email": "sara.fontana@comune.bologna.example",
            "roles": ["operator"], "offices": ["anagrafe"]}


def fiscal_code():
    """A formally valid codice fiscale of nobody in particular."""
    letter = lambda: random.choice("BCDFGLMNPRSTVZ")
    code = "".join(letter() for _ in range(6)) + f"{random.randint(50, 99)}{random.choice('ABCDEHLMPRST')}" \
        f"{random.randint(1, 28):02}A944"
    odd = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]
    value = lambda c: int(c) if c.isdigit() else ord(c) - ord("A")
    return code + chr(ord("A") + sum(value(c) if i % 2 else odd[value(c)] for i, c in enumerate(code)) % 26)


# ---- payments

def new_position(debtor, amount=4550, **more):
    return {"debtor": {"fiscalCode": debtor.person["fiscal code"], "name": debtor.name}, "reason": "Diritti di segreteria",
            "amount": amount, "dueDate": str(date.today() + timedelta(days=30)),
            "reference": {"kind": "test", "id": str(uuid.uuid4())}} | more


def position(operator, debtor, **more):
    return operator.post("/payments/v1/positions", new_position(debtor, **more), expect=201).json()


def new_checkout(position):
    return {"positionIds": [position["id"]], "returnUrls": {
        "ok": "https://area.example/ok", "cancel": "https://area.example/no", "error": "https://area.example/error"}}


def checkout(citizen, position):
    return citizen.post("/payments/v1/checkouts", new_checkout(position), expect=201).json()


# ---- notifications

def new_notice(citizen, **more):
    return {"personId": citizen.sub, "subject": "Il sopralluogo è stato fissato", "text": "Il tecnico verrà il 3 dicembre.",
            "channels": ["inbox"]} | more


def notice(operator, citizen, **more):
    return operator.post("/notifications/v1/notices", new_notice(citizen, **more), expect=201).json()


# ---- protocol

def new_registration(**more):
    return {"direction": "in", "object": "Richiesta di prova", "sender": {"name": "Anna Bianchi", "fiscalCode": "BNCNNA85C52A944U"},
            "documents": [{"name": "lettera.pdf", "mediaType": "application/pdf", "size": 4821, "sha256": uuid.uuid4().hex * 2}]} | more


def registration(operator, **more):
    return operator.post("/protocol/v1/registrations", new_registration(**more), expect=201).json()
