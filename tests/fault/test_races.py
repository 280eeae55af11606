"""What many do at the same moment: one place is given once, a register has no gap and no number twice."""
import threading
from collections import Counter

import requests
from support import portico


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
