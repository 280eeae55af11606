"""Offices, agendas, slots; places held, confirmed, moved, cancelled."""
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from support import portico

ROME = ZoneInfo("Europe/Rome")


def held(citizen, **more):
    return citizen.post("/booking/v1/appointments", portico.new_appointment(citizen, **more), expect=201).json()


def act(person, appointment, step, body=None, expect=200):
    return person.post(f"/booking/v1/appointments/{appointment['id']}/{step}", body, expect=expect).json()


def free_at(client, appointment):
    """Free places of the appointment's slot."""
    day = str(datetime.fromisoformat(appointment["startsAt"].replace("Z", "+00:00")).astimezone(ROME).date())
    slots = client.get(f"/booking/v1/agendas/{appointment['agendaId']}/slots", params={"from": day, "to": day}, expect=200).json()["items"]
    return next((slot["free"] for slot in slots if slot["startsAt"] == appointment["startsAt"]), 0)


@pytest.fixture(autouse=True)
def no_holds_left(citizen):
    """A person holds at most five places, so each test gives back what it held."""
    yield
    for name in ("Anna Bianchi", "Paolo Greco"):
        person = citizen(name)
        for left in person.get("/booking/v1/appointments", params={"state": "held", "limit": 100}, expect=200).json()["items"]:
            act(person, left, "cancellation")


def test_list_offices(anonymous):
    page = anonymous.get("/booking/v1/offices", params={"tenant": "c_a944", "limit": 2}, expect=200).json()
    rest = anonymous.get("/booking/v1/offices", params={"tenant": "c_a944", "after": page["next"]}, expect=200).json()
    assert {office["code"] for office in page["items"] + rest["items"]} == {"mobilita", "anagrafe", "tributi"}
    assert "next" not in rest


def test_show_office(anonymous):
    office = anonymous.get("/booking/v1/offices/0192f000-0000-7000-8000-000000000301", expect=200).json()
    assert office["tenant"] == "c_a944" and office["agendas"][0]["hours"][0] == {"weekday": 1, "opens": "08:30", "closes": "12:30"}
    anonymous.get("/booking/v1/offices/0192f000-0000-7000-8000-0000000003ff", expect=404)


def test_list_agendas(anonymous):
    found = anonymous.get("/booking/v1/agendas", params={"service": "passo-carraio"}, expect=200).json()["items"]
    assert {agenda["tenant"] for agenda in found} == {"c_a944", "c_a662"}


def test_list_slots_within_the_opening_hours_of_rome(anonymous):
    for agenda, slot in portico.free_slots(anonymous):
        start = datetime.fromisoformat(slot["startsAt"].replace("Z", "+00:00")).astimezone(ROME)
        hours = [h for h in agenda["hours"] if h["weekday"] == start.isoweekday()]
        assert any(h["opens"] <= start.strftime("%H:%M") < h["closes"] for h in hours), f"{start} is outside {hours}"


def test_no_slot_on_a_holiday(anonymous):
    christmas = next(day for day in (date(year, 12, 25) for year in (2026, 2027)) if day > date.today())
    day = {"from": str(christmas), "to": str(christmas)}
    assert anonymous.get("/booking/v1/agendas/0192f000-0000-7000-8000-000000000501/slots", params=day, expect=200).json()["items"] == []


def test_slots_of_a_long_time_are_refused(anonymous):
    days = {"from": "2026-01-01", "to": "2026-12-31"}
    answer = anonymous.get("/booking/v1/agendas/0192f000-0000-7000-8000-000000000501/slots", params=days, expect=422).json()
    assert answer["type"] == "/problems/range-too-long"


def test_create_appointment_holds_a_place_and_show_appointment(citizen):
    anna = citizen("Anna Bianchi")
    place = held(anna, notes="Verrò con un accompagnatore")
    assert place["state"] == "held" and place["heldUntil"] and place["personId"] == anna.sub
    assert anna.get(f"/booking/v1/appointments/{place['id']}", expect=200).json() == place
    assert place["notes"] == "Verrò con un accompagnatore"


def test_confirm_appointment(citizen):
    anna = citizen("Anna Bianchi")
    place = held(anna)
    confirmed = act(anna, place, "confirmation")
    assert confirmed["state"] == "confirmed" and "heldUntil" not in confirmed and confirmed["version"] == 2
    assert act(anna, place, "confirmation")["version"] == 2, "confirming twice does no harm"
    act(anna, place, "cancellation")


