"""Notices: who sees them, what they say, which channels they take, and what happens when a channel fails."""
import email
import email.policy
import json
import re
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from mailbox import Maildir
from zoneinfo import ZoneInfo

import pytest
import requests
from support import portico
from support.contracts import ROOT

BASE = "/notifications/v1"


@pytest.fixture
def chiara(operator):
    return operator("c_a944", "mobilita")


@pytest.fixture
def anna(citizen):
    """E-mail and App IO."""
    return citizen("Anna Bianchi")


@pytest.fixture
def luca(citizen):
    """E-mail only."""
    return citizen("Luca Ferrari")


@pytest.fixture
def paolo(citizen):
    """App IO only."""
    return citizen("Paolo Greco")


def write(operator, citizen, **more):
    """A notice with a subject of its own, on whatever channels the citizen has."""
    return portico.notice(operator, citizen, **{"subject": f"Comunicazione {uuid.uuid4()}", "channels": ["email", "app-io"]} | more)


def show(person, notice):
    return person.get(f"{BASE}/notices/{notice['id']}", expect=200).json()


def delivery(person, notice, channel):
    return next((d for d in show(person, notice)["deliveries"] if d["channel"] == channel), None)


@pytest.fixture
def await_delivery(eventually):
    def await_delivery(person, notice, channel, *states, within=20):
        return eventually(lambda: (d := delivery(person, notice, channel)) and d["state"] in states and d, within)
    return await_delivery


def with_subject(messages, notice):
    return [message for message in messages if message["subject"] == notice["subject"]]


@contextmanager
def misbehaving(appio, **behaviour):
    """App IO does so inside, and is well again afterwards."""
    set_behaviour(appio, **behaviour)
    try:
        yield
    finally:
        set_behaviour(appio, mode="normal", calls="all", times=-1, delay_ms=0, outcome="PROCESSED")


def set_behaviour(appio, **behaviour):
    answer = appio.http.put(appio.url + "/emulator/behaviour", json=behaviour, timeout=10)
    assert answer.status_code == 200, answer.text


def calls_since(appio, count):
    return appio.get("/emulator/calls")["items"][count:]


# ---- who sees what

def test_create_notice(chiara, anna, mailbox, appio, eventually):
    answer = chiara.post(f"{BASE}/notices", portico.new_notice(anna, subject=f"Sopralluogo {uuid.uuid4()}", channels=["email", "app-io"]),
                         expect=201)
    made = answer.json()
    assert answer.headers["Location"] == f"{BASE}/notices/{made['id']}"
    assert (made["state"], made["topic"], made["tenant"], made["personId"]) == ("created", "messages", "c_a944", anna.sub)
    assert [d["channel"] for d in made["deliveries"]] == ["inbox"]
    assert eventually(lambda: with_subject(mailbox.to(portico.email_of(anna)), made))
    assert eventually(lambda: with_subject(appio.to(anna.person["fiscal code"]), made))
    eventually(lambda: show(anna, made)["state"] == "delivered")


def test_create_notice_twice_with_one_key(chiara, anna):
    key, body = {"Idempotency-Key": str(uuid.uuid4())}, portico.new_notice(anna)
    first = chiara.post(f"{BASE}/notices", body, headers=key, expect=201)
    again = chiara.post(f"{BASE}/notices", body, headers=key, expect=201)
    assert again.json()["id"] == first.json()["id"] and again.headers["Idempotent-Replayed"] == "true"
    other = chiara.post(f"{BASE}/notices", body | {"text": "Un testo diverso da prima."}, headers=key, expect=422)
    assert other.json()["type"] == "/problems/idempotency-key-reused"


@pytest.mark.parametrize("field, value", [
    ("subject", "Comunicazione\r\nBcc: altri@posta.example"), ("subject", "corto"), ("text", "breve"), ("personId", "Anna"),
    ("channels", ["fax"]), ("channels", [])])
def test_create_notice_refuses(chiara, anna, field, value):
    problem = chiara.post(f"{BASE}/notices", portico.new_notice(anna) | {field: value}, expect=400).json()
    assert {error["pointer"].split("/")[1] for error in problem["errors"]} == {field}


def test_a_notice_to_nobody_fails_for_good(chiara, eventually):
    made = chiara.post(f"{BASE}/notices", {"personId": str(uuid.uuid4()), "subject": "A nessuno in particolare",
                                           "text": "Questa persona non esiste."}, expect=201).json()
    eventually(lambda: show(chiara, made)["state"] == "permanent-failure")


def test_list_notices(chiara, anna):
    made = [portico.notice(chiara, anna)["id"] for _ in range(3)]
    page = anna.get(f"{BASE}/notices", params={"limit": 2}, expect=200).json()
    rest = anna.get(f"{BASE}/notices", params={"limit": 2, "after": page["next"]}, expect=200).json()
    assert [item["id"] for item in page["items"] + rest["items"]][:3] == made[::-1]
    assert made[2] in [item["id"] for item in chiara.get(f"{BASE}/notices", params={"personId": anna.sub}, expect=200).json()["items"]]


