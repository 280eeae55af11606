"""Debt positions, checkouts, receipts: what is owed, how it is paid, and that no cent and no receipt is lost."""
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone

import pytest
from support import portico, station

TARIFFS = {"c_a944": "01", "c_a662": "02"}          # segregation codes of the demo creditors


@pytest.fixture(scope="module")
def davide(citizen):
    return citizen("Davide Conti")


@pytest.fixture(scope="module")
def luca(citizen):
    return citizen("Luca Ferrari")


@pytest.fixture(scope="module")
def roberto(operator):
    return operator("c_a944", "tributi")


@pytest.fixture(scope="module")
def vito(operator):
    return operator("c_a662", "tributi")


@pytest.fixture(scope="module")
def node(stack, anonymous):
    return station.Node(anonymous, open(stack.environment("payments")["PORTICO_STATION_KEY_FILE"]).read().strip())


@pytest.fixture(autouse=True)
def quiet_emulator(pagopa):
    yield
    pagopa.knobs()


def shown(client, position):
    return client.get(f"/payments/v1/positions/{position['id']}", expect=200).json()


def state_is(eventually, client, position, state):
    return eventually(lambda: (now := shown(client, position))["state"] == state and now)


def instalments(*amounts):
    return [{"amount": amount, "dueDate": str(date.today() + timedelta(days=30 * n))} for n, amount in enumerate(amounts, 1)]


def in_instalments(operator, debtor, *amounts, **more):
    parts = instalments(*amounts)
    return portico.position(operator, debtor, amount=sum(amounts), dueDate=parts[-1]["dueDate"], instalments=parts, **more)


def overdue(operator, debtor, stack, eventually):
    """A position whose due date has gone by; the task that looks for them is woken."""
    made = portico.position(operator, debtor, dueDate=str(date.today() - timedelta(days=3)))
    stack.sql("payments", "NOTIFY tasks, 'position-expiry'")
    return state_is(eventually, operator, made, "expired")


def events_of(stack, position, event):
    return int(stack.sql("payments", f"SELECT count(*) FROM outbox WHERE aggregate_id = '{position['id']}' AND type = '{event}'"))


def refused(answer, slug):
    assert answer.json()["type"] == f"/problems/{slug}", answer.text


# ---- positions

def test_show_status(anonymous):
    assert anonymous.get("/payments/v1/status", expect=200).json()["status"] == 200


def test_create_position(roberto, davide, stack):
    made = portico.position(roberto, davide, amount=18600)
    assert made["state"] == "open" and made["payable"] and made["amount"] == made["outstanding"] == {"amount": 18600, "currency": "EUR"}
    assert made["debtor"]["personId"] == davide.sub
    assert shown(davide, made) == made
    assert events_of(stack, made, "position.created") == 1


def test_a_notice_number_has_the_form_and_the_check_digits_of_pagopa(roberto, vito, davide):
    for operator, tenant in ((roberto, "c_a944"), (vito, "c_a662")):
        notice = portico.position(operator, davide)["noticeNumber"]
        assert notice[:3] == "3" + TARIFFS[tenant] and len(notice) == 18
        assert int(notice[:16]) % 93 == int(notice[16:])


def test_the_check_digits_are_those_of_the_published_vectors(stack):
    file = station.require_schema().parents[4] / "test-vectors/pagopa-notice-iuv-qr.vectors.json"
    for vector in json.loads(file.read_text())["aux3"]:
        made = stack.sql("payments", f"SELECT iuv_of('{vector['segregation']}', {int(vector['iuv_base'])})")
        assert made == vector["iuv"] and "3" + made == vector["notice_number"]


def test_forty_at_once_get_forty_notice_numbers(roberto, davide):
    roberto.get("/payments/v1/positions", expect=200)
    with ThreadPoolExecutor(10) as pool:
        made = list(pool.map(lambda _: portico.position(roberto, davide), range(40)))
    assert len({position["noticeNumber"] for position in made}) == 40


def test_the_same_key_makes_one_position(roberto, davide):
    asked, key = portico.new_position(davide), {"Idempotency-Key": portico.unique()}
    first = roberto.post("/payments/v1/positions", asked, headers=key, expect=201)
    again = roberto.post("/payments/v1/positions", asked, headers=key, expect=201)
    assert again.json() == first.json() and again.headers["Idempotent-Replayed"] == "true"
    refused(roberto.post("/payments/v1/positions", asked | {"amount": 1}, headers=key, expect=422), "idempotency-key-reused")