def test_cancel_appointment(citizen):
    anna = citizen("Anna Bianchi")
    place = held(anna)
    free = free_at(anna, place)
    act(anna, place, "confirmation")
    assert act(anna, place, "cancellation")["state"] == "cancelled"
    assert act(anna, place, "cancellation")["state"] == "cancelled"
    assert free_at(anna, place) == free + 1
    assert act(anna, place, "confirmation", expect=409)["type"] == "/problems/wrong-state"


def test_move_appointment_takes_the_new_place_and_gives_the_old_one_back(citizen):
    anna = citizen("Anna Bianchi")
    place = held(anna)
    act(anna, place, "confirmation")
    free_before = free_at(anna, place)
    target = next(slot for agenda, slot in portico.free_slots(anna)
                  if agenda["id"] == place["agendaId"] and slot["startsAt"] != place["startsAt"])
    moved = act(anna, place, "move", {"startsAt": target["startsAt"]})
    assert moved["startsAt"] == target["startsAt"] and moved["state"] == "confirmed"
    assert free_at(anna, place) == free_before + 1 and free_at(anna, moved) == target["free"] - 1
    act(anna, moved, "cancellation")


def test_a_move_that_fails_changes_nothing(citizen):
    anna = citizen("Anna Bianchi")
    place = held(anna)
    free = free_at(anna, place)
    for when, slug in (("2020-01-01T09:00:00Z", "slot-unavailable"), (place["startsAt"].replace(":00.000Z", ":01.000Z"), "slot-unavailable")):
        assert act(anna, place, "move", {"startsAt": when}, expect=422)["type"] == f"/problems/{slug}"
    assert anna.get(f"/booking/v1/appointments/{place['id']}", expect=200).json() == place and free_at(anna, place) == free


def test_a_full_slot_is_refused_and_a_cancelled_place_is_free_again(citizen, operator):
    anna, chiara = citizen("Anna Bianchi"), operator("c_a944", "mobilita")
    agenda, slot = portico.free_slots(anna)[0]
    body = {"agendaId": agenda["id"], "startsAt": slot["startsAt"]}
    taken = [chiara.post("/booking/v1/appointments", body | {"personId": citizen("Davide Conti").sub}, expect=201).json()
             for _ in range(slot["free"])]
    assert anna.post("/booking/v1/appointments", body, expect=409).json()["type"] == "/problems/slot-taken"
    for each in taken:
        act(chiara, each, "cancellation")
    anna.post("/booking/v1/appointments", body, expect=201)


def test_a_hold_that_ended_is_anyones_and_cannot_be_confirmed(citizen, stack):
    anna = citizen("Anna Bianchi")
    place = held(anna)
    free = free_at(anna, place)
    stack.sql("booking", f"UPDATE appointments SET held_until = now() - interval '1 second' WHERE id = '{place['id']}'; "
                         f"UPDATE taken_places SET held_until = now() - interval '1 second' WHERE appointment_id = '{place['id']}'")
    assert free_at(anna, place) == free + 1
    assert act(anna, place, "confirmation", expect=409)["type"] == "/problems/hold-expired"
    assert anna.get(f"/booking/v1/appointments/{place['id']}", expect=200).json()["state"] == "expired"


def test_ended_holds_are_tidied_up(citizen, stack, eventually):
    place = held(citizen("Anna Bianchi"))
    stack.sql("booking", f"UPDATE appointments SET held_until = now() - interval '1 second' WHERE id = '{place['id']}'; NOTIFY tasks, 'expire-holds'")
    eventually(lambda: stack.sql("booking", f"SELECT state FROM appointments WHERE id = '{place['id']}'") == "expired", 20)
    assert stack.sql("booking", f"SELECT count(*) FROM taken_places WHERE appointment_id = '{place['id']}'") == "0"


def test_nobody_hoards_places(citizen):
    paolo = citizen("Paolo Greco")
    for _ in range(5):
        held(paolo)
    answer = paolo.post("/booking/v1/appointments", portico.new_appointment(paolo), expect=409).json()
    assert answer["type"] == "/problems/too-many-holds"


def test_a_desk_uses_up_nobody_elses_holds(citizen, operator):
    maria, places = citizen("Maria Lorusso"), []

    def hold_for_her(tenant, expect=201):
        agenda, slot = portico.free_slots(maria, tenant)[-1]
        body = {"agendaId": agenda["id"], "startsAt": slot["startsAt"], "personId": maria.sub}
        return operator(tenant, "mobilita").post("/booking/v1/appointments", body, expect=expect).json()
    try:
        for _ in range(5):
            places.append(hold_for_her("c_a662"))
        assert hold_for_her("c_a662", expect=409)["type"] == "/problems/too-many-holds"
        places += [hold_for_her("c_a944"), held(maria)]
    finally:
        for place in places:
            act(maria, place, "cancellation")


