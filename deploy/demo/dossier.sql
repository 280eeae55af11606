-- The demo catalogue: eight services of Bologna (c_a944) and Bari (c_a662). Run by a superuser in portico_dossier, as often as one likes.
-- The cities share what a service is; each has its own fee, term and rules. Offices as in offices.md.
\set ON_ERROR_STOP on
set client_encoding to 'UTF8';
insert into tenants (tenant_id, name) values
	('c_a944', 'Comune di Bologna'),
	('c_a662', 'Comune di Bari')
on conflict (tenant_id) do update set name = excluded.name;

insert into offices (tenant_id, code, name, handles)
select tenants.tenant_id, demo.code, demo.name, demo.handles
from tenants, (values
	('mobilita', 'Sportello unico e mobilità', 'passi carrai, occupazione di suolo pubblico, contrassegni per la sosta'),
	('anagrafe', 'Ufficio anagrafe', 'certificati, cambi di residenza, consulenza su appuntamento'),
	('tributi', 'Ufficio tributi e tariffe', 'TARI, mensa scolastica, contributo per l''affitto')
) as demo (code, name, handles)
where tenants.tenant_id in ('c_a944', 'c_a662')
on conflict (tenant_id, code) do update set name = excluded.name, handles = excluded.handles;

create temporary table common_services (
	place int, code text, title text, summary text, description text, who text, needs jsonb, office text, category text, section text,
	keywords jsonb, form jsonb, ui jsonb, attachments jsonb, online boolean
);

-- The fields that nearly every form begins with.
create temporary table common_fields as select
	'{
		"nome": {"type": "string", "title": "Nome", "minLength": 1, "maxLength": 100, "x-prefill": "person.givenName"},
		"cognome": {"type": "string", "title": "Cognome", "minLength": 1, "maxLength": 100, "x-prefill": "person.familyName"},
		"codiceFiscale": {"type": "string", "title": "Codice fiscale", "format": "codice-fiscale", "x-prefill": "person.fiscalCode"},
		"email": {"type": "string", "title": "E-mail", "format": "email", "maxLength": 254, "x-prefill": "person.email"},
		"telefono": {"type": "string", "title": "Telefono", "pattern": "^\\+?[0-9 ]{6,20}$", "maxLength": 21, "x-prefill": "person.mobilePhone", "example": "+39 333 1234567"}
	}'::jsonb as fields;

insert into common_services values
(1, 'passo-carraio', 'Passo carraio',
	'Autorizzazione per aprire o regolarizzare un accesso carrabile sulla strada pubblica.',
	'Se per entrare con un veicolo nel garage o nel cortile devi attraversare il marciapiede o un''altra area pubblica, ti serve '
	'l''autorizzazione al passo carraio. Con l''autorizzazione ricevi il numero del cartello di divieto di sosta da esporre. '
	'L''ufficio verifica la planimetria e, se occorre, fa un sopralluogo.',
	'Il proprietario o l''usufruttuario dell''immobile, l''amministratore del condominio, chi ne ha la disponibilità con il consenso del proprietario.',
	'["La planimetria dell''accesso con le misure", "I dati catastali dell''immobile", "Se affitti: il consenso scritto del proprietario"]',
	'mobilita', 'mobilita', 'io-mi-muovo',
	'["passo carrabile", "accesso carrabile", "garage", "divieto di sosta", "cartello", "cortile"]',
	'{
		"type": "object",
		"required": ["nome", "cognome", "codiceFiscale", "indirizzo", "titolo", "larghezza", "tipo", "foglio", "particella"],
		"additionalProperties": false,
		"properties": {
			"indirizzo": {"type": "string", "title": "Indirizzo dell''accesso", "minLength": 5, "maxLength": 120, "x-prefill": "person.address"},
			"titolo": {"type": "string", "title": "A che titolo lo chiedi", "enum": ["proprietario", "usufruttuario", "amministratore", "affittuario"]},
			"tipo": {"type": "string", "title": "Tipo di richiesta", "enum": ["nuovo", "regolarizzazione", "subentro"]},
			"larghezza": {"type": "number", "title": "Larghezza in metri", "minimum": 2, "maximum": 12},
			"foglio": {"type": "string", "title": "Foglio catastale", "pattern": "^[0-9]{1,5}$", "maxLength": 5, "example": "187"},
			"particella": {"type": "string", "title": "Particella", "pattern": "^[0-9]{1,5}$", "maxLength": 5, "example": "42"},
			"note": {"type": "string", "title": "Altro che l''ufficio deve sapere", "maxLength": 1000}
		}
	}',
	'{"order": ["nome", "cognome", "codiceFiscale", "email", "telefono", "indirizzo", "titolo", "tipo", "larghezza", "foglio", "particella", "note"],
	  "fields": {"titolo": {"widget": "radio"}, "tipo": {"widget": "radio"}, "note": {"widget": "textarea"}, "larghezza": {"help": "Misurata sul filo della strada."}}}',
	'[{"kind": "planimetria", "title": "Planimetria dell''accesso", "description": "PDF o immagine, con larghezza e distanza dall''incrocio più vicino.", "required": true},
	  {"kind": "consenso-proprietario", "title": "Consenso del proprietario", "description": "Solo se non sei il proprietario.", "required": false}]', true),
