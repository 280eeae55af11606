"""Events that are heard after what came later, as when they waited among the dead letters meanwhile."""
from support import portico


def test_a_fee_heard_of_after_the_withdrawal_is_not_due(citizen, stack, eventually):
    davide = citizen("Davide Conti")
    practice = portico.draft(davide)
    portico.act(davide, practice, "submission")
    due = portico.due_of(davide, practice)
    portico.await_state(davide, practice, "payment-due")
    portico.act(davide, practice, "withdrawal", {})
    eventually(lambda: davide.get(f"/payments/v1/positions/{due['id']}", expect=200).json()["state"] == "cancelled")
    event = stack.again("dossier", "practice.payment-due", practice["id"])
    eventually(lambda: stack.heard("payments", "dossier", event))
    assert stack.sql("payments", f"SELECT count(*) FROM positions WHERE reference_id = '{practice['id']}'") == "1"


def test_a_registration_heard_of_after_its_annulment_is_annulled(citizen, operator, stack, eventually):
    luca = citizen("Luca Ferrari")
    practice = portico.draft(luca, "tari-riduzione")
    portico.act(luca, practice, "submission")
    registration = portico.await_state(luca, practice, "in-review")["registration"]
    operator("c_a944", "mobilita").post(f"/protocol/v1/registrations/{registration['id']}/annulment",
                                        {"reason": "Registrata due volte per errore."}, expect=200)
    eventually(lambda: "annulledAt" in portico.show(luca, practice)["registration"])
    stack.sql("dossier", f"UPDATE practices SET registration = NULL WHERE id = '{practice['id']}'")
    stack.again("protocol", "registration.created", registration["id"])
    assert "annulledAt" in eventually(lambda: portico.show(luca, practice).get("registration"))


def test_a_confirmation_heard_of_after_the_cancellation_tells_nobody(citizen, stack, eventually):
    anna = citizen("Anna Bianchi")
    held = portico.hold(anna)

    def told(event):
        notices = anna.get("/notifications/v1/notices", params={"limit": 100}, expect=200).json()["items"]
        return [notice["template"] for notice in notices if notice.get("reference", {}).get("id") == held["id"]].count(event)
    for step, event in (("confirmation", "appointment.confirmed"), ("cancellation", "appointment.cancelled")):
        anna.post(f"/booking/v1/appointments/{held['id']}/{step}", expect=200)
        eventually(lambda: told(event) == 1)
    again = stack.again("booking", "appointment.confirmed", held["id"])
    eventually(lambda: stack.heard("notifications", "booking", again))
    assert told("appointment.confirmed") == 1
