"""The right call of each protected operation, by service and operationId: what must exist before it, and who makes it."""
import json
import uuid

from support import portico

from .conftest import Right

RECIPES = {}


def recipe(function):
    """@recipe def payments_showPosition(world): …"""
    RECIPES[function.__name__.replace("_", ".", 1)] = function
    return function


# ---- identity: what a person sees and changes of her own

@recipe
def identity_showUserinfo(w):
    return Right(w.anna, "GET", "/identity/v1/userinfo", {}, secret=w.anna.person["fiscal code"])


@recipe
def identity_showMe(w):
    return Right(w.anna, "GET", "/identity/v1/me", {}, secret=w.anna.person["fiscal code"])


@recipe
def identity_changeMe(w):
    phone = w.anna.get("/identity/v1/me").json()["contacts"]["mobilePhone"]
    return Right(w.anna, "PATCH", "/identity/v1/me", {"json": {"contacts": {"mobilePhone": phone}}, "headers": portico.MERGE_PATCH},
                 bystander=lambda: w.anna.get("/identity/v1/me").json()["contacts"])


@recipe
def identity_showPreferences(w):
    w.anna.put("/identity/v1/me/preferences", {"language": "it", "channels": ["app-io", "email"], "exceptions": [
        {"tenant": "c_l736", "topic": "bookings", "channels": ["email"]}]}, expect=200)
    return Right(w.anna, "GET", "/identity/v1/me/preferences", {}, secret="c_l736")


@recipe
def identity_replacePreferences(w):
    return Right(w.anna, "PUT", "/identity/v1/me/preferences", {"json": {"language": "it", "channels": ["app-io", "email"]}},
                 bystander=lambda: w.anna.get("/identity/v1/me/preferences").json())


@recipe
def identity_listSessions(w):
    return Right(w.anna, "GET", "/identity/v1/sessions", {"params": {"limit": 100}}, secret=portico.current_session(w.anna))


@recipe
def identity_endSession(w):
    other = w.citizen("Anna Bianchi", scope="openid profile offline_access messages payments")
    session = portico.current_session(other)
    return Right(w.anna, "DELETE", f"/identity/v1/sessions/{session}", {}, names=session)


@recipe
def identity_listOperators(w):
    return Right(w.elena, "GET", "/identity/v1/operators", {}, secret=w.chiara.sub)


@recipe
def identity_createOperator(w):
    return Right(w.elena, "POST", "/identity/v1/operators", {"json": portico.new_operator()},
                 bystander=lambda: w.elena.get("/identity/v1/operators?limit=100").json())


@recipe
def identity_inviteOperator(w):
    made = w.elena.post("/identity/v1/operators", portico.new_operator() | {"email": f"sara.{portico.unique()}@comune.bologna.example"},
                        expect=201).json()
    return Right(w.elena, "POST", f"/identity/v1/operators/{made['id']}/invitations", {}, names=made["id"])


@recipe
def identity_removeOperatorRole(w):
    made = w.elena.post("/identity/v1/operators", portico.new_operator(), expect=201).json()
    return Right(w.elena, "DELETE", f"/identity/v1/operators/{made['id']}/roles/operator", {}, names=made["id"])


def unverified(w):
    """Anna has an e-mail that nobody has verified."""
    w.anna.patch("/identity/v1/me", {"contacts": {"email": None}}, expect=200)
    w.anna.patch("/identity/v1/me", {"contacts": {"email": "anna.bianchi@posta.example"}}, expect=200)
    w.mint.stack.sql("identity", f"DELETE FROM contact_codes WHERE person_id = '{w.anna.sub}'")


@recipe
def identity_beginContactVerification(w):
    unverified(w)
    return Right(w.anna, "POST", "/identity/v1/me/contact-verifications", {}, secret="anna.bianchi@posta.example")


@recipe
def identity_confirmContact(w):
    unverified(w)
    before = len(portico.codes(w.mailbox, "anna.bianchi@posta.example"))
    begun = w.anna.post("/identity/v1/me/contact-verifications", expect=201).json()
    code = portico.code_of(w.mailbox, "anna.bianchi@posta.example", before)
    return Right(w.anna, "POST", f"/identity/v1/me/contact-verifications/{begun['id']}/confirmation", {"json": {"code": code}}, names=begun["id"])


@recipe
def identity_listDelegations(w):
    made = portico.delegation(w.anna)
    return Right(w.anna, "GET", "/identity/v1/delegations", {"params": {"limit": 100}}, secret=made["id"])


@recipe
def identity_createDelegation(w):
    return Right(w.anna, "POST", "/identity/v1/delegations", {"json": portico.new_delegation()},
                 bystander=lambda: w.anna.get("/identity/v1/delegations?limit=100").json())