def test_a_partner_makes_positions_of_its_tenant(partner, roberto, vito, davide):
    made = portico.position(partner("refezione"), davide)
    assert made["tenant"] == "c_a944" and shown(roberto, made)["id"] == made["id"]
    vito.get(f"/payments/v1/positions/{made['id']}", expect=404)


def test_instalments_have_a_notice_number_each_and_add_up(roberto, davide):
    made = in_instalments(roberto, davide, 3334, 3333, 3333)
    assert [part["amount"]["amount"] for part in made["instalments"]] == [3334, 3333, 3333]
    assert len({part["noticeNumber"] for part in made["instalments"]}) == 3
    assert made["noticeNumber"] == made["instalments"][0]["noticeNumber"]


def test_no_cent_is_lost_between_a_position_and_its_parts(roberto, davide):
    wrong = portico.new_position(davide, amount=10000, instalments=instalments(3333, 3333, 3333))
    wrong["dueDate"] = wrong["instalments"][-1]["dueDate"]
    refused(roberto.post("/payments/v1/positions", wrong, expect=422), "amounts-do-not-add-up")
    short = instalments(10000)
    short[0]["transfers"] = [{"creditorFiscalCode": "01232710374", "creditorName": "Comune di Bologna", "amount": 9999,
                              "iban": "IT60X0542811101000000123456", "category": "0101101IM"}]
    refused(roberto.post("/payments/v1/positions", portico.new_position(davide, amount=10000, dueDate=short[0]["dueDate"],
                                                                         instalments=short), expect=422), "amounts-do-not-add-up")


def test_the_due_date_is_that_of_the_last_instalment(roberto, davide):
    asked = portico.new_position(davide, amount=200, dueDate=str(date.today()), instalments=instalments(100, 100))
    refused(roberto.post("/payments/v1/positions", asked, expect=422), "due-date-mismatch")


def test_an_iban_with_wrong_check_digits_is_refused(roberto, davide):
    parts = instalments(100)
    parts[0]["transfers"] = [{"creditorFiscalCode": "01232710374", "creditorName": "Comune di Bologna", "amount": 100,
                              "iban": "IT61X0542811101000000123456", "category": "0101101IM"}]
    asked = portico.new_position(davide, amount=100, dueDate=parts[0]["dueDate"], instalments=parts)
    refused(roberto.post("/payments/v1/positions", asked, expect=422), "iban-check-digits")


def test_one_position_for_one_reference_until_it_is_cancelled(roberto, davide, node):
    asked = portico.new_position(davide)
    first = roberto.post("/payments/v1/positions", asked, expect=201).json()
    refused(roberto.post("/payments/v1/positions", asked, expect=409), "reference-already-due")
    roberto.post(f"/payments/v1/positions/{first['id']}/cancellation", {"reason": "importo sbagliato"}, expect=200)
    second = roberto.post("/payments/v1/positions", asked, expect=201).json()
    # Whoever was paying the first one at that moment: her money is kept, and does not collide with the second.
    assert node.bring(station.receipt(first)).outcome == "OK"
    late = shown(davide, first)
    assert late["state"] == "paid" and late["paidLate"] and late["cancelledAt"]
    assert shown(davide, second)["state"] == "open"


def test_list_positions_by_state_reference_notice_and_debtor(roberto, davide, luca):
    made, other = portico.position(roberto, davide), portico.position(roberto, luca)

    def found(**params):
        return [item["id"] for item in roberto.get("/payments/v1/positions", params=params, expect=200).json()["items"]]

    assert found(referenceKind="test", referenceId=made["reference"]["id"]) == [made["id"]]
    assert found(noticeNumber=made["noticeNumber"]) == [made["id"]]
    assert made["id"] in found(fiscalCode=davide.person["fiscal code"]) and other["id"] not in found(fiscalCode=davide.person["fiscal code"])
    assert made["id"] in found(state="open,expired") and made["id"] not in found(state="paid,cancelled")
    roberto.get("/payments/v1/positions", params={"tenant": "c_a662"}, expect=403)