def test_list_notices_by_what_is_known(chiara, anna, paolo, await_delivery):
    by_phone, only_inbox = write(chiara, anna, channels=["app-io"]), portico.notice(chiara, anna)
    await_delivery(chiara, by_phone, "app-io", "delivered")
    ids = lambda **filters: [item["id"] for item in chiara.get(
        f"{BASE}/notices", params={"limit": 100, "personId": anna.sub, **filters}, expect=200).json()["items"]]
    assert by_phone["id"] in ids(channel="app-io") and only_inbox["id"] not in ids(channel="app-io")
    assert by_phone["id"] in ids(state="delivered") and by_phone["id"] not in ids(state="read")
    assert by_phone["id"] not in ids(personId=paolo.sub) and by_phone["id"] in ids(tenant="c_a944")
    in_bari = anna.get(f"{BASE}/notices", params={"tenant": "c_a662", "limit": 100}, expect=200).json()["items"]
    assert {item["tenant"] for item in in_bari} <= {"c_a662"}


def test_show_notice(chiara, anna, operator, luca):
    made = portico.notice(chiara, anna)
    seen = show(anna, made)
    assert seen["text"] == "Il tecnico verrà il 3 dicembre." and seen["link"].startswith("https://")
    for stranger in (luca, operator("c_a662", "mobilita")):
        stranger.get(f"{BASE}/notices/{made['id']}", expect=404)


def test_addresses_are_shown_in_part_kept_no_longer_than_needed_and_never_logged(chiara, anna, stack, await_delivery):
    made, address, code = write(chiara, anna), portico.email_of(anna), anna.person["fiscal code"]
    assert await_delivery(chiara, made, "email", "sent")["address"] == f"{address[0]}***@{address.split('@')[1]}"
    assert await_delivery(chiara, made, "app-io", "delivered")["address"] == code[:3] + "*" * 13
    assert stack.sql("notifications", f"SELECT count(*) FROM deliveries WHERE notice_id = '{made['id']}' AND address IS NOT NULL") == "0"
    log = (stack.state / "log/notifications.log").read_text()
    assert '"operation":"createNotice"' in log
    assert address not in log and code not in log


def test_read_notice(chiara, anna, luca):
    made = portico.notice(chiara, anna)
    luca.post(f"{BASE}/notices/{made['id']}/reading", expect=404)
    chiara.post(f"{BASE}/notices/{made['id']}/reading", expect=403)
    read = anna.post(f"{BASE}/notices/{made['id']}/reading", expect=200).json()
    assert read["state"] == "read" and read["readAt"]
    assert delivery(chiara, made, "inbox")["state"] == "read"
    assert anna.post(f"{BASE}/notices/{made['id']}/reading", expect=200).json()["readAt"] == read["readAt"]


# ---- templates

def test_list_templates(chiara, stack):
    found = {item["id"]: item for item in chiara.get(f"{BASE}/templates", expect=200).json()["items"]}
    assert found["practice.registered"]["common"] and found["layout.email"]["kind"] == "layout"
    consumed = stack.sql("notifications", "SELECT count(*) FROM templates WHERE kind = 'notice'")
    assert int(consumed) >= 16


def test_show_template_of_the_tenant_before_the_common_one(chiara, operator, stack):
    stack.sql("notifications", "INSERT INTO templates (tenant_id, id, version, topic, title, subject, body, sample) "
              "VALUES ('c_a944', 'practice.closed', 2, 'practices', 'Ours', 'Nostro', 'Solo di Bologna', '{}')")
    try:
        ours = chiara.get(f"{BASE}/templates/practice.closed", expect=200).json()
        theirs = operator("c_a662", "mobilita").get(f"{BASE}/templates/practice.closed", expect=200).json()
    finally:
        stack.sql("notifications", "DELETE FROM templates WHERE tenant_id = 'c_a944'")
    assert (ours["text"], ours["common"], ours["version"]) == ("Solo di Bologna", False, 2)
    assert theirs["common"] and theirs["text"] != ours["text"]
    chiara.get(f"{BASE}/templates/niente", expect=404)
    chiara.get(f"{BASE}/templates/practice.closed", params={"language": "de"}, expect=404)