@recipe
def identity_changeDelegation(w):
    made = portico.delegation(w.anna)
    return Right(w.anna, "PATCH", f"/identity/v1/delegations/{made['id']}", {"json": {"scopes": ["payments"]}, "headers": portico.MERGE_PATCH},
                 names=made["id"])


@recipe
def identity_endDelegation(w):
    made = portico.delegation(w.anna)
    return Right(w.anna, "DELETE", f"/identity/v1/delegations/{made['id']}", {}, names=made["id"])


@recipe
def identity_acceptDelegation(w):
    made = portico.delegation(w.citizen("Davide Conti"), w.anna.person["fiscal code"])
    return Right(w.anna, "POST", f"/identity/v1/delegations/{made['id']}/acceptance", {"json": {"code": made["code"]}}, names=made["id"])


@recipe
def identity_listPreferenceVersions(w):
    w.anna.put("/identity/v1/me/preferences", {"language": "it", "channels": ["app-io", "email"], "exceptions": [
        {"tenant": "c_l736", "topic": "messages", "channels": ["email"]}]}, expect=200)
    return Right(w.anna, "GET", "/identity/v1/me/preferences/versions", {}, secret="c_l736")


@recipe
def identity_listJournal(w):
    newest = w.anna.get("/identity/v1/me/journal", expect=200).json()["items"][0]["id"]
    return Right(w.anna, "GET", "/identity/v1/me/journal", {"params": {"limit": 100}}, secret=newest)


@recipe
def identity_listMandates(w):
    made = portico.mandate(w.chiara, w.anna.person["fiscal code"])
    return Right(w.chiara, "GET", "/identity/v1/mandates", {}, secret=made["id"])


@recipe
def identity_createMandate(w):
    return Right(w.chiara, "POST", "/identity/v1/mandates", {"json": portico.new_mandate(w.anna.person["fiscal code"])},
                 bystander=lambda: w.chiara.get("/identity/v1/mandates?limit=100").json())


@recipe
def identity_showMandate(w):
    made = portico.mandate(w.chiara, w.anna.person["fiscal code"])
    return Right(w.anna, "GET", f"/identity/v1/mandates/{made['id']}", {}, secret=made["id"], names=made["id"])


@recipe
def identity_endMandate(w):
    made = portico.mandate(w.chiara, w.anna.person["fiscal code"])
    return Right(w.anna, "DELETE", f"/identity/v1/mandates/{made['id']}", {}, names=made["id"])


@recipe
def identity_renewMandate(w):
    made = portico.mandate(w.chiara, w.anna.person["fiscal code"])
    return Right(w.chiara, "POST", f"/identity/v1/mandates/{made['id']}/renewals", {"json": {"duration": "1-day"}}, names=made["id"])


@recipe
def identity_takeMandatePaper(w):
    made = portico.mandate(w.chiara, w.anna.person["fiscal code"], signed=False)
    return Right(w.chiara, "PUT", f"/identity/v1/mandates/{made['id']}/paper",
                 {"data": portico.PDF, "headers": {"Content-Type": "application/pdf"}}, names=made["id"])


@recipe
def identity_showMandatePaper(w):
    made = portico.mandate(w.chiara, w.anna.person["fiscal code"])
    return Right(w.anna, "GET", f"/identity/v1/mandates/{made['id']}/paper", {}, names=made["id"])


# ---- payments

@recipe
def payments_listPositions(w):
    position = portico.position(w.roberto, w.anna)
    return Right(w.anna, "GET", "/payments/v1/positions", {"params": {"limit": 100}}, secret=position["id"])


@recipe
def payments_createPosition(w):
    return Right(w.roberto, "POST", "/payments/v1/positions", {"json": portico.new_position(w.anna)})


@recipe
def payments_showPosition(w):
    position = portico.position(w.roberto, w.anna)
    return Right(w.anna, "GET", f"/payments/v1/positions/{position['id']}", {}, secret=position["id"], names=position["id"])


@recipe
def payments_cancelPosition(w):
    position = portico.position(w.roberto, w.anna)
    return Right(w.roberto, "POST", f"/payments/v1/positions/{position['id']}/cancellation", {"json": {"reason": "emessa per errore"}},
                 names=position["id"])


@recipe
def payments_showPositionReceipt(w):
    position = portico.paid_position(w.pagopa, w.roberto, w.anna)
    return Right(w.anna, "GET", f"/payments/v1/positions/{position['id']}/receipt", {}, secret=position["id"], names=position["id"])


