"""The right call of each protected operation, by service and operationId: what must exist before it, and who makes it."""
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
        {"tenant": "c_a662", "topic": "bookings", "channels": ["email"]}]}, expect=200)
    return Right(w.anna, "GET", "/identity/v1/me/preferences", {}, secret='"exceptions"')


@recipe
def identity_replacePreferences(w):
    return Right(w.anna, "PUT", "/identity/v1/me/preferences", {"json": {"language": "it", "channels": ["app-io", "email"]}},
                 bystander=lambda: w.anna.get("/identity/v1/me/preferences").json())


@recipe
def identity_listSessions(w):
    return Right(w.anna, "GET", "/identity/v1/sessions", {}, secret=portico.current_session(w.anna))


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
def identity_removeOperatorRole(w):
    made = w.elena.post("/identity/v1/operators", portico.new_operator(), expect=201).json()
    return Right(w.elena, "DELETE", f"/identity/v1/operators/{made['id']}/roles/operator", {}, names=made["id"])


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
    position = portico.paid_position(w, w.roberto, w.anna)
    return Right(w.anna, "GET", f"/payments/v1/positions/{position['id']}/receipt", {}, secret=position["id"], names=position["id"])


@recipe
def payments_listReceipts(w):
    position = portico.paid_position(w, w.roberto, w.anna)
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
    return Right(w.anna, "POST", f"/notifications/v1/notices/{notice['id']}/reading", {}, secret=notice["id"], names=notice["id"])


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
def protocol_readRegistration(w):
    made = portico.registration(w.chiara)
    return Right(w.chiara, "GET", f"/protocol/v1/registrations/{made['id']}", {}, secret=made["id"], names=made["id"])


@recipe
def protocol_annulRegistration(w):
    made = portico.registration(w.chiara)
    return Right(w.chiara, "POST", f"/protocol/v1/registrations/{made['id']}/annulment",
                 {"json": {"reason": "registrata due volte per errore"}}, names=made["id"])