def test_preview_template(chiara):
    for template in chiara.get(f"{BASE}/templates", expect=200).json()["items"]:
        shown = chiara.post(f"{BASE}/templates/{template['id']}/preview", {}, expect=200).json()
        assert "{{" not in shown["subject"] + shown["text"] and len(shown["text"]) > 80
    shown = chiara.post(f"{BASE}/templates/practice.closed/preview", {
        "subject": "{{t}}", "text": "{{t}}\n\n{{#l}}\n- {{.}}\n{{/l}}", "data": {"t": "<i>[x](http://y)", "l": ["uno", "due"]}}, expect=200).json()
    assert shown["text"] == "<i>[x](http://y)\n\n- uno\n- due\n"
    assert shown["html"] == "<p>&lt;i&gt;[x](http://y)</p>\n<ul>\n<li>uno</li>\n<li>due</li>\n</ul>\n"
    assert shown["markdown"].startswith("\\<i\\>\\[x\\]")


@pytest.mark.parametrize("draft, cause", [
    ({"data": {"person": {"name": "Anna"}, "practice": {"title": "x"}}}, "{{practice.registration}} is not among the data"),
    ({"text": "Manca {{la.chiusura"}, "is not closed"), ({"text": "{{#practice}}sempre"}, "is never closed"),
    ({"text": "uno\n{{> altro}}"}, "line 2"), ({"text": "{{practice}}"}, "neither a text nor a whole number"),
    ({"subject": "x", "text": "{{#l}}" * 8 + "{{/l}}" * 8, "data": {"l": [{}] * 500}}, "comes round too often")])
def test_preview_template_is_strict(chiara, draft, cause):
    problem = chiara.post(f"{BASE}/templates/practice.registered/preview", draft, expect=422).json()
    assert problem["type"] == "/problems/template-invalid" and cause in problem["detail"]


# ---- from an event to a notice

def noticed(person, reference, template, eventually):
    """The notice of that template about that thing."""
    def look():
        found = person.get(f"{BASE}/notices", params={"limit": 100}, expect=200).json()["items"]
        return next((item for item in found if item.get("template") == template and item["reference"]["id"] == reference), None)
    return show(person, eventually(look))


def test_a_due_becomes_a_message_that_one_can_pay_from(operator, anna, appio, eventually):
    due = portico.position(operator("c_a944", "tributi"), anna, amount=4550)
    notice = noticed(anna, due["id"], "position.created", eventually)
    assert "45,50 euro" in notice["text"] and due["noticeNumber"] in notice["text"]
    assert notice["payment"] == {"noticeNumber": due["noticeNumber"], "payeeFiscalCode": due["creditorFiscalCode"],
                                 "amount": {"amount": 4550, "currency": "EUR"}}
    on_phone = lambda: next((m for m in appio.to(anna.person["fiscal code"]) if due["noticeNumber"] in m["markdown"]), None)
    message = eventually(on_phone)
    assert message["payment_data"]["notice_number"] == due["noticeNumber"] and message["payment_data"]["amount"] == 4550
    assert message["payment_data"]["payee"] == {"fiscal_code": due["creditorFiscalCode"]}
    assert message["due_date"].startswith(due["dueDate"])


def test_every_step_of_a_practice_is_told(anna, operator, pagopa, eventually):
    """Of the steps that the journey does not take: a rejection, a withdrawal, a message of the office."""
    chiara = operator("c_a944", "mobilita")
    rejected = portico.in_review(anna, pagopa)
    portico.act(chiara, rejected, "rejection", {"reason": "La larghezza\nnon basta."})
    assert "La larghezza\nnon basta." in noticed(anna, rejected["id"], "practice.rejected", eventually)["text"]
    noticed(anna, rejected["id"], "practice.closed", eventually)
    given_up = portico.draft(anna)
    portico.act(anna, given_up, "submission")
    portico.await_state(anna, given_up, "submitted", "registered", "payment-due")
    chiara.post(f"/dossier/v1/practices/{given_up['id']}/messages", {"text": "Manca la planimetria."}, expect=201)
    assert "planimetria" not in noticed(anna, given_up["id"], "message.posted", eventually)["text"]
    portico.act(anna, given_up, "withdrawal", {})
    noticed(anna, given_up["id"], "practice.withdrawn", eventually)


def test_what_the_citizen_wrote_herself_is_not_told_to_her(anna, stack, eventually):
    practice = portico.draft(anna)
    portico.act(anna, practice, "submission")
    noticed(anna, practice["id"], "practice.submitted", eventually)
    anna.post(f"/dossier/v1/practices/{practice['id']}/messages", {"text": "Buongiorno."}, expect=201)
    portico.act(anna, practice, "withdrawal", {})
    noticed(anna, practice["id"], "practice.withdrawn", eventually)     # comes after it, in the same order of the same practice
    assert stack.sql("notifications", "SELECT count(*) FROM notices WHERE template_id = 'message.posted' "
                     f"AND reference ->> 'id' = '{practice['id']}'") == "0"