def test_list_positions_in_pages(roberto, davide):
    made = [portico.position(roberto, davide)["id"] for _ in range(5)]
    seen, after = [], None
    while not set(made) <= set(seen):
        page = davide.get("/payments/v1/positions", params={"limit": 2} | ({"after": after} if after else {}), expect=200).json()
        assert len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
        after = page.get("next")
    assert seen == sorted(seen, reverse=True) and len(seen) == len(set(seen))


def test_who_owns_in_both_cities_sees_both(luca):
    page = luca.get("/payments/v1/positions", params={"limit": 100}, expect=200).json()["items"]
    assert {item["tenant"] for item in page} == {"c_a944", "c_a662"}
    assert {item["tenant"] for item in luca.get(
        "/payments/v1/positions", params={"limit": 100, "tenant": "c_a662"}, expect=200).json()["items"]} == {"c_a662"}


def test_show_position_to_its_debtor_and_its_tenant_only(roberto, vito, davide, luca):
    made = portico.position(roberto, davide)
    for stranger in (luca, vito):
        stranger.get(f"/payments/v1/positions/{made['id']}", expect=404)
        stranger.get(f"/payments/v1/positions/{made['id']}/receipt", expect=404)
    vito.post(f"/payments/v1/positions/{made['id']}/cancellation", {"reason": "non mia"}, expect=404)
    assert shown(davide, made)["state"] == "open"


def test_cancel_position(roberto, davide, node, stack):
    made = portico.position(roberto, davide)
    for _ in range(2):
        gone = roberto.post(f"/payments/v1/positions/{made['id']}/cancellation", {"reason": "emessa per errore"}, expect=200).json()
        assert gone["state"] == "cancelled" and not gone["payable"] and gone["cancellationReason"] == "emessa per errore"
    assert node.verify(made).outcome == node.take(made).outcome == "PAA_PAGAMENTO_ANNULLATO"
    assert events_of(stack, made, "position.cancelled") == 1


def test_a_paid_position_cannot_be_cancelled(roberto, davide, node):
    made = portico.position(roberto, davide)
    node.bring(station.receipt(made))
    refused(roberto.post(f"/payments/v1/positions/{made['id']}/cancellation", {"reason": "tardi"}, expect=409), "position-paid")


def test_it_expires_and_can_still_be_paid_where_the_tenant_allows(roberto, davide, node, stack, eventually):
    made = overdue(roberto, davide, stack, eventually)
    assert made["payable"] and made["instalments"][0]["state"] == "overdue"
    assert events_of(stack, made, "position.expired") == 1
    assert node.verify(made).outcome == "OK"
    assert node.bring(station.receipt(made)).outcome == "OK"
    assert (paid := shown(davide, made))["state"] == "paid" and paid["paidLate"]
    assert events_of(stack, made, "position.paid") == 1


def test_where_the_tenant_says_no_it_is_not_payable_but_money_on_its_way_is_kept(vito, luca, node, stack, eventually):
    made = overdue(vito, luca, stack, eventually)
    assert not made["payable"] and node.verify(made).outcome == node.take(made).outcome == "PAA_PAGAMENTO_SCADUTO"
    refused(luca.post("/payments/v1/checkouts", portico.new_checkout(made), expect=409), "not-payable")
    assert node.bring(station.receipt(made)).outcome == "OK"
    assert shown(luca, made)["state"] == "paid"


def test_a_bill_reaches_who_became_known_after_it(vito, citizen, stack, eventually):
    maria = citizen("Maria Lorusso")
    known = f"fiscal_code = '{maria.person['fiscal code']}'"
    phone = maria.get("/identity/v1/me", expect=200).json()["contacts"]["mobilePhone"]
    eventually(stack.events_at_rest)                        # her login told of her already
    stack.sql("payments", f"DELETE FROM known_persons WHERE {known}")
    made = portico.position(vito, maria)
    assert "personId" not in made["debtor"]
    maria.patch("/identity/v1/me", {"contacts": {"mobilePhone": phone[:-1] + ("1" if phone[-1] != "1" else "2")}}, expect=200)
    assert eventually(lambda: shown(maria, made))["debtor"]["personId"] == maria.sub


# ---- checkouts