@recipe
def payments_listReceipts(w):
    position = portico.paid_position(w.pagopa, w.roberto, w.anna)
    return Right(w.roberto, "GET", "/payments/v1/receipts", {"params": {"limit": 100}}, secret=position["noticeNumber"])


@recipe
def payments_createCheckout(w):
    position = portico.position(w.roberto, w.anna)
    return Right(w.anna, "POST", "/payments/v1/checkouts", {"json": portico.new_checkout(position)}, names=position["id"])


@recipe
def payments_showCheckout(w):
    checkout = portico.checkout(w.anna, portico.position(w.roberto, w.anna))
    return Right(w.anna, "GET", f"/payments/v1/checkouts/{checkout['id']}", {}, secret=checkout["id"], names=checkout["id"])


# ---- notifications

@recipe
def notifications_listNotices(w):
    notice = portico.notice(w.chiara, w.anna)
    return Right(w.anna, "GET", "/notifications/v1/notices", {"params": {"limit": 100}}, secret=notice["id"])


@recipe
def notifications_createNotice(w):
    return Right(w.chiara, "POST", "/notifications/v1/notices", {"json": portico.new_notice(w.anna)})


@recipe
def notifications_showNotice(w):
    notice = portico.notice(w.chiara, w.anna)
    return Right(w.anna, "GET", f"/notifications/v1/notices/{notice['id']}", {}, secret=notice["id"], names=notice["id"])


@recipe
def notifications_readNotice(w):
    notice = portico.notice(w.chiara, w.anna)
    return Right(w.anna, "POST", f"/notifications/v1/notices/{notice['id']}/reading", {}, secret="readAt", names=notice["id"])


@recipe
def notifications_listTemplates(w):
    return Right(w.chiara, "GET", "/notifications/v1/templates", {})


@recipe
def notifications_showTemplate(w):
    return Right(w.chiara, "GET", "/notifications/v1/templates/practice.registered", {})


@recipe
def notifications_previewTemplate(w):
    return Right(w.chiara, "POST", "/notifications/v1/templates/practice.registered/preview", {"json": {}})


# ---- protocol

@recipe
def protocol_listRegisters(w):
    return Right(w.chiara, "GET", "/protocol/v1/registers", {}, secret="A944BO1")


@recipe
def protocol_listRegistrations(w):
    made = portico.registration(w.chiara)
    return Right(w.chiara, "GET", "/protocol/v1/registrations", {"params": {"limit": 100}}, secret=made["id"])


@recipe
def protocol_createRegistration(w):
    return Right(w.chiara, "POST", "/protocol/v1/registrations", {"json": portico.new_registration()})


@recipe
def protocol_showRegistration(w):
    made = portico.registration(w.chiara)
    return Right(w.chiara, "GET", f"/protocol/v1/registrations/{made['id']}", {}, secret=made["id"], names=made["id"])


@recipe
def protocol_annulRegistration(w):
    made = portico.registration(w.chiara)
    return Right(w.chiara, "POST", f"/protocol/v1/registrations/{made['id']}/annulment",
                 {"json": {"reason": "registrata due volte per errore"}}, names=made["id"])


# ---- dossier

@recipe
def dossier_showServiceForm(w):
    wanted = portico.service(w.anna, "passo-carraio")
    return Right(w.anna, "GET", f"/dossier/v1/services/{wanted['id']}/form", {}, secret=w.anna.person["fiscal code"])


@recipe
def dossier_listPractices(w):
    return Right(w.anna, "GET", "/dossier/v1/practices", {"params": {"limit": 100}}, secret=portico.draft(w.anna)["id"])


@recipe
def dossier_createPractice(w):
    wanted = portico.service(w.anna, "passo-carraio")
    return Right(w.anna, "POST", "/dossier/v1/practices", {"json": {"serviceId": wanted["id"]}})


def of_practice(method, step="", state=portico.draft, caller="anna", **options):
    """An operation on one practice, which Anna has in that state."""
    def make(w):
        practice = state(w.anna) if state is portico.draft else state(w)
        shown = step == ""
        return Right(getattr(w, caller), method, f"/dossier/v1/practices/{practice['id']}{step}", options,
                     secret=practice["id"] if shown and method != "DELETE" else None, names=practice["id"])
    return make


def reviewed(w):
    return portico.in_review(w.anna, w.pagopa)


def asked_for_more(w):
    practice = reviewed(w)
    portico.act(w.chiara, practice, "integration-requests", {"text": "Manca la firma.", "termDays": 15}, expect=201)
    return practice


def submitted(w):
    practice = portico.draft(w.anna)
    portico.act(w.anna, practice, "submission")
    return practice


