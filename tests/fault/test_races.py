"""What many do at the same moment: one place is given once, a register has no gap and no number twice, and of two who should see each
other's work neither misses it."""
import json
import threading
from collections import Counter
from contextlib import contextmanager

import requests
from support import portico
from support.contracts import ROOT


def at_once(calls):
    """Makes all calls from one thread each, let go together; gives what they returned."""
    gate, answers = threading.Barrier(len(calls)), [None] * len(calls)

    def make(place, call):
        gate.wait()
        answers[place] = call()
    threads = [threading.Thread(target=make, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_two_hundred_want_the_same_place_and_one_gets_it(citizen, operator):
    names = ["Anna Bianchi", "Davide Conti", "Luca Ferrari", "Maria Lorusso", "Paolo Greco"]
    citizens = [citizen(name) for name in names]
    for each in citizens:
        for held in each.get("/booking/v1/appointments", params={"state": "held"}, expect=200).json()["items"]:
            each.post(f"/booking/v1/appointments/{held['id']}/cancellation", expect=200)
    agenda, slot = last_place(operator("c_a944", "mobilita"), citizens[0])
    body = {"agendaId": agenda["id"], "startsAt": slot["startsAt"]}
    answers = at_once([lambda each=citizens[i % 5]: each.post("/booking/v1/appointments", body) for i in range(200)])
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 199}
    assert {answer.json()["type"] for answer in answers if answer.status_code == 409} == {"/problems/slot-taken"}


def last_place(operator, citizen):
    """A slot that has exactly one free place; others are taken by the operator's hand until it is so."""
    agenda, slot = portico.free_slots(citizen)[-1]
    for _ in range(slot["free"] - 1):
        operator.post("/booking/v1/appointments", {"agendaId": agenda["id"], "startsAt": slot["startsAt"],
                                                   "personId": citizen.sub}, expect=201)
    return agenda, slot


def test_two_thousand_registrations_over_eight_connections_leave_no_gap(operator, stack):
    """Numbers are one after the other, each once, and in the order in which the register knows them."""
    chiara = operator("c_a944", "mobilita")
    token = chiara.authorization()
    numbers, refused = [], []

    def clerk():
        connection = requests.Session()
        for _ in range(250):
            answer = connection.post(stack.url() + "/protocol/v1/registrations", json=portico.new_registration(), headers=token)
            (numbers if answer.status_code == 201 else refused).append(
                answer.json()["number"] if answer.status_code == 201 else answer.text)
    clerks = [threading.Thread(target=clerk) for _ in range(8)]
    for each in clerks:
        each.start()
    for each in clerks:
        each.join()
    assert not refused, f"{len(refused)} were refused, the first: {refused[0][:500]}"
    assert len(set(numbers)) == 2000, "a number was given twice"
    assert stack.sql("protocol", "SELECT count(*) FROM (SELECT number - lag(number) OVER (PARTITION BY tenant_id, aoo, register_code, year "
                                 "ORDER BY number) AS step FROM registrations) s WHERE step <> 1") == "0"


NEW_YEAR = """
CREATE SCHEMA new_year;
CREATE TABLE new_year.clock AS SELECT '2090-12-31T22:59:59Z'::timestamptz AS shows;
CREATE FUNCTION new_year.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT shows FROM new_year.clock'
"""


def test_who_waits_for_a_number_across_new_year_gets_one_of_the_new_year(stack, eventually):
    """23:59:59 in Rome while another takes a number, midnight when it is given back."""
    create = (ROOT / "services/protocol/sql/create_registration.sql").read_text()
    body = json.dumps(portico.new_registration())
    take = f"BEGIN; SET LOCAL search_path = new_year, public, pg_catalog; SET LOCAL app.tenant = 'c_a944'; " \
           f"PREPARE register(text, text, text) AS {create}; EXECUTE register('{body}', 'clerk', NULL);"
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%new_year%'"
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%new_year%'"
    given = {}

    def clerk(name, then):
        given[name] = stack.sql("protocol", f"{take} DEALLOCATE register; {then} ROLLBACK")
    clerks = [threading.Thread(target=clerk, args=each) for each in (("first", "SELECT pg_sleep(4);"), ("second", ""))]
    stack.sql("protocol", NEW_YEAR)
    try:
        for each, state in zip(clerks, (sleeping, waiting)):
            each.start()
            eventually(lambda: stack.sql("protocol", state) == "1", 10)
        stack.sql("protocol", "UPDATE new_year.clock SET shows = shows + interval '1 second'")
    finally:
        for each in clerks:
            each.join()
        stack.sql("protocol", "DROP SCHEMA new_year CASCADE")
    first, second = (json.loads(given[name].split("|")[0]) for name in ("first", "second"))
    assert (first["year"], first["number"]) == (2090, 1)
    assert (second["year"], second["number"], second["registeredAt"]) == (2091, 1, "2090-12-31T23:00:00.000Z")


@contextmanager
def slowly(stack, service, when):
    """Whoever writes such a row takes three seconds over it."""
    table, condition = when
    stack.sql(service, "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(3); RETURN new; END'; "
                       f"CREATE TRIGGER a_slow_one BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION dawdle()")
    try:
        yield
    finally:
        stack.sql(service, f"DROP TRIGGER a_slow_one ON {table}; DROP FUNCTION dawdle")


def meanwhile(stack, service, eventually, slow_call, event):
    """What slow_call answers; while it is under way, event happens and is being heard."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(slow_call()))
    thread.start()
    eventually(lambda: stack.sql(service, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                                          "AND wait_event = 'PgSleep'") == "1", 10)
    event()
    thread.join()
    return answers[0]


def test_a_bill_that_is_made_while_its_debtor_becomes_known_is_hers(citizen, operator, stack, eventually):
    maria, vito = citizen("Maria Lorusso"), operator("c_a662", "tributi")
    code = maria.person["fiscal code"]
    eventually(stack.events_at_rest)
    stack.sql("payments", f"DELETE FROM known_persons WHERE fiscal_code = '{code}'")
    with slowly(stack, "payments", ("positions", f"new.debtor_fiscal_code = '{code}' AND new.person_id IS NULL")):
        made = meanwhile(stack, "payments", eventually, lambda: portico.position(vito, maria),
                         lambda: stack.again("identity", "person.updated", maria.sub))
    shown = lambda: vito.get(f"/payments/v1/positions/{made['id']}", expect=200).json()
    assert eventually(lambda: shown()["debtor"].get("personId")) == maria.sub


def test_a_practice_that_is_sent_in_while_its_applicant_becomes_known_has_her_name(citizen, stack, eventually):
    maria = citizen("Maria Lorusso")
    made = portico.draft(maria, "tari-riduzione", tenant="c_a662")
    eventually(stack.events_at_rest)
    stack.sql("dossier", f"DELETE FROM applicants WHERE subject_id = '{maria.sub}'")
    with slowly(stack, "dossier", ("practices", f"new.id = '{made['id']}' AND new.state = 'submitted'")):
        meanwhile(stack, "dossier", eventually, lambda: portico.act(maria, made, "submission"),
                  lambda: stack.again("identity", "person.updated", maria.sub))
    assert eventually(lambda: portico.show(maria, made)["applicant"].get("name")) == "Maria Lorusso"