(2, 'occupazione-suolo', 'Occupazione di suolo pubblico',
	'Permesso per occupare per qualche giorno una strada o una piazza: traslochi, ponteggi, feste, banchetti.',
	'Per mettere su una strada o una piazza un ponteggio, un camion per il trasloco, un banchetto o un palco serve una concessione. '
	'Indica dove, da quando a quando e quanti metri quadrati: il canone si calcola su questi dati e si paga dopo il rilascio; '
	'con la domanda si pagano solo i diritti di istruttoria.',
	'Cittadini, imprese, associazioni e condomini.',
	'["L''indirizzo esatto e le date", "Una piantina con l''area da occupare", "Per i ponteggi: gli estremi della pratica edilizia"]',
	'mobilita', 'suolo-pubblico', 'io-mi-muovo',
	'["osp", "trasloco", "ponteggio", "cantiere", "dehors", "banchetto", "festa di strada", "canone unico", "plateatico"]',
	'{
		"type": "object",
		"required": ["nome", "cognome", "codiceFiscale", "indirizzo", "motivo", "dal", "al", "superficie"],
		"additionalProperties": false,
		"properties": {
			"indirizzo": {"type": "string", "title": "Dove", "minLength": 5, "maxLength": 120},
			"motivo": {"type": "string", "title": "Per che cosa", "enum": ["trasloco", "ponteggio", "manifestazione", "banchetto", "altro"]},
			"dal": {"type": "string", "title": "Dal giorno", "format": "date"},
			"al": {"type": "string", "title": "Al giorno", "format": "date"},
			"superficie": {"type": "integer", "title": "Metri quadrati", "format": "int32", "minimum": 1, "maximum": 5000},
			"chiusuraStrada": {"type": "boolean", "title": "Serve chiudere la strada al traffico"},
			"descrizione": {"type": "string", "title": "Descrizione", "maxLength": 1000}
		}
	}',
	'{"order": ["nome", "cognome", "codiceFiscale", "email", "telefono", "indirizzo", "motivo", "dal", "al", "superficie", "chiusuraStrada", "descrizione"],
	  "fields": {"descrizione": {"widget": "textarea"}}}',
	'[{"kind": "piantina", "title": "Piantina dell''area", "description": "Anche uno schizzo quotato, purché leggibile.", "required": true}]', true),
