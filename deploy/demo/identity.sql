-- Demo data of identity: tenants, people, operators, clients. Run by psql as superuser into portico_identity after the migrations, as often as
-- one likes; base is the gateway's port. The identifiers are fixed, because all other demo data refers to them (people.md says the same):
--
--   0192f000-0000-7000-8000-000000000001  Anna Bianchi      BNCNNA85C52A944U   Bologna, the walk-through citizen, mother of 003 and 004
--   0192f000-0000-7000-8000-000000000002  Davide Conti      CNTDVD83P28A944Y   Bologna, father of 003 and 004
--   0192f000-0000-7000-8000-000000000003  Giulia Conti      CNTGLI14H45A944S   minor
--   0192f000-0000-7000-8000-000000000004  Matteo Conti      CNTMTT18S21A944D   minor
--   0192f000-0000-7000-8000-000000000005  Luca Ferrari      FRRLCU71L04A662B   owns property in Bologna and in Bari
--   0192f000-0000-7000-8000-000000000006  Maria Lorusso     LRSMRA90B57A662S   Bari
--   0192f000-0000-7000-8000-000000000007  Paolo Greco       GRCPLA58R30A944T   Bologna, no e-mail
--   0192f000-0000-7000-8000-000000000101  Chiara Serra      c_a944, operator, mobilita
--   0192f000-0000-7000-8000-000000000102  Marco Gallo       c_a944, operator, anagrafe
--   0192f000-0000-7000-8000-000000000103  Roberto Villa     c_a944, operator, tributi
--   0192f000-0000-7000-8000-000000000104  Elena Neri        c_a944, administrator
--   0192f000-0000-7000-8000-000000000201  Nicola De Santis  c_a662, operator, mobilita
--   0192f000-0000-7000-8000-000000000202  Teresa Mancini    c_a662, operator, anagrafe
--   0192f000-0000-7000-8000-000000000203  Vito Colella      c_a662, operator, tributi
--   0192f000-0000-7000-8000-000000000204  Grazia Amoruso    c_a662, administrator
\set ON_ERROR_STOP on
\if :{?base}
\else
	\set base 8080
\endif

INSERT INTO tenants (tenant_id, name, aoo, fiscal_code, certified_email, email, phone, website, demo) VALUES
	('c_a944', 'Comune di Bologna', 'A944BO1', '01232710374', 'protocollogenerale@pec.comune.bologna.example', 'urp@comune.bologna.example',
		'+39051203040', 'https://www.comune.bologna.example', true),
	('c_a662', 'Comune di Bari', 'A662BA1', '80015010723', 'archiviogenerale@pec.comune.bari.example', 'urp@comune.bari.example',
		'+390805772390', 'https://www.comune.bari.example', true),
	('c_l736', 'Comune di Venezia', 'L736VE1', '00339370272', 'protocollo@pec.comune.venezia.example', 'urp@comune.venezia.example',
		'+39041041041', 'https://www.comune.venezia.example', false)
ON CONFLICT (tenant_id) DO UPDATE SET name = excluded.name, aoo = excluded.aoo, fiscal_code = excluded.fiscal_code,
	certified_email = excluded.certified_email, email = excluded.email, phone = excluded.phone, website = excluded.website,
	demo = excluded.demo;

-- A person who changed her contacts keeps them.
INSERT INTO persons (id, fiscal_code, given_name, family_name, birth_date, birth_place, gender, address, postal_code, municipality, province,
	email, mobile_phone, channels) VALUES
('0192f000-0000-7000-8000-000000000001', 'BNCNNA85C52A944U', 'Anna', 'Bianchi', '1985-03-12', 'A944', 'F', 'Via dell''Indipendenza 12', '40121', 'Bologna', 'BO', 'anna.bianchi@posta.example', '+393331234501', '{app-io,email}'),
	('0192f000-0000-7000-8000-000000000002', 'CNTDVD83P28A944Y', 'Davide', 'Conti', '1983-09-28', 'A944', 'M', 'Via dell''Indipendenza 12', '40121', 'Bologna', 'BO', 'davide.conti@posta.example', '+393331234502', '{app-io,email}'),
	('0192f000-0000-7000-8000-000000000003', 'CNTGLI14H45A944S', 'Giulia', 'Conti', '2014-06-05', 'A944', 'F', 'Via dell''Indipendenza 12', '40121', 'Bologna', 'BO', NULL, NULL, '{app-io,email}'),
	('0192f000-0000-7000-8000-000000000004', 'CNTMTT18S21A944D', 'Matteo', 'Conti', '2018-11-21', 'A944', 'M', 'Via dell''Indipendenza 12', '40121', 'Bologna', 'BO', NULL, NULL, '{app-io,email}'),
	('0192f000-0000-7000-8000-000000000005', 'FRRLCU71L04A662B', 'Luca', 'Ferrari', '1971-07-04', 'A662', 'M', 'Corso Vittorio Emanuele II 54', '70122', 'Bari', 'BA', 'luca.ferrari@posta.example', '+393331234505', '{email}'),
	('0192f000-0000-7000-8000-000000000006', 'LRSMRA90B57A662S', 'Maria', 'Lorusso', '1990-02-17', 'A662', 'F', 'Via Sparano 101', '70121', 'Bari', 'BA', 'maria.lorusso@posta.example', '+393331234506', '{app-io,email}'),
	('0192f000-0000-7000-8000-000000000007', 'GRCPLA58R30A944T', 'Paolo', 'Greco', '1958-10-30', 'A944', 'M', 'Via Saragozza 77', '40123', 'Bologna', 'BO', NULL, '+393331234507', '{app-io}')