def test_appointments_are_told(anna, eventually):
    held = portico.hold(anna)
    anna.post(f"/booking/v1/appointments/{held['id']}/confirmation", expect=200)
    assert held["office"]["name"] in noticed(anna, held["id"], "appointment.confirmed", eventually)["text"]
    anna.post(f"/booking/v1/appointments/{held['id']}/cancellation", expect=200)
    noticed(anna, held["id"], "appointment.cancelled", eventually)


def test_the_person_s_choice_is_followed(chiara, anna, await_delivery, eventually):
    preferences = anna.get("/identity/v1/me/preferences", expect=200).json()
    anna.put("/identity/v1/me/preferences", preferences | {"exceptions": [{"tenant": "c_a944", "topic": "messages", "channels": ["email"]}]},
             expect=200)
    try:
        made = chiara.post(f"{BASE}/notices", {"personId": anna.sub, "subject": "Solo per e-mail, grazie",
                                               "text": "Una comunicazione di prova."}, expect=201).json()
        await_delivery(chiara, made, "email", "sent")
        assert delivery(chiara, made, "app-io") is None
    finally:
        anna.put("/identity/v1/me/preferences", preferences, expect=200)


# ---- quiet hours

@pytest.mark.parametrize("moment, window, end", [
    ("2026-11-21 21:30+00", ("22:00", "07:00"), "2026-11-22 06:00+00"),
    ("2026-11-22 05:59:59+00", ("22:00", "07:00"), "2026-11-22 06:00+00"),
    ("2026-11-22 06:00+00", ("22:00", "07:00"), None),
    ("2026-11-21 20:59:59+00", ("22:00", "07:00"), None),
    ("2026-11-21 21:00+00", ("22:00", "07:00"), "2026-11-22 06:00+00"),
    ("2026-12-31 23:30+00", ("00:00", "06:00"), "2027-01-01 05:00+00"),
    ("2026-07-01 12:00+00", ("13:00", "15:00"), "2026-07-01 13:00+00"),
    ("2026-07-01 10:59+00", ("13:00", "15:00"), None),
    ("2026-07-01 13:00+00", ("13:00", "15:00"), None),
    ("2026-07-01 12:00+00", ("14:00", "14:00"), None),
    ("2026-07-01 12:00+00", (None, None), None),
    # 29 March 2026: at 01:00 UTC the clock goes from 2 to 3
    ("2026-03-28 22:00+00", ("22:00", "07:00"), "2026-03-29 05:00+00"),
    ("2026-03-29 00:45+00", ("22:00", "02:30"), "2026-03-29 01:30+00"),
    ("2026-03-29 01:30+00", ("22:00", "02:30"), None),
    # 25 October 2026: at 01:00 UTC the clock goes from 3 back to 2
    ("2026-10-24 21:00+00", ("22:00", "07:00"), "2026-10-25 06:00+00"),
    ("2026-10-25 00:45+00", ("22:00", "02:30"), "2026-10-25 01:30+00"),
    ("2026-10-25 01:29+00", ("22:00", "02:30"), "2026-10-25 01:30+00"),
    ("2026-10-25 01:30+00", ("22:00", "02:30"), None),
    ("2026-10-25 00:10+00", ("02:00", "06:00"), "2026-10-25 05:00+00"),
    ("2026-10-25 01:10+00", ("02:00", "06:00"), "2026-10-25 05:00+00"),
    ("2026-10-24 23:59+00", ("02:00", "06:00"), None)])
def test_quiet_hours_end_when_the_clock_in_rome_says_so(stack, moment, window, end):
    edges = ", ".join(f"'{edge}'" if edge else "NULL" for edge in window)
    assert stack.sql("notifications", f"SELECT after_quiet('{moment}', {edges}) = '{end or moment}'") == "t"


def clock_in_rome(**later):
    return (datetime.now(ZoneInfo("Europe/Rome")) + timedelta(**later)).strftime("%H:%M")


@contextmanager
def quiet(citizen, begin, end):
    """The citizen's quiet hours are these inside."""
    preferences = citizen.get("/identity/v1/me/preferences", expect=200).json()
    citizen.put("/identity/v1/me/preferences", preferences | {"quiet": {"from": begin, "to": end}}, expect=200)
    try:
        yield
    finally:
        citizen.put("/identity/v1/me/preferences", preferences, expect=200)


def ends_with_the_quiet_hours(waiting, end):
    moment = datetime.fromisoformat(waiting["nextAttemptAt"]).astimezone(ZoneInfo("Europe/Rome"))
    return moment.strftime("%H:%M:%S") == f"{end}:00" and timedelta() < moment - datetime.now(moment.tzinfo) < timedelta(days=1)