(3, 'certificato-residenza', 'Certificato di residenza',
	'Il certificato che attesta dove abiti, rilasciato dall''anagrafe con firma digitale.',
	'Il certificato serve nei rapporti con i privati, per esempio banche e assicurazioni; agli uffici pubblici basta '
	'l''autocertificazione. Lo ricevi qui, firmato digitalmente, e vale tre mesi.',
	'Chi è residente nel comune, per sé o per un componente della propria famiglia anagrafica.',
	'["Il motivo della richiesta, per stabilire se è dovuta l''imposta di bollo"]',
	'anagrafe', 'anagrafe', 'io-cittadino',
	'["certificato anagrafico", "residenza", "stato di famiglia", "anagrafe", "bollo"]',
	'{
		"type": "object",
		"required": ["nome", "cognome", "codiceFiscale", "dataNascita", "uso", "esenteBollo"],
		"additionalProperties": false,
		"properties": {
			"dataNascita": {"type": "string", "title": "Data di nascita", "format": "date", "x-prefill": "person.birthDate"},
			"uso": {"type": "string", "title": "A che cosa serve", "enum": ["banca", "assicurazione", "lavoro", "processo", "altro"]},
			"esenteBollo": {"type": "boolean", "title": "Uso esente dall''imposta di bollo"},
			"normaEsenzione": {"type": "string", "title": "Norma che prevede l''esenzione", "maxLength": 200},
			"copie": {"type": "integer", "title": "Quante copie", "format": "int32", "minimum": 1, "maximum": 5}
		}
	}',
	'{"order": ["nome", "cognome", "codiceFiscale", "dataNascita", "email", "telefono", "uso", "esenteBollo", "normaEsenzione", "copie"],
	  "fields": {"normaEsenzione": {"help": "Solo se hai indicato un uso esente."}}}',
	'[]', true),
(4, 'mensa-scolastica', 'Iscrizione alla mensa scolastica',
	'Iscrizione di una bambina o di un bambino alla mensa della scuola, con tariffa secondo l''ISEE.',
	'L''iscrizione vale per un anno scolastico e si rinnova da sé finché la scuola è la stessa. Senza ISEE si applica la tariffa più alta. '
	'Le diete per motivi di salute richiedono il certificato del medico; quelle per scelta etica o religiosa una semplice dichiarazione.',
	'Un genitore o chi esercita la responsabilità genitoriale.',
	'["Il codice fiscale della bambina o del bambino", "L''ISEE per prestazioni a minori, se vuoi la tariffa agevolata", "Il certificato medico per le diete di salute"]',
	'tributi', 'scuola', 'io-genitore',
	'["refezione", "mensa", "pasti", "scuola", "dieta", "isee", "bambini", "asilo"]',
	'{
		"type": "object",
		"required": ["nome", "cognome", "codiceFiscale", "alunnoNome", "alunnoCodiceFiscale", "scuola", "classe", "dieta"],
		"additionalProperties": false,
		"properties": {
			"alunnoNome": {"type": "string", "title": "Nome e cognome dell''alunna o dell''alunno", "minLength": 3, "maxLength": 120},
			"alunnoCodiceFiscale": {"type": "string", "title": "Codice fiscale dell''alunna o dell''alunno", "format": "codice-fiscale"},
			"scuola": {"type": "string", "title": "Scuola", "minLength": 3, "maxLength": 120},
			"classe": {"type": "string", "title": "Classe e sezione", "pattern": "^[1-5][A-Z]$", "maxLength": 2, "example": "3B"},
			"dieta": {"type": "string", "title": "Dieta", "enum": ["nessuna", "salute", "etico-religiosa"]},
			"isee": {"type": "integer", "title": "ISEE in euro", "format": "int32", "minimum": 0, "maximum": 1000000}
		}
	}',
	'{"order": ["nome", "cognome", "codiceFiscale", "email", "telefono", "alunnoNome", "alunnoCodiceFiscale", "scuola", "classe", "dieta", "isee"],
	  "fields": {"classe": {"placeholder": "3B"}, "dieta": {"widget": "radio"}}}',
	'[{"kind": "certificato-dieta", "title": "Certificato medico per la dieta", "description": "Solo per le diete di salute.", "required": false}]', true),