def test_create_checkout_and_pay(roberto, davide, pagopa, eventually):
    made = portico.position(roberto, davide)
    checkout = pagopa.pay(davide, made)
    assert checkout["state"] == "preparing" and checkout["items"][0]["noticeNumber"] == made["noticeNumber"]
    paid = state_is(eventually, davide, made, "paid")
    assert paid["outstanding"]["amount"] == 0 and not paid["payable"] and not paid["paidLate"] and "noticeNumber" not in paid


def test_show_checkout(roberto, davide, luca, pagopa, eventually):
    made = portico.position(roberto, davide)
    checkout = pagopa.pay(davide, made)
    look = lambda: davide.get(f"/payments/v1/checkouts/{checkout['id']}", expect=200).json()
    paid = eventually(lambda: (now := look())["state"] == "paid" and now)
    assert "paymentUrl" not in paid and paid["items"][0]["paid"]
    luca.get(f"/payments/v1/checkouts/{checkout['id']}", expect=404)


def test_several_dues_in_one_checkout(roberto, davide, pagopa, eventually):
    dues = [portico.position(roberto, davide, amount=amount) for amount in (100, 250)]
    asked = portico.new_checkout(dues[0]) | {"positionIds": [due["id"] for due in dues]}
    checkout = davide.post("/payments/v1/checkouts", asked, expect=201).json()
    assert checkout["amount"]["amount"] == 350
    page = eventually(lambda: davide.get(f"/payments/v1/checkouts/{checkout['id']}").json().get("paymentUrl"))
    assert pagopa.http.post(page, data={"action": "pay"}, allow_redirects=False).headers["Location"] == "https://area.example/ok"
    for due in dues:
        state_is(eventually, davide, due, "paid")


def test_the_payment_page_says_who_is_paid_how_much_and_only_once(roberto, davide, pagopa, eventually):
    made = portico.position(roberto, davide, amount=123456, reason="Canone <unico> & mercati")
    checkout = portico.checkout(davide, made)
    page = eventually(lambda: davide.get(f"/payments/v1/checkouts/{checkout['id']}").json().get("paymentUrl"))
    text = pagopa.http.get(page).text
    assert "1234,56 €" in text and "Comune di Bologna" in text and "Canone &lt;unico&gt; &amp; mercati" in text and made["noticeNumber"] in text
    left = pagopa.http.post(page, data={"action": "abandon"}, allow_redirects=False)
    assert left.headers["Location"] == "https://area.example/no"
    assert pagopa.http.post(page, data={"action": "pay"}, allow_redirects=False).status_code == 409
    assert shown(davide, made)["state"] == "open"


def test_a_failed_payment_leaves_the_due_as_it_was(roberto, davide, pagopa, eventually):
    made = portico.position(roberto, davide)
    checkout = portico.checkout(davide, made)
    page = eventually(lambda: davide.get(f"/payments/v1/checkouts/{checkout['id']}").json().get("paymentUrl"))
    assert pagopa.http.post(page, data={"action": "fail"}, allow_redirects=False).headers["Location"] == "https://area.example/error"
    assert shown(davide, made)["state"] == "open"
    pagopa.pay(davide, made)
    state_is(eventually, davide, made, "paid")


def test_what_cannot_be_put_in_a_checkout(roberto, vito, davide, luca, node):
    mine, hers, elsewhere = portico.position(roberto, luca), portico.position(roberto, davide), portico.position(vito, luca)
    paid = portico.position(roberto, luca)
    node.bring(station.receipt(paid))
    ask = lambda *ids, expect: luca.post("/payments/v1/checkouts", portico.new_checkout(mine) | {"positionIds": list(ids)}, expect=expect)
    refused(ask(mine["id"], hers["id"], expect=422), "unknown-reference")
    refused(ask(str(uuid.uuid4()), expect=422), "unknown-reference")
    refused(ask(mine["id"], elsewhere["id"], expect=422), "several-creditors")
    refused(ask(paid["id"], expect=409), "not-payable")
    luca.post("/payments/v1/checkouts", portico.new_checkout(mine) | {"noticeNumbers": [mine["noticeNumber"]]}, expect=400)
    luca.post("/payments/v1/checkouts", portico.new_checkout(mine) | {"returnUrls": {"ok": "javascript:alert(1)"}}, expect=400)


