"""The register: numbers, look-up, annulment, and what nobody can do to it."""
import pytest
from support import portico


@pytest.fixture
def chiara(operator):
    return operator("c_a944", "mobilita")


def test_create_registration(chiara):
    first, second = portico.registration(chiara), portico.registration(chiara)
    assert second["number"] == first["number"] + 1
    assert first["protocol"] == f"A944BO1/{first['year']}/{first['number']:07}"
    assert first["documents"][0]["sha256"] and not first["annulled"]


def test_each_city_counts_for_itself(chiara, operator):
    nicola = operator("c_a662", "mobilita")
    ours, theirs = portico.registration(chiara), portico.registration(nicola)
    assert theirs["aoo"] == "A662BA1" and ours["aoo"] == "A944BO1"
    assert portico.registration(nicola)["number"] == theirs["number"] + 1


def test_list_registers(chiara):
    made = portico.registration(chiara)
    register = chiara.get("/protocol/v1/registers", expect=200).json()["items"][0]
    assert register["aoo"] == "A944BO1" and register["year"] == made["year"] and register["lastNumber"] >= made["number"]


def test_list_registrations_by_what_is_known(chiara):
    made = portico.registration(chiara, object=f"Ricorso contro la sanzione {portico.unique()[:8]}", direction="out",
                                recipients=[{"name": "Prefettura di Bologna"}])
    by_number = chiara.get("/protocol/v1/registrations", params={"year": made["year"], "number": made["number"]}, expect=200).json()["items"]
    assert [item["id"] for item in by_number] == [made["id"]]
    for words in ("ricorsi sanzioni", made["object"][-8:]):
        found = chiara.get("/protocol/v1/registrations", params={"q": words, "direction": "out"}, expect=200).json()["items"]
        assert made["id"] in [item["id"] for item in found], words
    assert chiara.get("/protocol/v1/registrations", params={"q": "100%_niente"}, expect=200).json()["items"] == []


def test_list_registrations_by_page(chiara):
    made = [portico.registration(chiara)["id"] for _ in range(3)]
    page = chiara.get("/protocol/v1/registrations", params={"limit": 2}, expect=200).json()
    rest = chiara.get("/protocol/v1/registrations", params={"limit": 2, "after": page["next"]}, expect=200).json()
    assert [item["id"] for item in page["items"] + rest["items"]][:3] == made[::-1]


def test_show_registration(chiara):
    made = portico.registration(chiara)
    assert chiara.get(f"/protocol/v1/registrations/{made['id']}", expect=200).json() == made


def test_annul_registration(chiara):
    made = portico.registration(chiara)
    void = chiara.post(f"/protocol/v1/registrations/{made['id']}/annulment", {"reason": "Registrata due volte", "act": "Det. 214/2026"},
                       expect=200).json()
    assert void["annulled"] and void["annulment"]["by"] == chiara.sub and void["object"] == made["object"]
    again = chiara.post(f"/protocol/v1/registrations/{made['id']}/annulment", {"reason": "Ancora una volta"}, expect=409).json()
    assert again["type"] == "/problems/already-annulled"
    assert portico.registration(chiara)["number"] > made["number"], "its number is never given again"


def test_one_reference_is_registered_once_for_a_purpose(chiara):
    reference = {"kind": "external", "id": "0192f0a1-7c3e-7d9a-8b1e-" + portico.unique()[:12], "purpose": "submission"}
    made = portico.registration(chiara, reference=reference)
    answer = chiara.post("/protocol/v1/registrations", portico.new_registration(reference=reference), expect=409).json()
    assert answer["type"] == "/problems/already-registered"
    chiara.post(f"/protocol/v1/registrations/{made['id']}/annulment", {"reason": "Oggetto sbagliato"}, expect=200)
    portico.registration(chiara, reference=reference)


def test_a_refused_registration_leaves_no_gap(chiara):
    before = portico.registration(chiara)["number"]
    for wrong in ({"aoo": "NIENTE"}, {"documents": []}, {"object": "no"}):
        assert chiara.post("/protocol/v1/registrations", portico.new_registration(**wrong)).status_code in (400, 422)
    assert portico.registration(chiara)["number"] == before + 1


def test_the_same_key_registers_once(chiara):
    body, key = portico.new_registration(), {"Idempotency-Key": portico.unique()}
    first = chiara.post("/protocol/v1/registrations", body, headers=key, expect=201).json()
    assert chiara.post("/protocol/v1/registrations", body, headers=key, expect=201).json() == first
    assert portico.registration(chiara)["number"] == first["number"] + 1


def test_unknown_aoo(chiara):
    answer = chiara.post("/protocol/v1/registrations", portico.new_registration(aoo="C_XXXX"), expect=422).json()
    assert answer["type"] == "/problems/unknown-aoo"


@pytest.mark.parametrize("change", ["SET object = 'altro'", "SET number = 99999", "SET annulled_at = NULL, documents = '[]'"])
def test_a_registration_is_never_changed(chiara, stack, change):
    made = portico.registration(chiara)
    with pytest.raises(Exception, match="never changed"):
        stack.sql("protocol", f"UPDATE registrations {change} WHERE id = '{made['id']}'")
    with pytest.raises(Exception, match="never deleted"):
        stack.sql("protocol", f"DELETE FROM registrations WHERE id = '{made['id']}'")


def test_a_partner_registers_for_its_own_tenant(partner, chiara):
    made = portico.registration(partner("refezione"))
    assert made["tenant"] == "c_a944"
    assert chiara.get(f"/protocol/v1/registrations/{made['id']}", expect=200).json()["number"] == made["number"]
    partner("acquedotto").get(f"/protocol/v1/registrations/{made['id']}", expect=404)