(5, 'tari-riduzione', 'Tassa sui rifiuti (TARI): riduzione',
	'Richiesta di riduzione della tassa sui rifiuti per chi abita da solo, per compostaggio o per un alloggio vuoto.',
	'La TARI si riduce se vivi da solo, se fai il compostaggio domestico o se l''alloggio non è usato e non ha utenze. '
	'La riduzione vale dal giorno in cui ne hai diritto e resta finché le condizioni non cambiano: in quel caso devi dirlo entro 90 giorni.',
	'Chi è intestatario della tassa per un alloggio nel comune.',
	'["Il codice utente, che trovi in alto a destra sull''avviso", "La superficie e i dati catastali dell''alloggio", "Per il compostaggio: una foto della compostiera"]',
	'tributi', 'tributi', 'io-contribuente',
	'["tari", "rifiuti", "immondizia", "spazzatura", "tassa", "compostaggio", "agevolazione", "casa vuota"]',
	'{
		"type": "object",
		"required": ["nome", "cognome", "codiceFiscale", "codiceUtente", "indirizzo", "motivo", "decorrenza", "superficie"],
		"additionalProperties": false,
		"properties": {
			"codiceUtente": {"type": "string", "title": "Codice utente", "pattern": "^[0-9]{6,12}$", "maxLength": 12, "example": "00418822"},
			"indirizzo": {"type": "string", "title": "Indirizzo dell''alloggio", "minLength": 5, "maxLength": 120, "x-prefill": "person.address"},
			"motivo": {"type": "string", "title": "Motivo della riduzione", "enum": ["unico-occupante", "compostaggio", "alloggio-vuoto"]},
			"decorrenza": {"type": "string", "title": "Da quando", "format": "date"},
			"superficie": {"type": "integer", "title": "Superficie in metri quadrati", "format": "int32", "minimum": 10, "maximum": 2000},
			"note": {"type": "string", "title": "Note", "maxLength": 1000}
		}
	}',
	'{"order": ["nome", "cognome", "codiceFiscale", "email", "telefono", "codiceUtente", "indirizzo", "motivo", "decorrenza", "superficie", "note"],
	  "fields": {"motivo": {"widget": "radio"}, "note": {"widget": "textarea"}}}',
	'[{"kind": "foto-compostiera", "title": "Foto della compostiera", "description": "Solo per il compostaggio.", "required": false}]', true),
(6, 'contributo-affitto', 'Contributo per l''affitto',
	'Aiuto economico per pagare l''affitto di casa a chi ha un ISEE basso.',
	'Il contributo copre una parte dell''affitto pagato nell''anno. L''importo dipende dall''ISEE, da quanto pesa l''affitto e dai fondi disponibili. '
	'La domanda è gratuita; i controlli sulle dichiarazioni si fanno dopo.',
	'Chi abita in affitto nel comune con un contratto registrato e ha un ISEE sotto la soglia del bando.',
	'["L''ISEE in corso di validità", "Il contratto di affitto registrato", "Le ricevute dei canoni pagati", "L''IBAN del conto intestato a chi fa domanda"]',
	'tributi', 'casa', 'io-cittadino',
	'["affitto", "canone", "locazione", "casa", "bando", "sostegno", "contributo economico", "morosità"]',
	'{
		"type": "object",
		"required": ["nome", "cognome", "codiceFiscale", "indirizzo", "contratto", "canoneMensile", "isee", "componenti", "iban"],
		"additionalProperties": false,
		"properties": {
			"indirizzo": {"type": "string", "title": "Indirizzo della casa in affitto", "minLength": 5, "maxLength": 120, "x-prefill": "person.address"},
			"contratto": {"type": "string", "title": "Estremi di registrazione del contratto", "minLength": 5, "maxLength": 60},
			"canoneMensile": {"type": "integer", "title": "Canone mensile in euro", "format": "int32", "minimum": 1, "maximum": 5000},
			"isee": {"type": "integer", "title": "ISEE in euro", "format": "int32", "minimum": 0, "maximum": 100000},
			"componenti": {"type": "integer", "title": "Persone nel nucleo familiare", "format": "int32", "minimum": 1, "maximum": 20},
			"iban": {"type": "string", "title": "IBAN", "pattern": "^IT[0-9]{2}[A-Z][0-9]{10}[0-9A-Z]{12}$", "maxLength": 27, "example": "IT60X0542811101000000123456"},
			"sfratto": {"type": "boolean", "title": "È in corso uno sfratto per morosità"}
		}
	}',
	'{"order": ["nome", "cognome", "codiceFiscale", "email", "telefono", "indirizzo", "contratto", "canoneMensile", "isee", "componenti", "iban", "sfratto"]}',
	'[{"kind": "contratto", "title": "Contratto di affitto registrato", "description": "PDF con gli estremi della registrazione.", "required": true},
	  {"kind": "ricevute", "title": "Ricevute dei canoni", "description": "Un unico PDF con le ricevute dell''anno.", "required": false}]', true),