def test_pagopa_down_for_a_moment_is_tried_again(roberto, davide, pagopa, eventually):
    pagopa.knobs(failCarts=2)
    checkout = portico.checkout(davide, portico.position(roberto, davide))
    look = lambda: davide.get(f"/payments/v1/checkouts/{checkout['id']}", expect=200).json()
    assert eventually(lambda: (now := look())["state"] != "preparing" and now)["state"] == "ready"


def test_a_cart_that_pagopa_refuses_fails_with_a_reason(roberto, davide, pagopa, eventually):
    pagopa.knobs(refuseCarts=1)
    checkout = portico.checkout(davide, portico.position(roberto, davide))
    look = lambda: davide.get(f"/payments/v1/checkouts/{checkout['id']}", expect=200).json()
    assert "400" in eventually(lambda: (now := look())["state"] == "failed" and now)["failure"]


def test_a_checkout_that_nobody_pays_expires_and_a_late_payment_counts(roberto, davide, pagopa, stack, eventually):
    made = portico.position(roberto, davide)
    checkout = portico.checkout(davide, made)
    look = lambda: davide.get(f"/payments/v1/checkouts/{checkout['id']}", expect=200).json()
    page = eventually(lambda: look().get("paymentUrl"))
    stack.sql("payments", f"UPDATE checkouts SET expires_at = now() WHERE id = '{checkout['id']}'; NOTIFY tasks, 'checkout-expiry'")
    assert "paymentUrl" not in eventually(lambda: (now := look())["state"] == "expired" and now)
    pagopa.http.post(page, data={"action": "pay"}, allow_redirects=False)
    eventually(lambda: look()["state"] == "paid")


# ---- receipts

def test_show_position_receipt(roberto, davide, pagopa):
    made = portico.paid_position(pagopa, roberto, davide)
    told = davide.get(f"/payments/v1/positions/{made['id']}/receipt", expect=200).json()
    (receipt,) = told["receipts"]
    assert told["tenantName"] == "Comune di Bologna" and receipt["amount"] == made["amount"] and receipt["match"] == "matched"
    assert receipt["noticeNumber"] == made["noticeNumber"] and receipt["pspName"] == "PSP di prova"
    davide.get(f"/payments/v1/positions/{portico.position(roberto, davide)['id']}/receipt", expect=404)


def test_list_receipts_and_those_that_belong_to_nobody(roberto, vito, davide, node):
    ghost = portico.position(roberto, davide)
    ghost["instalments"][0]["noticeNumber"], ghost["instalments"][0]["iuv"] = "399000000000012345", "99000000000012345"
    receipt = station.receipt(ghost)
    assert node.bring(receipt).outcome == "OK"
    assert node.bring(receipt).outcome == "PAA_RECEIPT_DUPLICATA"
    listed = lambda operator, **params: operator.get("/payments/v1/receipts", params=params, expect=200).json()["items"]
    (orphan,) = [item for item in listed(roberto, match="orphan") if item["receiptId"] == receipt["receipt"]["receiptId"]]
    assert "positionId" not in orphan and orphan["amount"]["amount"] == 4550
    assert orphan["id"] not in [item["id"] for item in listed(roberto, match="matched", limit=100)]
    assert orphan["id"] not in [item["id"] for item in listed(vito, limit=100)]


def test_receipts_lost_on_the_way_come_again_and_count_once(roberto, davide, pagopa, eventually, stack):
    made = portico.position(roberto, davide)
    pagopa.knobs(loseReceipts=1, loseReceiptAnswers=1, duplicateReceipts=1)
    pagopa.pay(davide, made)
    state_is(eventually, davide, made, "paid")
    eventually(lambda: [call["outcome"] for call in pagopa.http.get(pagopa.url + "/emulator").json()["calls"]
                        if call.get("about") == made["noticeNumber"] and call["name"] == "paSendRTV2"]
               == ["lost on the way", "OK", "PAA_RECEIPT_DUPLICATA", "PAA_RECEIPT_DUPLICATA"])
    assert len(davide.get(f"/payments/v1/positions/{made['id']}/receipt", expect=200).json()["receipts"]) == 1
    assert events_of(stack, made, "position.paid") == 1