def test_in_the_quiet_hours_only_the_inbox_has_it(chiara, anna, operator, stack, await_delivery, eventually):
    end = clock_in_rome(hours=2)
    with quiet(anna, clock_in_rome(hours=-1), end):
        made = write(chiara, anna)
        waiting = [await_delivery(anna, made, channel, "created") for channel in ("email", "app-io")]
        due = portico.position(operator("c_a944", "tributi"), anna)
        told = noticed(anna, due["id"], "position.created", eventually)
    waiting += [each for each in show(anna, told)["deliveries"] if each["channel"] != "inbox"]
    assert len(waiting) == 4
    assert all(ends_with_the_quiet_hours(each, end) and each["attempts"] == 0 for each in waiting)
    assert delivery(anna, made, "inbox")["state"] == "delivered" and show(anna, made)["state"] == "sending"
    stack.sql("notifications", "UPDATE deliveries SET quiet_from = NULL, quiet_to = NULL, next_attempt_at = now() "
              f"WHERE notice_id IN ('{made['id']}', '{told['id']}') AND channel <> 'inbox'")
    for notice in (made, told):
        await_delivery(anna, notice, "email", "sent")
        await_delivery(anna, notice, "app-io", "delivered")


def test_outside_the_quiet_hours_it_goes_at_once(chiara, luca, await_delivery):
    with quiet(luca, clock_in_rome(hours=1), clock_in_rome(hours=-1)):
        await_delivery(luca, write(chiara, luca), "email", "sent")


@pytest.mark.parametrize("outcome", ["temporary", "limited", "permanent"])
def test_a_retry_and_the_reserve_wait_for_the_end_of_the_quiet_hours(chiara, paolo, stack, outcome):
    begin, end = clock_in_rome(hours=-1), clock_in_rome(hours=2)
    with channels_by_hand(stack, chiara, paolo, fax="sending", letter="standby") as (made, settle):
        stack.sql("notifications", f"UPDATE deliveries SET quiet_from = '{begin}', quiet_to = '{end}' WHERE notice_id = '{made['id']}'")
        settle("fax", outcome)
        waiting = json.loads(stack.sql("notifications", f"SELECT delivery_json(d) FROM deliveries d WHERE notice_id = '{made['id']}' "
                                       f"AND channel = '{'letter' if outcome == 'permanent' else 'fax'}' AND NOT standby"))
        assert ends_with_the_quiet_hours(waiting, end)


def test_what_comes_late_into_the_quiet_hours_is_put_off(chiara, paolo, stack, await_delivery, eventually):
    """As if the channel had been at a stop, or its worker had died, when they began."""
    end = clock_in_rome(hours=2)
    with quiet(paolo, clock_in_rome(hours=-1), end):
        made = write(chiara, paolo)
        await_delivery(paolo, made, "app-io", "created")
        for left_behind in ("state = 'created'", "state = 'sending', claim = uuid7()"):
            stack.sql("notifications", f"UPDATE deliveries SET next_attempt_at = now() - interval '1 minute', {left_behind} "
                      f"WHERE notice_id = '{made['id']}' AND channel = 'app-io'")
            eventually(lambda: (d := delivery(paolo, made, "app-io"))["state"] == "created" and ends_with_the_quiet_hours(d, end))
    assert delivery(paolo, made, "app-io")["attempts"] == 0


@contextmanager
def channels_by_hand(stack, operator, citizen, **states):
    """A notice on channels that no worker serves, each in that state or on standby; settle(channel, outcome) says what became of one."""
    made, claim = portico.notice(operator, citizen, channels=["inbox"]), uuid.uuid4()
    for channel, state in states.items():
        stack.sql("notifications", "INSERT INTO deliveries (tenant_id, notice_id, channel, subject_id, state, standby, claim) VALUES ('c_a944', "
                  f"'{made['id']}', '{channel}', '{citizen.sub}', '{'created' if state == 'standby' else state}', {state == 'standby'}, '{claim}')")

    def settle(channel, outcome, then=""):
        stack.sql("notifications", f"BEGIN; SELECT settle_delivery('c_a944', '{made['id']}', '{channel}', '{claim}', '{outcome}', "
                  f"'by hand', NULL, 0); {then}; COMMIT")
    try:
        yield made, settle
    finally:
        stack.sql("notifications", f"DELETE FROM notices WHERE id = '{made['id']}'; DELETE FROM channel_pauses WHERE channel = 'fax'")


def test_two_channels_that_fail_at_once_release_what_stands_by(chiara, paolo, stack):
    """Neither may take the other for one that is still on its way."""
    with channels_by_hand(stack, chiara, paolo, fax="sending", telex="sending", letter="standby") as (made, settle), \
            ThreadPoolExecutor() as pool:
        first = pool.submit(settle, "fax", "permanent", "SELECT pg_sleep(2)")
        time.sleep(1)
        settle("telex", "permanent")
        first.result()
        assert stack.sql("notifications", f"SELECT standby FROM deliveries WHERE notice_id = '{made['id']}' AND channel = 'letter'") == "f"