(7, 'contrassegno-sosta', 'Contrassegno per la sosta dei residenti',
	'Permesso per parcheggiare nella zona in cui abiti, nei posti riservati ai residenti e nelle strisce blu.',
	'Il contrassegno è legato alla targa e alla zona di residenza e vale un anno. Non c''è più il tagliando da esporre: '
	'i controlli si fanno sulla targa. Se cambi auto puoi sostituire la targa senza altri costi.',
	'Chi risiede nella zona e possiede il veicolo o lo usa in leasing, noleggio a lungo termine o comodato.',
	'["La targa del veicolo", "Se il veicolo non è tuo: il contratto o la dichiarazione del proprietario"]',
	'mobilita', 'mobilita', 'io-mi-muovo',
	'["parcheggio", "sosta", "strisce blu", "residenti", "permesso auto", "ztl", "targa", "contrassegno"]',
	'{
		"type": "object",
		"required": ["nome", "cognome", "codiceFiscale", "indirizzo", "zona", "targa", "titoloVeicolo"],
		"additionalProperties": false,
		"properties": {
			"indirizzo": {"type": "string", "title": "Indirizzo di residenza", "minLength": 5, "maxLength": 120, "x-prefill": "person.address"},
			"zona": {"type": "string", "title": "Zona", "pattern": "^[A-Z0-9]{1,3}$", "maxLength": 3, "example": "C1"},
			"targa": {"type": "string", "title": "Targa", "pattern": "^[A-Z]{2}[0-9]{3}[A-Z]{2}$", "maxLength": 7, "example": "AB123CD"},
			"titoloVeicolo": {"type": "string", "title": "Il veicolo è", "enum": ["proprio", "leasing", "noleggio", "comodato"]},
			"elettrico": {"type": "boolean", "title": "Veicolo elettrico"}
		}
	}',
	'{"order": ["nome", "cognome", "codiceFiscale", "email", "telefono", "indirizzo", "zona", "targa", "titoloVeicolo", "elettrico"],
	  "fields": {"targa": {"placeholder": "AB123CD"}, "titoloVeicolo": {"widget": "radio"}}}',
	'[{"kind": "titolo-veicolo", "title": "Contratto o dichiarazione del proprietario", "description": "Solo se il veicolo non è tuo.", "required": false}]', true),
(8, 'consulenza-anagrafica', 'Consulenza anagrafica allo sportello',
	'Un appuntamento con l''ufficio anagrafe per i casi che non si risolvono a distanza.',
	'Per iscrizioni dall''estero, cittadinanza, convivenze e altri casi complessi l''ufficio ti riceve di persona. Questo servizio non ha un '
	'modulo: prenota un appuntamento e porta con te i documenti che hai.',
	'Chiunque.',
	'["Un documento di identità", "I documenti che riguardano il tuo caso"]',
	'anagrafe', 'anagrafe', 'io-cittadino',
	'["appuntamento", "sportello", "cittadinanza", "iscrizione dall''estero", "convivenza", "informazioni"]',
	'{
		"type": "object",
		"required": ["nome", "cognome", "codiceFiscale", "argomento"],
		"additionalProperties": false,
		"properties": {
			"argomento": {"type": "string", "title": "Di che cosa si tratta", "enum": ["cittadinanza", "iscrizione-estero", "convivenza", "altro"]}
		}
	}',
	'{"order": ["nome", "cognome", "codiceFiscale", "email", "telefono", "argomento"]}',
	'[]', false);

create temporary table city_rules (
	tenant_id text, code text, fee bigint, fee_title text, term_days int, legal_basis text
);

