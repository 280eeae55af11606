"""What people do with Portico, as verbs: make a position, pay it, write a notice, register a document, take a practice through its
states. Each asserts that it worked, so that a test says only what it is about."""
import random
import re
import uuid
from datetime import date, timedelta

from .waiting import eventually

MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


def unique():
    return uuid.uuid4().hex


def email_of(citizen):
    return citizen.get("/identity/v1/me", expect=200).json()["contacts"]["email"]


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


def paid_position(pagopa, operator, debtor):
    """A position with its receipt."""
    made = position(operator, debtor)
    pagopa.pay(debtor, made)
    return eventually(lambda: debtor.get(f"/payments/v1/positions/{made['id']}", expect=200).json()["state"] == "paid" and made)


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


# ---- dossier

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n" \
      b"trailer<</Root 1 0 R>>\n%%EOF\n"


def service(client, code, tenant="c_a944"):
    """The service of the catalogue with that code, as a citizen finds it."""
    found = client.get("/dossier/v1/services", params={"tenant": tenant, "limit": 100}, expect=200).json()["items"]
    return next(item for item in found if item["code"] == code)


def value_for(schema):
    """Some valid answer to a field of a form."""
    for key in ("example", "default"):
        if key in schema:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: value_for(schema["properties"][name]) for name in schema.get("required", [])}
    if kind == "array":
        return [value_for(schema["items"]) for _ in range(schema.get("minItems", 0))]
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    if kind == "boolean":
        return True
    known = {"date": str(date.today() + timedelta(days=20)), "email": "anna@posta.example", "codice-fiscale": "BNCNNA85C52A944U"}
    return known.get(schema.get("format"), "Via Saragozza 12, Bologna".ljust(schema.get("minLength", 0), ".")[:schema.get("maxLength", 100)])


def answers(form):
    """The form as a citizen fills it in: what is known already, and something valid in each required field that is left."""
    fields = form["schema"]["properties"]
    return {name: value_for(fields[name]) for name in form["schema"].get("required", [])} | form["prefill"]


def draft(citizen, code="passo-carraio", tenant="c_a944", **options):
    wanted = service(citizen, code, tenant)
    form = citizen.get(f"/dossier/v1/services/{wanted['id']}/form", expect=200).json()
    made = citizen.post("/dossier/v1/practices", {"serviceId": wanted["id"], "data": answers(form)}, expect=201, **options).json()
    for attachment in form["attachments"]:
        if attachment["required"]:
            attach(citizen, made, kind=attachment["kind"])
    return made


def attach(citizen, practice, kind="other", name="allegato.pdf", content=PDF, media_type="application/pdf"):
    return citizen.post(f"/dossier/v1/practices/{practice['id']}/documents", data=content, params={"name": name, "kind": kind},
                        headers={"Content-Type": media_type}, expect=201).json()


def act(person, practice, step, json=None, expect=200):
    """One step of the procedure: act(citizen, practice, "submission")."""
    return person.post(f"/dossier/v1/practices/{practice['id']}/{step}", json, expect=expect).json()


def show(person, practice):
    return person.get(f"/dossier/v1/practices/{practice['id']}", expect=200).json()


def await_state(person, practice, *states, within=30):
    def look():
        now = show(person, practice)
        assert now["state"] in states, f"practice {now['id']} is {now['state']}, not {' or '.join(states)}"
        return now
    return eventually(look, within)


def in_review(citizen, pagopa, code="passo-carraio", tenant="c_a944"):
    """A practice that the office has: sent in, registered, its fee paid."""
    made = draft(citizen, code, tenant)
    act(citizen, made, "submission")
    if await_state(citizen, made, "payment-due", "in-review")["state"] == "payment-due":
        pagopa.pay(citizen, due_of(citizen, made))
    return await_state(citizen, made, "in-review")


def due_of(citizen, practice, within=20):
    """The debt position of a practice's fee, as soon as it is there."""
    def look():
        found = citizen.get("/payments/v1/positions", params={"referenceId": practice["id"]}, expect=200).json()["items"]
        assert found, f"practice {practice['id']} has no debt position"
        return found[0]
    return eventually(look, within)


def closed(citizen, operator, pagopa, **options):
    """A practice with its decision registered and issued."""
    made = in_review(citizen, pagopa, **options)
    act(operator, made, "approval", {"note": "Si autorizza."})
    return await_state(citizen, made, "closed")


# ---- booking

def free_slots(client, tenant="c_a944", service="passo-carraio"):
    """(agenda, slot) for every free place of the days to come."""
    agendas = client.get("/booking/v1/agendas", params={"tenant": tenant, "service": service}, expect=200).json()["items"]
    assert agendas, f"{tenant} has no agenda for {service}"
    days = {"from": str(date.today() + timedelta(days=1)), "to": str(date.today() + timedelta(days=29))}
    return [(agenda, slot) for agenda in agendas
            for slot in client.get(f"/booking/v1/agendas/{agenda['id']}/slots", params=days, expect=200).json()["items"]]


def new_appointment(client, **more):
    agenda, slot = random.choice(free_slots(client))
    return {"agendaId": agenda["id"], "startsAt": slot["startsAt"]} | more


def hold(citizen, **more):
    """A held place, which is given back at the end only by its own end: cancel it, a person holds at most five."""
    return citizen.post("/booking/v1/appointments", new_appointment(citizen, **more), expect=201).json()


def codes(mailbox, address):
    """The letters with a code to that address."""
    return [letter for letter in mailbox.to(address) if letter["subject"] == "Il tuo codice di conferma"]


def code_of(mailbox, address, after=0):
    """The newest code that was sent to that address, as soon as more than so many were."""
    letters = eventually(lambda: (found := codes(mailbox, address)) and len(found) > after and found)
    return re.search(r"\b([0-9]{6})\b", letters[0]["text"])[1]


# ---- mandates

def new_mandate(code=None, **more):
    return {"fiscalCode": code or fiscal_code(), "givenName": "Ines", "familyName": "Prova", "scopes": ["practices", "payments"],
            "purpose": "Domanda di contrassegno per la sosta", "duration": "31-days"} | more


def mandate(operator, code=None, signed=True, **more):
    """A mandate of the operator's office; active when it is signed."""
    made = operator.post("/identity/v1/mandates", new_mandate(code, **more), expect=201).json()
    if not signed:
        return made
    return operator.put(f"/identity/v1/mandates/{made['id']}/paper", data=PDF, headers={"Content-Type": "application/pdf"}, expect=200).json()


# ---- delegations

def new_delegation(code=None, **more):
    return {"fiscalCode": code or fiscal_code(), "name": "Davide", "scopes": ["practices", "payments"],
            "endsOn": str(date.today() + timedelta(days=30))} | more


def delegation(citizen, code=None, **more):
    """One that the citizen gave, with its code; an older one to the same person is over."""
    for each in citizen.get("/identity/v1/delegations?limit=100", expect=200).json()["items"]:
        if code and each["delegate"]["fiscalCode"] == code:
            citizen.delete(f"/identity/v1/delegations/{each['id']}", expect=204)
    return citizen.post("/identity/v1/delegations", new_delegation(code, **more), expect=201).json()