def test_receipts_that_were_not_taken_survive_a_restart_of_the_emulator(roberto, davide, pagopa, eventually, stack):
    made = portico.position(roberto, davide)
    pagopa.knobs(loseReceipts=1000)
    pagopa.pay(davide, made)
    eventually(lambda: any(call.get("about") == made["noticeNumber"] and call["outcome"] == "lost on the way"
                           for call in pagopa.http.get(pagopa.url + "/emulator").json()["calls"]))
    stack.kill("pagopa")
    stack.up()
    state_is(eventually, davide, made, "paid")


@pytest.mark.parametrize("knob", ["refusePayments", "unknownNotices"])
def test_a_payment_that_the_bank_cannot_make(roberto, davide, pagopa, eventually, knob):
    made = portico.position(roberto, davide)
    checkout = portico.checkout(davide, made)
    page = eventually(lambda: davide.get(f"/payments/v1/checkouts/{checkout['id']}").json().get("paymentUrl"))
    pagopa.knobs(**{knob: 1})
    assert pagopa.http.post(page, data={"action": "pay"}, allow_redirects=False).headers["Location"] == "https://area.example/error"
    assert shown(davide, made)["state"] == "open"


def test_a_knob_that_is_none_is_refused(pagopa):
    assert pagopa.http.patch(pagopa.url + "/emulator/knobs", json={"loseReciepts": 1}).status_code == 400


def test_the_emulator_takes_carts_by_the_official_contract_only(pagopa, stack):
    key = {"Ocp-Apim-Subscription-Key": open(stack.environment("payments")["PORTICO_CHECKOUT_KEY_FILE"]).read().strip()}
    cart = {"paymentNotices": [{"noticeNumber": "301000000000000144", "fiscalCode": "01232710374", "amount": 6840,
                                "companyName": "Comune di Bologna", "description": "Mensa"}],
            "returnUrls": {f"return{name}Url": "https://area.example/" for name in ("Ok", "Cancel", "Error")}}
    post = lambda body, headers=key: pagopa.http.post(
        pagopa.url + "/checkout/ec/v1/carts", json=body, headers=headers, allow_redirects=False)
    assert post(cart).status_code == 302 and post(cart).headers["Location"].startswith(pagopa.url + "/checkout/")
    assert post(cart, {}).status_code == 401
    assert post(cart | {"returnUrls": {}}).status_code == 400
    assert post(cart | {"paymentNotices": cart["paymentNotices"] * 6}).status_code == 400


def test_paid_at_a_bank_without_us(roberto, davide, pagopa, eventually):
    made = portico.position(roberto, davide)
    assert pagopa.pay_at_the_bank(made, made["creditorFiscalCode"])
    state_is(eventually, davide, made, "paid")
    assert not pagopa.pay_at_the_bank(made, made["creditorFiscalCode"])


def test_instalments_are_paid_one_by_one(roberto, davide, pagopa, eventually, stack):
    made = in_instalments(roberto, davide, 3334, 3333)
    pagopa.pay(davide, made)
    half = state_is(eventually, davide, made, "partly-paid")
    paid_at = davide.get(f"/payments/v1/positions/{made['id']}/receipt", expect=200).json()["receipts"][0]["paidAt"]
    assert abs(datetime.now(timezone.utc) - datetime.fromisoformat(paid_at.replace("Z", "+00:00"))) < timedelta(minutes=10), \
        "the node writes Italian time, the API speaks UTC"
    assert half["outstanding"]["amount"] == 3333 and half["noticeNumber"] == made["instalments"][1]["noticeNumber"]
    assert [part["state"] for part in half["instalments"]] == ["paid", "open"]
    assert events_of(stack, made, "position.partly-paid") == 1
    asked = {"noticeNumbers": [half["noticeNumber"]], "returnUrls": portico.new_checkout(made)["returnUrls"]}
    checkout = davide.post("/payments/v1/checkouts", asked, expect=201).json()
    page = eventually(lambda: davide.get(f"/payments/v1/checkouts/{checkout['id']}").json().get("paymentUrl"))
    pagopa.http.post(page, data={"action": "pay"}, allow_redirects=False)
    assert state_is(eventually, davide, made, "paid")["outstanding"]["amount"] == 0
    assert events_of(stack, made, "position.paid") == 1
    assert len(davide.get(f"/payments/v1/positions/{made['id']}/receipt", expect=200).json()["receipts"]) == 2