insert into city_rules values
	('c_a944', 'passo-carraio', 4550, 'Diritti di istruttoria', 30, 'Art. 22 e 26 d.lgs. 285/1992; art. 46 d.P.R. 495/1992; regolamento comunale sui passi carrabili'),
	('c_a944', 'occupazione-suolo', 3200, 'Diritti di istruttoria', 20, 'Art. 1, commi 816-836, legge 160/2019; regolamento comunale del canone unico'),
	('c_a944', 'certificato-residenza', 1626, 'Imposta di bollo e diritti', 5, 'Art. 33 d.P.R. 223/1989; art. 4 tariffa d.P.R. 642/1972'),
	('c_a944', 'mensa-scolastica', 0, null, 30, 'D.lgs. 63/2017; d.P.C.M. 159/2013; regolamento comunale della refezione scolastica'),
	('c_a944', 'tari-riduzione', 0, null, 60, 'Art. 1, commi 639-668, legge 147/2013; regolamento comunale TARI'),
	('c_a944', 'contributo-affitto', 0, null, 90, 'Art. 11 legge 431/1998; bando comunale'),
	('c_a944', 'contrassegno-sosta', 2800, 'Canone annuale, prima auto', 15, 'Art. 7 d.lgs. 285/1992; disciplina comunale della sosta'),
	('c_a944', 'consulenza-anagrafica', 0, null, 30, 'Legge 1228/1954; d.P.R. 223/1989'),
	('c_a662', 'passo-carraio', 6200, 'Diritti di istruttoria e sopralluogo', 45, 'Art. 22 e 26 d.lgs. 285/1992; art. 46 d.P.R. 495/1992; regolamento del Comune di Bari sui passi carrabili'),
	('c_a662', 'occupazione-suolo', 2500, 'Diritti di segreteria', 30, 'Art. 1, commi 816-836, legge 160/2019; regolamento del canone patrimoniale'),
	('c_a662', 'certificato-residenza', 1652, 'Imposta di bollo e diritti', 7, 'Art. 33 d.P.R. 223/1989; art. 4 tariffa d.P.R. 642/1972'),
	('c_a662', 'mensa-scolastica', 1000, 'Quota di iscrizione', 30, 'D.lgs. 63/2017; d.P.C.M. 159/2013; legge regionale 31/2009'),
	('c_a662', 'tari-riduzione', 0, null, 60, 'Art. 1, commi 639-668, legge 147/2013; regolamento del Comune di Bari per la TARI'),
	('c_a662', 'contributo-affitto', 0, null, 120, 'Art. 11 legge 431/1998; bando comunale'),
	('c_a662', 'contrassegno-sosta', 1500, 'Canone annuale', 20, 'Art. 7 d.lgs. 285/1992; ordinanza sulle zone a sosta regolamentata'),
	('c_a662', 'consulenza-anagrafica', 0, null, 30, 'Legge 1228/1954; d.P.R. 223/1989');

-- Ids that never change: the last group has the city's code and the service's place, e.g. 01930000-0000-7000-8000-0000a9440001.
insert into services (tenant_id, id, code, title, summary, description, who, needs, legal_basis, office, category, section, keywords, fee,
	fee_title, term_days, form, ui, attachments, online)
select r.tenant_id, ('01930000-0000-7000-8000-0000' || substr(r.tenant_id, 3) || lpad(s.place::text, 4, '0'))::uuid, s.code, s.title,
	s.summary, s.description, s.who, s.needs, r.legal_basis, s.office, s.category, s.section, s.keywords, r.fee, r.fee_title, r.term_days,
	jsonb_set(s.form, '{properties}', f.fields || (s.form -> 'properties')), s.ui, s.attachments, s.online
from common_services s
join city_rules r using (code), common_fields f
on conflict (tenant_id, id) do update set
	code = excluded.code, title = excluded.title, summary = excluded.summary, description = excluded.description, who = excluded.who,
	needs = excluded.needs, legal_basis = excluded.legal_basis, office = excluded.office, category = excluded.category,
	section = excluded.section, keywords = excluded.keywords, fee = excluded.fee, fee_title = excluded.fee_title,
	term_days = excluded.term_days, form = excluded.form, ui = excluded.ui, attachments = excluded.attachments, online = excluded.online;
