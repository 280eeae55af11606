-- Demo data of booking: the offices of people.md and offices.md, their agendas, opening hours and closed days. Run as a superuser, as
-- often as one likes.
INSERT INTO offices (tenant_id, id, code, name, address, phone) VALUES
	('c_a944', '0192f000-0000-7000-8000-000000000301', 'mobilita', 'Sportello unico e mobilità', 'Piazza Liber Paradisus 10, 40129 Bologna', '+390512193131'),
	('c_a944', '0192f000-0000-7000-8000-000000000302', 'anagrafe', 'Ufficio anagrafe', 'Piazza Maggiore 6, 40124 Bologna', '+390512193132'),
	('c_a944', '0192f000-0000-7000-8000-000000000303', 'tributi', 'Ufficio tributi e tariffe', 'Via Capramozza 15, 40123 Bologna', '+390512193133'),
	('c_a662', '0192f000-0000-7000-8000-000000000401', 'mobilita', 'Sportello unico e mobilità', 'Via Abbrescia 86, 70121 Bari', '+390805773131'),
	('c_a662', '0192f000-0000-7000-8000-000000000402', 'anagrafe', 'Ufficio anagrafe', 'Corso Vittorio Emanuele II 113, 70122 Bari', '+390805773132'),
	('c_a662', '0192f000-0000-7000-8000-000000000403', 'tributi', 'Ufficio tributi e tariffe', 'Corso Vittorio Emanuele II 143, 70122 Bari', '+390805773133')
ON CONFLICT (tenant_id, id) DO UPDATE SET name = excluded.name, address = excluded.address, phone = excluded.phone;

INSERT INTO agendas (tenant_id, id, office_id, title, services, slot_minutes, places, bookable_days) VALUES
	('c_a944', '0192f000-0000-7000-8000-000000000501', '0192f000-0000-7000-8000-000000000301', 'Passi carrai, suolo pubblico e contrassegni',
		'{passo-carraio,occupazione-suolo-pubblico,permesso-sosta}', 20, 2, 60),
	('c_a944', '0192f000-0000-7000-8000-000000000502', '0192f000-0000-7000-8000-000000000302', 'Certificati e cambi di residenza',
		'{certificato-residenza,appuntamento-anagrafe}', 15, 4, 45),
	('c_a944', '0192f000-0000-7000-8000-000000000503', '0192f000-0000-7000-8000-000000000303', 'TARI, mensa e contributi',
		'{tari,mensa-scolastica,contributo-affitto}', 30, 1, 60),
	('c_a662', '0192f000-0000-7000-8000-000000000601', '0192f000-0000-7000-8000-000000000401', 'Passi carrai, suolo pubblico e contrassegni',
		'{passo-carraio,occupazione-suolo-pubblico,permesso-sosta}', 20, 2, 60),
	('c_a662', '0192f000-0000-7000-8000-000000000602', '0192f000-0000-7000-8000-000000000402', 'Certificati e cambi di residenza',
		'{certificato-residenza,appuntamento-anagrafe}', 15, 3, 45),
	('c_a662', '0192f000-0000-7000-8000-000000000603', '0192f000-0000-7000-8000-000000000403', 'TARI, mensa e contributi',
		'{tari,mensa-scolastica,contributo-affitto}', 30, 1, 60)
ON CONFLICT (tenant_id, id) DO UPDATE SET title = excluded.title, services = excluded.services, places = excluded.places;

-- Mornings from Monday to Friday, and the afternoons of Tuesday and Thursday.
INSERT INTO opening_hours (tenant_id, agenda_id, weekday, opens, closes)
SELECT a.tenant_id, a.id, weekday, time '08:30', time '12:30' FROM agendas a, generate_series(1, 5) AS weekday
UNION ALL
SELECT a.tenant_id, a.id, weekday, time '15:00', time '17:00' FROM agendas a, unnest(ARRAY[2, 4]) AS weekday
ON CONFLICT DO NOTHING;

-- Holidays by law (L. 260/1949 and later), and the patron saint of each city.
INSERT INTO closed_days (tenant_id, office_id, day, reason)
SELECT o.tenant_id, o.id, make_date(year, month, day), reason
FROM offices o, generate_series(2026, 2028) AS year,
	(VALUES (NULL, 1, 1, 'Capodanno'), (NULL, 1, 6, 'Epifania'), (NULL, 4, 25, 'Liberazione'), (NULL, 5, 1, 'Festa del lavoro'),
		(NULL, 6, 2, 'Festa della Repubblica'), (NULL, 8, 15, 'Ferragosto'), (NULL, 11, 1, 'Ognissanti'), (NULL, 12, 8, 'Immacolata'),
		(NULL, 12, 25, 'Natale'), (NULL, 12, 26, 'Santo Stefano'), ('c_a944', 10, 4, 'San Petronio'), ('c_a662', 12, 6, 'San Nicola'))
		AS holiday (tenant, month, day, reason)
WHERE tenant IS NULL OR tenant = o.tenant_id
ON CONFLICT DO NOTHING;