RECIPES |= {
    "dossier.showPractice": of_practice("GET", state=reviewed),
    "dossier.updatePractice": of_practice("PATCH", json={"data": {"note": "ai miei vicini va bene"}}, headers=portico.MERGE_PATCH),
    "dossier.deletePractice": of_practice("DELETE"),
    "dossier.submitPractice": of_practice("POST", "/submission"),
    "dossier.withdrawPractice": of_practice("POST", "/withdrawal", submitted, json={"reason": "non serve più"}),
    "dossier.assignPractice": of_practice("POST", "/assignment", submitted, caller="chiara", json={}),
    "dossier.requestIntegration": of_practice("POST", "/integration-requests", reviewed, caller="chiara",
                                              json={"text": "Manca la firma.", "termDays": 15}),
    "dossier.answerIntegration": of_practice("POST", "/integrations", asked_for_more, json={"text": "Ecco."}),
    "dossier.approvePractice": of_practice("POST", "/approval", reviewed, caller="chiara", json={}),
    "dossier.rejectPractice": of_practice("POST", "/rejection", reviewed, caller="chiara", json={"reason": "troppo vicino all'incrocio"}),
    "dossier.addDocument": of_practice("POST", "/documents", data=portico.PDF, params={"name": "pianta.pdf"},
                                       headers={"Content-Type": "application/pdf"}),
    "dossier.postMessage": of_practice("POST", "/messages", submitted, json={"text": "Quando verrà il sopralluogo?"}),
}


@recipe
def dossier_listMessages(w):
    practice = submitted(w)
    message = portico.act(w.anna, practice, "messages", {"text": "Quando verrà il sopralluogo?"}, expect=201)
    return Right(w.anna, "GET", f"/dossier/v1/practices/{practice['id']}/messages", {}, secret=message["id"], names=practice["id"])


@recipe
def dossier_showDocument(w):
    document = portico.attach(w.anna, portico.draft(w.anna))
    return Right(w.anna, "GET", f"/dossier/v1/documents/{document['id']}", {}, secret=document["sha256"], names=document["id"])


@recipe
def dossier_downloadDocument(w):
    document = portico.attach(w.anna, portico.draft(w.anna), content=portico.PDF + b"% nobody else's business")
    return Right(w.anna, "GET", f"/dossier/v1/documents/{document['id']}/content", {}, secret="nobody else's business",
                 names=document["id"])


@recipe
def dossier_deleteDocument(w):
    document = portico.attach(w.anna, portico.draft(w.anna))
    return Right(w.anna, "DELETE", f"/dossier/v1/documents/{document['id']}", {}, names=document["id"])


@recipe
def dossier_showDossier(w):
    return Right(w.anna, "GET", "/dossier/v1/me", {}, secret=portico.draft(w.anna)["id"])


# ---- booking

@recipe
def booking_listAppointments(w):
    return Right(w.anna, "GET", "/booking/v1/appointments", {"params": {"limit": 100}}, secret=w.appointment()["id"])


@recipe
def booking_createAppointment(w):
    w.appointment()
    return Right(w.anna, "POST", "/booking/v1/appointments", {"json": portico.new_appointment(w.anna)},
                 attempt={"json": portico.new_appointment(w.anna, personId=w.anna.sub)},
                 bystander=lambda: w.anna.get("/booking/v1/appointments?limit=100").json())


@recipe
def booking_showAppointment(w):
    made = w.appointment()
    return Right(w.anna, "GET", f"/booking/v1/appointments/{made['id']}", {}, secret=made["code"], names=made["id"])


def of_appointment(step, body=lambda w: None):
    def make(w):
        made = w.appointment()
        return Right(w.anna, "POST", f"/booking/v1/appointments/{made['id']}/{step}", {"json": body(w)}, names=made["id"])
    return make


RECIPES |= {
    "booking.confirmAppointment": of_appointment("confirmation"),
    "booking.cancelAppointment": of_appointment("cancellation"),
    "booking.moveAppointment": of_appointment("move", lambda w: {"startsAt": portico.new_appointment(w.anna)["startsAt"]}),
}


# ---- the feed and its webhooks

def subscription(w):
    """A subscription of Bologna's partner, for something that does not happen in these tests."""
    for left in w.refezione.get("/events/v1/subscriptions", params={"limit": 100}, expect=200).json()["items"]:
        w.refezione.delete(f"/events/v1/subscriptions/{left['id']}", expect=204)
    return w.refezione.post("/events/v1/subscriptions", new_subscription(), expect=201).json()


def new_subscription():
    return {"url": f"https://hooks.example/{uuid.uuid4()}", "types": ["it.portico.registration.annulled"]}