ON CONFLICT (fiscal_code) DO NOTHING;

INSERT INTO children (parent_id, child_id)
SELECT parent.id, child.id FROM persons parent, persons child
WHERE parent.fiscal_code IN ('BNCNNA85C52A944U', 'CNTDVD83P28A944Y') AND child.fiscal_code IN ('CNTGLI14H45A944S', 'CNTMTT18S21A944D')
ON CONFLICT DO NOTHING;

-- Whom the demo provider vouches for, with the attributes that a SPID provider would give.
INSERT INTO demo_identities (tenant_id, id, note, attributes) VALUES
	('c_a944', 'BNCNNA85C52A944U', 'cittadina di Bologna, due figli',
		'{"spidCode": "DEMOA35027CD1F", "name": "Anna", "familyName": "Bianchi", "fiscalNumber": "TINIT-BNCNNA85C52A944U", "dateOfBirth": "1985-03-12", "placeOfBirth": "A944", "countyOfBirth": "BO", "gender": "F", "email": "anna.bianchi@posta.example", "mobilePhone": "+393331234501", "address": "Via dell''Indipendenza 12 40121 Bologna BO", "domicileStreetAddress": "Via dell''Indipendenza 12", "domicilePostalCode": "40121", "domicileMunicipality": "Bologna", "domicileProvince": "BO", "domicileNation": "IT", "idCard": "cartaIdentita CA00137AA comuneBologna 2022-05-02 2032-05-01", "expirationDate": "2031-12-31"}'),
	('c_a944', 'CNTDVD83P28A944Y', 'cittadino di Bologna, due figli',
		'{"spidCode": "DEMO6671EE1DAD", "name": "Davide", "familyName": "Conti", "fiscalNumber": "TINIT-CNTDVD83P28A944Y", "dateOfBirth": "1983-09-28", "placeOfBirth": "A944", "countyOfBirth": "BO", "gender": "M", "email": "davide.conti@posta.example", "mobilePhone": "+393331234502", "address": "Via dell''Indipendenza 12 40121 Bologna BO", "domicileStreetAddress": "Via dell''Indipendenza 12", "domicilePostalCode": "40121", "domicileMunicipality": "Bologna", "domicileProvince": "BO", "domicileNation": "IT", "idCard": "cartaIdentita CA00274AA comuneBologna 2022-05-02 2032-05-01", "expirationDate": "2031-12-31"}'),
	('c_a662', 'FRRLCU71L04A662B', 'case a Bologna e a Bari',
		'{"spidCode": "DEMOFF5AA449AA", "name": "Luca", "familyName": "Ferrari", "fiscalNumber": "TINIT-FRRLCU71L04A662B", "dateOfBirth": "1971-07-04", "placeOfBirth": "A662", "countyOfBirth": "BA", "gender": "M", "email": "luca.ferrari@posta.example", "mobilePhone": "+393331234505", "address": "Corso Vittorio Emanuele II 54 70122 Bari BA", "domicileStreetAddress": "Corso Vittorio Emanuele II 54", "domicilePostalCode": "70122", "domicileMunicipality": "Bari", "domicileProvince": "BA", "domicileNation": "IT", "idCard": "cartaIdentita CA00685AA comuneBari 2022-05-02 2032-05-01", "expirationDate": "2031-12-31"}'),
	('c_a662', 'LRSMRA90B57A662S', 'cittadina di Bari',
		'{"spidCode": "DEMO4C017601A2", "name": "Maria", "familyName": "Lorusso", "fiscalNumber": "TINIT-LRSMRA90B57A662S", "dateOfBirth": "1990-02-17", "placeOfBirth": "A662", "countyOfBirth": "BA", "gender": "F", "email": "maria.lorusso@posta.example", "mobilePhone": "+393331234506", "address": "Via Sparano 101 70121 Bari BA", "domicileStreetAddress": "Via Sparano 101", "domicilePostalCode": "70121", "domicileMunicipality": "Bari", "domicileProvince": "BA", "domicileNation": "IT", "idCard": "cartaIdentita CA00822AA comuneBari 2022-05-02 2032-05-01", "expirationDate": "2031-12-31"}'),
	('c_a944', 'GRCPLA58R30A944T', 'cittadino di Bologna, senza e-mail',
		'{"spidCode": "DEMOB1B071DC02", "name": "Paolo", "familyName": "Greco", "fiscalNumber": "TINIT-GRCPLA58R30A944T", "dateOfBirth": "1958-10-30", "placeOfBirth": "A944", "countyOfBirth": "BO", "gender": "M", "mobilePhone": "+393331234507", "address": "Via Saragozza 77 40123 Bologna BO", "domicileStreetAddress": "Via Saragozza 77", "domicilePostalCode": "40123", "domicileMunicipality": "Bologna", "domicileProvince": "BO", "domicileNation": "IT", "idCard": "cartaIdentita CA00959AA comuneBologna 2022-05-02 2032-05-01", "expirationDate": "2031-12-31"}')