def test_an_e_mail_is_well_made_whatever_is_in_the_title(operator, anna, mailbox, eventually):
    mark = uuid.uuid4().hex
    reason = f"Città è però {mark}\r\nBcc: altri@posta.example\r\n\r\n<script>"
    due = portico.position(operator("c_a944", "tributi"), anna, reason=reason)
    notice = noticed(anna, due["id"], "position.created", eventually)
    found = eventually(lambda: [m for m in mailbox.to(portico.email_of(anna)) if mark in m["subject"]])
    raw = mailbox.http.get(f"{mailbox.url}/messages/{found[0]['id']}/raw", timeout=10).content
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert not message.defects and message["Bcc"] is None and message.get_content_type() == "multipart/alternative"
    assert message["Subject"].startswith(f"Avviso di pagamento: Città è però {mark}  Bcc:")
    assert message["From"].addresses[0].display_name == "Comune di Bologna" and message["To"].addresses[0].addr_spec == portico.email_of(anna)
    assert message["Message-ID"].startswith(f"<{notice['id']}.c_a944@") and message["Auto-Submitted"] == "auto-generated"
    plain, html = message.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert mark in plain.get_content() and notice["link"] in plain.get_content()
    assert "&lt;script&gt;" in html.get_content() and "<script>" not in html.get_content()
    assert max(len(line) for line in raw.splitlines()) <= 998


def test_an_event_that_comes_again_sends_nothing_again(operator, anna, stack, appio, mailbox, eventually):
    due = portico.position(operator("c_a944", "tributi"), anna, reason=f"Rata {uuid.uuid4()}")
    notice = noticed(anna, due["id"], "position.created", eventually)
    eventually(lambda: show(anna, notice)["state"] == "delivered")
    event = stack.sql("notifications", f"SELECT event_id FROM notices WHERE id = '{notice['id']}'")
    forget = f"DELETE FROM inbox WHERE event_id = '{event}'"
    stack.sql("notifications", forget)          # even when the inbox has forgotten it
    replay(stack, "payments", event)
    eventually(lambda: stack.sql("notifications", f"SELECT count(*) FROM inbox WHERE event_id = '{event}'") == "1")
    assert stack.sql("notifications", f"SELECT count(*) FROM notices WHERE event_id = '{event}'") == "1"
    assert len(with_subject(mailbox.to(portico.email_of(anna)), notice)) == 1
    assert len([m for m in appio.to(anna.person["fiscal code"]) if due["noticeNumber"] in m["markdown"]]) == 1


def replay(stack, source, event):
    """Gives the event to the consumers of that service's stream once more, through the dead letters and their redrive."""
    envelope = stack.sql(source, f"SELECT e.envelope FROM outbox o, event_batch(o.position - 1, 0, 1) e WHERE o.id = '{event}'")
    stack.sql("notifications", "INSERT INTO dead_letters (tenant_id, source, event_id, position, envelope, status, cause, attempts, redrive) "
              f"VALUES ('c_a944', '{source}', '{event}', 0, '{envelope.replace(chr(39), chr(39) * 2)}', 422, 'test', 1, true); "
              "NOTIFY tasks, 'redrive-dead-letters'")


# ---- channels that fail

def test_who_is_not_on_app_io_gets_an_e_mail(chiara, luca, mailbox, await_delivery):
    made = write(chiara, luca, channels=["app-io"])
    assert await_delivery(chiara, made, "app-io", "permanent-failure")["answer"] == "not on App IO"
    await_delivery(chiara, made, "email", "sent")
    assert len(with_subject(mailbox.to(portico.email_of(luca)), made)) == 1


def test_who_has_turned_the_sender_off_gets_an_e_mail(chiara, anna, appio, mailbox, await_delivery):
    profile = f"{appio.url}/emulator/profiles/{anna.person['fiscal code']}"
    appio.http.put(profile, json={"sender_allowed": False}, timeout=10)
    try:
        made = write(chiara, anna, channels=["app-io"])
        await_delivery(chiara, made, "app-io", "permanent-failure")
        await_delivery(chiara, made, "email", "sent")
    finally:
        appio.http.put(profile, json={"sender_allowed": True}, timeout=10)


def test_what_reaches_the_phone_needs_no_reserve(chiara, anna, await_delivery):
    made = write(chiara, anna, channels=["app-io"])
    await_delivery(chiara, made, "app-io", "delivered")
    assert delivery(chiara, made, "email") is None


def test_the_inbox_alone_goes_nowhere_else(chiara, anna, eventually):
    made = portico.notice(chiara, anna, channels=["inbox"])
    eventually(lambda: show(chiara, made)["state"] == "delivered")
    assert [d["channel"] for d in show(chiara, made)["deliveries"]] == ["inbox"]