@recipe
def feed_listEvents(w):
    start = w.refezione.get("/events/v1/events", params={"after": "end"}, expect=200).json()["next"]
    position = portico.position(w.roberto, w.anna)
    page = {"params": {"after": start, "limit": 100}}
    portico.eventually(lambda: position["id"] in w.refezione.get("/events/v1/events", expect=200, **page).text)
    return Right(w.refezione, "GET", "/events/v1/events", page, secret=position["id"])


@recipe
def feed_showSettings(w):
    return Right(w.elena, "GET", "/events/v1/settings", {})


@recipe
def feed_replaceSettings(w):
    return Right(w.elena, "PUT", "/events/v1/settings", {"json": {"retentionDays": 30}}, attempt={"json": {"retentionDays": 29}},
                 bystander=lambda: w.elena.get("/events/v1/settings").json())


@recipe
def feed_listSubscriptions(w):
    return Right(w.refezione, "GET", "/events/v1/subscriptions", {"params": {"limit": 100}}, secret=subscription(w)["id"])


@recipe
def feed_createSubscription(w):
    return Right(w.refezione, "POST", "/events/v1/subscriptions", {"json": new_subscription()},
                 bystander=lambda: w.refezione.get("/events/v1/subscriptions?limit=100").json())


def on_subscription(w, method, path="", options=None, of_event=False):
    """A call that names a subscription, or the delivery of a test event of it."""
    made = subscription(w)
    if of_event:
        event = w.refezione.post(f"/events/v1/subscriptions/{made['id']}/test", expect=202).json()["id"]
        path = f"/deliveries/{event}" + path
    return Right(w.refezione, method, f"/events/v1/subscriptions/{made['id']}{path}", options or {}, names=made["id"])


@recipe
def feed_showSubscription(w):
    return on_subscription(w, "GET")


@recipe
def feed_changeSubscription(w):
    return on_subscription(w, "PATCH", options={"json": {"state": "paused"}, "headers": portico.MERGE_PATCH})


@recipe
def feed_deleteSubscription(w):
    return on_subscription(w, "DELETE")


@recipe
def feed_rotateSecret(w):
    return on_subscription(w, "POST", "/secret-rotation", {"json": {"keepHours": 24}})


@recipe
def feed_testSubscription(w):
    return on_subscription(w, "POST", "/test")


@recipe
def feed_redriveSubscription(w):
    return on_subscription(w, "POST", "/redrive")


@recipe
def feed_listDeliveries(w):
    return on_subscription(w, "GET", "/deliveries")


@recipe
def feed_showDelivery(w):
    return on_subscription(w, "GET", of_event=True)


@recipe
def feed_redriveDelivery(w):
    return on_subscription(w, "POST", "/redrive", of_event=True)


# ---- dead letters, alike in every service that consumes events

def dead_letter(w, service):
    """A dead letter of Bologna, whose id is in the event."""
    event = w.mint.stack.sql(service, "SELECT uuid7()")
    w.mint.stack.sql(service, "INSERT INTO dead_letters (tenant_id, source, event_id, position, envelope, status, cause, attempts) VALUES "
                              f"('c_a944', 'identity', '{event}', 1, $e${json.dumps(envelope(event))}$e$, 404, '{{}}', 1)")
    return event


def envelope(event):
    """An event that nobody consumes, so that it stays a dead letter."""
    return {"specversion": "1.0", "id": event, "type": "it.portico.person.updated", "source": "/identity", "tenant": "c_a944",
            "time": "2026-11-21T09:30:00Z", "datacontenttype": "application/json", "sequence": 1, "aggregate": event, "dataversion": 1,
            "data": {"changed": ["names"]}}


def dead_letter_recipes(service):
    def listed(w):
        return Right(w.elena, "GET", f"/{service}/v1/dead-letters", {"params": {"limit": 100}}, secret=dead_letter(w, service))

    def one(w):
        event = dead_letter(w, service)
        return Right(w.elena, "POST", f"/{service}/v1/dead-letters/{event}/redrive", {}, names=event)

    def everything(w):
        dead_letter(w, service)
        return Right(w.elena, "POST", f"/{service}/v1/dead-letters/redrive", {}, bystander=lambda: w.mint.stack.sql(
            service, "SELECT count(*) FROM dead_letters WHERE tenant_id = 'c_a944' AND redrive"))
    RECIPES.update({f"{service}.listDeadLetters": listed, f"{service}.redriveDeadLetter": one,
                    f"{service}.redriveDeadLetters": everything})


for consumer in ("dossier", "payments", "notifications", "protocol"):
    dead_letter_recipes(consumer)