@pytest.mark.parametrize("body, pointers", [
    ({}, {"/agendaId", "/startsAt"}),
    ({"agendaId": "x", "startsAt": 7, "extra": 1}, {"/agendaId", "/startsAt", "/extra"}),
    ({"agendaId": "0192f000-0000-7000-8000-000000000501", "startsAt": "2026-02-30T08:00:00Z"}, {"/startsAt"}),
])
def test_every_wrong_field_is_named(citizen, body, pointers):
    answer = citizen("Anna Bianchi").post("/booking/v1/appointments", body, expect=400).json()
    assert {error["pointer"] for error in answer["errors"]} == pointers


def test_no_slot_outside_the_agenda(citizen):
    anna = citizen("Anna Bianchi")
    agenda, slot = portico.free_slots(anna)[0]
    night = slot["startsAt"][:10] + "T02:00:00Z"
    far = str(date.today() + timedelta(days=400)) + "T09:30:00Z"
    for when in (night, far, "2020-01-07T09:30:00Z"):
        answer = anna.post("/booking/v1/appointments", {"agendaId": agenda["id"], "startsAt": when}, expect=422).json()
        assert answer["type"] == "/problems/slot-unavailable"
    unknown = {"agendaId": "0192f000-0000-7000-8000-0000000005ff", "startsAt": slot["startsAt"]}
    assert anna.post("/booking/v1/appointments", unknown, expect=422).json()["type"] == "/problems/slot-unavailable"


def test_an_operator_books_for_a_person_in_her_own_city_only(citizen, operator):
    paolo, chiara = citizen("Paolo Greco"), operator("c_a944", "mobilita")
    assert chiara.post("/booking/v1/appointments", portico.new_appointment(chiara), expect=422).json()["type"] == "/problems/person-required"
    made = chiara.post("/booking/v1/appointments", portico.new_appointment(chiara, personId=paolo.sub), expect=201).json()
    assert paolo.get(f"/booking/v1/appointments/{made['id']}", expect=200).json()["personId"] == paolo.sub
    agenda, slot = portico.free_slots(chiara, tenant="c_a662")[0]
    chiara.post("/booking/v1/appointments", {"agendaId": agenda["id"], "startsAt": slot["startsAt"], "personId": paolo.sub}, expect=403)


def test_a_citizen_cannot_book_in_anothers_name(citizen):
    anna, paolo = citizen("Anna Bianchi"), citizen("Paolo Greco")
    made = held(anna, personId=paolo.sub)
    assert made["personId"] == anna.sub
    paolo.get(f"/booking/v1/appointments/{made['id']}", expect=404)
    act(paolo, made, "cancellation", expect=404)


def test_list_appointments_in_order_and_by_page(citizen):
    anna = citizen("Anna Bianchi")
    made = {held(anna)["id"] for _ in range(3)}
    seen, after = [], {}
    while True:
        page = anna.get("/booking/v1/appointments", params={"limit": 2, "state": "held"} | after, expect=200).json()
        seen += page["items"]
        if "next" not in page:
            break
        after = {"after": page["next"]}
    assert made <= {item["id"] for item in seen} and len(seen) == len({item["id"] for item in seen})
    assert [item["startsAt"] for item in seen] == sorted(item["startsAt"] for item in seen)


def test_the_same_key_books_once(citizen):
    anna = citizen("Anna Bianchi")
    body, key = portico.new_appointment(anna), {"Idempotency-Key": portico.unique()}
    first = anna.post("/booking/v1/appointments", body, headers=key, expect=201)
    again = anna.post("/booking/v1/appointments", body, headers=key, expect=201)
    assert again.json() == first.json() and again.headers["Idempotent-Replayed"] == "true"
    answer = anna.post("/booking/v1/appointments", body | {"notes": "altro"}, headers=key, expect=422).json()
    assert answer["type"] == "/problems/idempotency-key-reused"


def test_a_moved_agenda_length_is_refused_by_the_database(stack):
    with pytest.raises(Exception, match="never change their length"):
        stack.sql("booking", "UPDATE agendas SET slot_minutes = slot_minutes + 5")