def test_app_io_s_limit_is_obeyed(chiara, paolo, appio, await_delivery):
    before = len(appio.get("/emulator/calls")["items"])
    with misbehaving(appio, mode="limited", calls="profiles", times=1, retry_after=3):
        made = write(chiara, paolo)
        await_delivery(chiara, made, "app-io", "delivered")
    calls = [call for call in calls_since(appio, before) if call["call"] == "profiles"]
    assert [call["status"] for call in calls[:2]] == [429, 200]
    pause = datetime.fromisoformat(calls[1]["at"]) - datetime.fromisoformat(calls[0]["at"])
    assert pause.total_seconds() >= 3
    assert len(with_subject(appio.to(paolo.person["fiscal code"]), made)) == 1


def test_app_io_fails_and_is_asked_again(chiara, paolo, appio, await_delivery):
    with misbehaving(appio, mode="failing", calls="messages", times=1):
        made = write(chiara, paolo)
        assert "500" in await_delivery(chiara, made, "app-io", "temporary-failure")["answer"]
        await_delivery(chiara, made, "app-io", "delivered", within=60)
    assert delivery(chiara, made, "app-io")["attempts"] == 2
    assert len(with_subject(appio.to(paolo.person["fiscal code"]), made)) == 1


def test_a_lost_answer_of_app_io_is_not_a_second_message(chiara, anna, appio, await_delivery):
    """The API has no idempotency key: what was perhaps taken is not sent again, the reserve goes instead."""
    with misbehaving(appio, mode="lost", calls="messages", times=1):
        made = write(chiara, anna, channels=["app-io"])
        assert "not repeated" in await_delivery(chiara, made, "app-io", "technical-failure")["answer"]
    await_delivery(chiara, made, "email", "sent")
    assert len(with_subject(appio.to(anna.person["fiscal code"]), made)) == 1


def test_a_message_that_app_io_rejects_later_is_no_delivery(chiara, anna, appio, await_delivery):
    with misbehaving(appio, outcome="REJECTED"):
        made = write(chiara, anna, channels=["app-io"])
        await_delivery(chiara, made, "app-io", "permanent-failure", within=30)
    await_delivery(chiara, made, "email", "sent")


def test_mail_waits_for_its_server(chiara, luca, stack, mailbox, await_delivery, eventually):
    stack.kill("smtp")
    try:
        made = write(chiara, luca)
        failed = await_delivery(chiara, made, "email", "temporary-failure")
        assert failed["nextAttemptAt"] > failed["updatedAt"] and show(luca, made)["state"] == "temporary-failure"
    finally:
        stack.up()
    sent = await_delivery(chiara, made, "email", "sent", within=60)
    assert sent["attempts"] >= 2
    assert len(with_subject(mailbox.to(portico.email_of(luca)), made)) == 1


def test_a_delivery_whose_worker_died_is_taken_up_again(chiara, luca, stack, mailbox, await_delivery):
    """As if the program had been killed in the middle: the lease runs out and another takes it."""
    stack.kill("smtp")
    try:
        made = write(chiara, luca)
        await_delivery(chiara, made, "email", "temporary-failure")
        stack.sql("notifications", "UPDATE deliveries SET state = 'sending', claim = uuid7(), next_attempt_at = now() + interval '5 s' "
                  f"WHERE notice_id = '{made['id']}' AND channel = 'email'")
    finally:
        stack.up()
    await_delivery(chiara, made, "email", "sent", within=60)
    assert len(with_subject(mailbox.to(portico.email_of(luca)), made)) == 1


def test_an_interrupted_message_to_app_io_is_not_repeated(chiara, paolo, stack, appio, await_delivery):
    made = write(chiara, paolo)
    await_delivery(chiara, made, "app-io", "delivered")
    stack.sql("notifications", "UPDATE deliveries SET state = 'sending', claim = uuid7(), handed_over = true, provider_reference = NULL, "
              f"next_attempt_at = now() WHERE notice_id = '{made['id']}' AND channel = 'app-io'")
    assert "not repeated" in await_delivery(chiara, made, "app-io", "technical-failure")["answer"]
    assert len(with_subject(appio.to(paolo.person["fiscal code"]), made)) == 1


# ---- how mail leaves: TLS, password, refusals. The suite's own notifications is replaced by one with other settings.

def is_ready(address):
    try:
        return requests.get(f"http://{address}/readyz", timeout=2).ok
    except requests.ConnectionError:
        return False