ON CONFLICT (tenant_id, id) DO UPDATE SET note = excluded.note, attributes = excluded.attributes;

INSERT INTO operators (tenant_id, id, fiscal_code, given_name, family_name, email, roles, offices) VALUES
	('c_a944', '0192f000-0000-7000-8000-000000000101', 'SRRCHR79E49A944L', 'Chiara', 'Serra', 'chiara.serra@comune.bologna.example', '{operator}', '{mobilita}'),
	('c_a944', '0192f000-0000-7000-8000-000000000102', 'GLLMRC82T03D704T', 'Marco', 'Gallo', 'marco.gallo@comune.bologna.example', '{operator}', '{anagrafe}'),
	('c_a944', '0192f000-0000-7000-8000-000000000103', 'VLLRRT68A15F257J', 'Roberto', 'Villa', 'roberto.villa@comune.bologna.example', '{operator}', '{tributi}'),
	('c_a944', '0192f000-0000-7000-8000-000000000104', 'NRELNE76M64A944P', 'Elena', 'Neri', 'elena.neri@comune.bologna.example', '{admin,operator}', '{}'),
	('c_a662', '0192f000-0000-7000-8000-000000000201', 'DSNNCL80D11A662X', 'Nicola', 'De Santis', 'nicola.desantis@comune.bari.example', '{operator}', '{mobilita}'),
	('c_a662', '0192f000-0000-7000-8000-000000000202', 'MNCTRS87L59A662H', 'Teresa', 'Mancini', 'teresa.mancini@comune.bari.example', '{operator}', '{anagrafe}'),
	('c_a662', '0192f000-0000-7000-8000-000000000203', 'CLLVTI74S02A662X', 'Vito', 'Colella', 'vito.colella@comune.bari.example', '{operator}', '{tributi}'),
	('c_a662', '0192f000-0000-7000-8000-000000000204', 'MRSGRZ65C67A883M', 'Grazia', 'Amoruso', 'grazia.amoruso@comune.bari.example', '{admin,operator}', '{}')
ON CONFLICT (tenant_id, id) DO UPDATE SET roles = excluded.roles, offices = excluded.offices;

-- The secrets of the partners stand in people.md; here are their SHA-256.
INSERT INTO clients (tenant_id, id, name, kind, secret_sha256, redirect_uris, scopes, area_wide) VALUES
	('c_a944', 'demo-area', 'Area personale', 'citizens', NULL, ARRAY['http://127.0.0.1:' || :'base' || '/demo/callback'],
		'{openid,profile,practices,payments,bookings,messages,offline_access}', true),
	('c_a662', 'bari-area', 'Area personale di Bari', 'citizens', NULL, ARRAY['http://127.0.0.1:' || :'base' || '/demo/callback'],
		'{openid,profile,practices,payments,bookings,messages,offline_access}', false),
	('c_l736', 'venezia-area', 'Area personale di Venezia', 'citizens', NULL, ARRAY['http://127.0.0.1:' || :'base' || '/demo/callback'],
		'{openid,profile,practices,payments,bookings,messages,offline_access}', false),
	('c_a944', 'demo-desk', 'Scrivania degli operatori', 'operators', NULL, ARRAY['http://127.0.0.1:' || :'base' || '/demo/desk'],
		'{openid,desk:persons,desk:practices,desk:payments,desk:bookings,desk:messages,desk:registrations,desk:admin,offline_access}', true),
	('c_a662', 'acquedotto', 'Acquedotto', 'partner', sha256('acquedotto-demo-5up3rS3gr3t0-Zq7tVx2LwN8bKd4R'), '{}',
		'{partner:positions,partner:registrations,partner:practices,partner:events}', false),
	('c_a944', 'refezione', 'Refezione scolastica', 'partner', sha256('refezione-demo-5up3rS3gr3t0-Hm3cPy9JsF6gWe1T'), '{}',
		'{partner:positions,partner:registrations,partner:practices,partner:events}', false)
ON CONFLICT (tenant_id, id) DO UPDATE SET name = excluded.name, secret_sha256 = excluded.secret_sha256,
	redirect_uris = excluded.redirect_uris, scopes = excluded.scopes, area_wide = excluded.area_wide;

-- The personal areas fill forms in with what the provider knows.
INSERT INTO saml_services (tenant_id, client_id, attribute_set) VALUES ('c_a944', 'demo-area', 2), ('c_a662', 'bari-area', 1)
ON CONFLICT (client_id) DO UPDATE SET attribute_set = excluded.attribute_set;