def test_receipts_of_all_instalments_at_the_same_moment(roberto, davide, node, stack):
    made = in_instalments(roberto, davide, *[100 + n for n in range(8)])
    receipts = [station.receipt(made, notice=part["noticeNumber"]) for part in made["instalments"]]
    with ThreadPoolExecutor(8) as pool:
        assert [answer.outcome for answer in pool.map(node.bring, receipts)] == ["OK"] * 8
    paid = shown(davide, made)
    assert paid["state"] == "paid" and paid["outstanding"]["amount"] == 0
    assert events_of(stack, made, "position.paid") == 1 and events_of(stack, made, "position.partly-paid") == 7


def test_too_little_leaves_the_rest_to_pay(roberto, davide, node):
    parts = instalments(1000)
    parts[0]["transfers"] = [
        {"creditorFiscalCode": "01232710374", "creditorName": "Comune di Bologna", "iban": "IT60X0542811101000000123456",
         "amount": 700, "category": "0101101IM"},
        {"creditorFiscalCode": "80022230371", "creditorName": "Città metropolitana", "iban": "IT94K0200802435000020067999",
         "amount": 300, "category": "0201102IM"}]
    made = portico.position(roberto, davide, amount=1000, dueDate=parts[0]["dueDate"], instalments=parts)
    assert node.bring(station.receipt(made, amount=800)).outcome == "OK"
    left = shown(davide, made)
    assert left["state"] == "partly-paid" and left["outstanding"]["amount"] == 200
    assert node.verify(made)["paymentList/paymentOptionDescription/amount"] == "2.00"
    taken = node.take(made)
    assert taken["data/paymentAmount"] == taken["data/transferList/transfer/transferAmount"] == "2.00"
    assert taken["data/transferList/transfer/fiscalCodePA"] == "80022230371"
    assert node.bring(station.receipt(made, amount=200)).outcome == "OK"
    assert shown(davide, made)["state"] == "paid"


def test_too_much_and_twice_is_shown_as_excess(roberto, davide, node, pagopa, eventually, stack):
    made = portico.position(roberto, davide, amount=1000)
    pagopa.knobs(receiptAmountDelta=50)
    pagopa.pay(davide, made)
    state_is(eventually, davide, made, "paid")
    assert shown(davide, made)["excess"]["amount"] == 50 and shown(davide, made)["state"] == "paid"
    assert node.bring(station.receipt(made, amount=1000)).outcome == "OK"
    assert shown(davide, made)["excess"]["amount"] == 1050
    assert events_of(stack, made, "position.paid") == 1


# ---- practices

def test_the_fee_of_a_practice_becomes_a_due_and_goes_with_it(davide, eventually):
    practice = portico.draft(davide)
    portico.act(davide, practice, "submission")
    due = portico.due_of(davide, practice)
    assert due["reference"] == {"kind": "practice", "id": practice["id"]} and due["state"] == "open"
    assert due["debtor"] == {"fiscalCode": davide.person["fiscal code"], "name": davide.name, "personId": davide.sub}
    portico.await_state(davide, practice, "payment-due")
    portico.act(davide, practice, "withdrawal", {"reason": "ci ho ripensato"})
    state_is(eventually, davide, due, "cancelled")


def test_the_fee_is_due_when_the_practice_says(davide, operator, stack, eventually):
    practice = portico.draft(davide)
    portico.act(davide, practice, "submission")
    due = portico.due_of(davide, practice)
    assert due["dueDate"] == portico.await_state(davide, practice, "payment-due")["fee"]["dueDate"]
    operator("c_a944", "tributi").post(f"/payments/v1/positions/{due['id']}/cancellation", {"reason": "Da rifare"}, expect=200)
    stack.sql("dossier", f"update practices set started_on = started_on - 3 where id = '{practice['id']}'")
    stack.again("dossier", "practice.payment-due", practice["id"])
    again = eventually(lambda: portico.due_of(davide, practice)["id"] != due["id"] and portico.due_of(davide, practice))
    assert again["dueDate"] == portico.show(davide, practice)["fee"]["dueDate"] == str(date.fromisoformat(due["dueDate"]) - timedelta(days=3))