@contextmanager
def smtp_server(folder, port, *options):
    server = subprocess.Popen(["/usr/bin/python3", ROOT / "tests/support/smtp_server.py", str(port), folder, *options],
                              stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "ready\n"
    try:
        yield lambda: [email.message_from_bytes(bytes(message), policy=email.policy.default) for message in Maildir(folder)]
    finally:
        server.terminate()
        server.wait(10)


@contextmanager
def notifications_with(stack, eventually, **settings):
    environment = stack.environment("notifications") | settings
    stack.kill("notifications")
    program = subprocess.Popen([stack.binary("notifications")], env=environment, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: is_ready(environment["PORTICO_LISTEN"]))
        yield
    finally:
        program.terminate()
        program.wait(15)
        stack.up()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", file, "-out", f"{file}.crt"], check=True, capture_output=True)
    file.write_text(file.read_text() + open(f"{file}.crt").read())
    return file


@pytest.mark.parametrize("implicit", [False, True])
def test_mail_leaves_encrypted_and_with_a_password(chiara, luca, anna, stack, certificate, tmp_path, await_delivery, eventually, implicit):
    port = stack.port("smtp") + 100
    options = ["--cert", certificate, "--login", "portico:segreto", "--refuse", portico.email_of(anna)] + ["--implicit"] * implicit
    settings = {"PORTICO_SMTP_URL": f"smtp{'s' * implicit}://127.0.0.1:{port}", "PORTICO_SMTP_TLS": "required",
                "PORTICO_SMTP_CA": f"{certificate}.crt", "PORTICO_SMTP_USER": "portico", "PORTICO_SMTP_PASSWORD": "segreto"}
    with smtp_server(tmp_path / "mail", port, *options) as received, notifications_with(stack, eventually, **settings):
        made, refused = write(chiara, luca), write(chiara, anna, channels=["email"])
        await_delivery(chiara, made, "email", "sent")
        answer = await_delivery(chiara, refused, "email", "permanent-failure")["answer"]
        assert "no such mailbox" in answer and "<***>" in answer
        await_delivery(chiara, refused, "app-io", "delivered")          # the reserve
        sessions = [message["X-Session"] for message in received()]
    assert sessions and all(re.fullmatch(r"tls=TLSv1\.[23] user=portico", session) for session in sessions)


@pytest.mark.parametrize("what, server, changed, cause", [
    ("a wrong password", ["--cert", "CERTIFICATE", "--login", "portico:altro"], {}, "535"),
    ("a server without TLS", [], {}, "SSL"),
    ("a certificate of nobody we know", ["--cert", "CERTIFICATE"], {"PORTICO_SMTP_CA": "/etc/ssl/certs/ca-certificates.crt"}, "certificate")])
def test_mail_does_not_leave_in_the_clear(chiara, luca, stack, certificate, tmp_path, await_delivery, eventually, what, server, changed, cause):
    port = stack.port("smtp") + 100
    options = [certificate if option == "CERTIFICATE" else option for option in server]
    settings = {"PORTICO_SMTP_URL": f"smtp://127.0.0.1:{port}", "PORTICO_SMTP_TLS": "required", "PORTICO_SMTP_USER": "portico",
                "PORTICO_SMTP_CA": f"{certificate}.crt", "PORTICO_SMTP_PASSWORD": "segreto"} | changed
    with smtp_server(tmp_path / "mail", port, *options) as received, notifications_with(stack, eventually, **settings):
        made = write(chiara, luca)
        assert cause in await_delivery(chiara, made, "email", "temporary-failure")["answer"]
        assert received() == []
    await_delivery(chiara, made, "email", "sent", within=60)


def test_two_replicas_share_the_work_and_send_nothing_twice(chiara, luca, stack, mailbox, eventually):
    environment = stack.environment("notifications") | {"PORTICO_LISTEN": f"127.0.0.1:{stack.port('smtp') + 101}"}
    other = subprocess.Popen([stack.binary("notifications")], env=environment, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: is_ready(environment["PORTICO_LISTEN"]))
        made = [write(chiara, luca) for _ in range(30)]
        eventually(lambda: all(delivery(chiara, notice, "email")["state"] == "sent" for notice in made), 30)
    finally:
        other.terminate()
        other.wait(15)
    subjects = [message["subject"] for message in mailbox.to(portico.email_of(luca))]
    assert [subjects.count(notice["subject"]) for notice in made] == [1] * len(made)


# ---- the mailbox

@pytest.mark.parametrize("id", ["..%2f..%2fsecrets%2fcaller-key", "%2e%2e", ".hidden", "nothing"])
def test_the_mailbox_shows_nothing_but_its_messages(mailbox, id):
    for suffix in ("", "/raw"):
        assert mailbox.http.get(f"{mailbox.url}/messages/{id}{suffix}", timeout=10).status_code == 404


def test_the_mailbox_has_a_page_for_people(chiara, luca, mailbox, await_delivery):
    made = write(chiara, luca, subject=f"<b>Avviso</b> {uuid.uuid4()}")
    await_delivery(chiara, made, "email", "sent")
    page = mailbox.http.get(mailbox.url, timeout=10).text
    assert made["subject"].replace("<", "&lt;").replace(">", "&gt;") in page
