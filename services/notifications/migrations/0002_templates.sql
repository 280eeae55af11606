-- The common templates, in Italian, in plain language: who writes, what happened, what to do by when. "id" is the type of the event
-- that a notice follows. The sample has every name that the data of its kind has: consumers.c makes them.

create function seed_template(p_id text, p_topic text, p_title text, p_subject text, p_body text, p_sample jsonb,
	p_channels text[] default null) returns void language sql as $$
	insert into templates (tenant_id, id, topic, title, subject, body, sample, channels)
	values ('*', p_id, p_topic, p_title, p_subject, p_body, p_sample, p_channels)
$$;

do $do$
declare
	person jsonb := '{"municipality": "Comune di Bologna", "person": {"givenName": "Anna", "name": "Anna Bianchi"}}';
	practice jsonb := person || '{"practice": {"title": "Passo carraio", "registration": "123/2026",
		"registeredOn": "sabato 21 novembre 2026", "dueOn": "martedì 19 gennaio 2027", "fee": "45,50 euro",
		"request": "Serve la planimetria firmata.", "answerDueOn": "lunedì 21 dicembre 2026",
		"reason": "La richiesta rispetta il regolamento."}}';
	bill jsonb := person || '{"position": {"reason": "Passo carraio, diritti di istruttoria", "amount": "45,50 euro",
		"outstanding": "45,50 euro", "dueOn": "lunedì 21 dicembre 2026", "noticeNumber": "301000000000000144",
		"payable": true, "paidOn": "sabato 21 novembre 2026 alle 10:30"}}';
	visit jsonb := person || '{"appointment": {"office": "Sportello unico e mobilità", "address": "Piazza Maggiore 6",
		"reason": "Consegna documenti", "startsAt": "giovedì 3 dicembre 2026 alle 10:30", "code": "B7K2"}}';
begin
	perform seed_template('practice.submitted', 'practices', 'The citizen sent a practice in',
		'{{practice.title}}: abbiamo ricevuto la tua richiesta',
		$$Gentile {{person.name}},

abbiamo ricevuto la tua richiesta "{{practice.title}}". Ora le diamo un numero di protocollo: te lo scriviamo appena c'è.

Per il momento non devi fare nulla.$$, practice);

	perform seed_template('practice.registered', 'practices', 'The practice has its registration number',
		'{{practice.title}}: la richiesta ha il numero di protocollo {{practice.registration}}',
		$$Gentile {{person.name}},

la tua richiesta "{{practice.title}}" è stata protocollata.

- Numero di protocollo: {{practice.registration}}
{{#practice.registeredOn}}
- Data: {{practice.registeredOn}}
{{/practice.registeredOn}}

Questo messaggio vale come ricevuta. Conserva il numero: serve per chiedere informazioni.{{#practice.dueOn}} Ti risponderemo entro {{practice.dueOn}}.{{/practice.dueOn}}$$, practice);

	-- the payment notice itself follows as position.created: one e-mail about it is enough
	perform seed_template('practice.payment-due', 'practices', 'A fee is due before the review; the payment notice follows by itself',
		'{{practice.title}}: c''è un importo da pagare',
		$$Gentile {{person.name}},

per esaminare la tua richiesta "{{practice.title}}" serve il pagamento{{#practice.fee}} di {{practice.fee}}{{/practice.fee}}. Prepariamo l'avviso pagoPA e te lo mandiamo subito.$$, practice, '{}');

	perform seed_template('practice.in-review', 'practices', 'The office examines the practice',
		'{{practice.title}}: stiamo esaminando la tua richiesta',
		$$Gentile {{person.name}},

l'ufficio ha preso in carico la tua richiesta "{{practice.title}}"{{#practice.registration}}, protocollo {{practice.registration}}{{/practice.registration}}.

{{#practice.dueOn}}
Riceverai una risposta entro {{practice.dueOn}}. {{/practice.dueOn}}Se ci serve qualcosa da te, ti scriviamo.$$, practice);

	perform seed_template('practice.integration-requested', 'practices', 'The office asks the citizen for something',
		'{{practice.title}}: ci serve qualcosa da te',
		$$Gentile {{person.name}},

per continuare a esaminare la tua richiesta "{{practice.title}}" l'ufficio ti chiede:

{{practice.request}}

{{#practice.answerDueOn}}
Rispondi entro {{practice.answerDueOn}} dalla tua area personale. {{/practice.answerDueOn}}Fino alla tua risposta il tempo per decidere è sospeso.$$, practice);

	perform seed_template('practice.approved', 'practices', 'The practice was approved',
		'{{practice.title}}: la tua richiesta è stata accolta',
		$$Gentile {{person.name}},

la tua richiesta "{{practice.title}}" è stata accolta.

Stiamo preparando il documento: ti scriviamo appena lo puoi scaricare.$$, practice);

	perform seed_template('practice.rejected', 'practices', 'The practice was rejected',
		'{{practice.title}}: la tua richiesta non è stata accolta',
		$$Gentile {{person.name}},

la tua richiesta "{{practice.title}}" non è stata accolta.

{{#practice.reason}}
Il motivo: {{practice.reason}}

{{/practice.reason}}
Stiamo preparando il documento con la decisione: ti scriviamo appena lo puoi scaricare. Lì trovi anche come fare ricorso.$$, practice);

	perform seed_template('practice.closed', 'practices', 'The document with the outcome can be downloaded',
		'{{practice.title}}: il documento è pronto',
		$$Gentile {{person.name}},

il documento della tua richiesta "{{practice.title}}" è pronto. Puoi scaricarlo dalla tua area personale.

La pratica è conclusa.$$, practice);

	perform seed_template('practice.withdrawn', 'practices', 'The citizen gave up the practice',
		'{{practice.title}}: hai ritirato la richiesta',
		$$Gentile {{person.name}},

hai ritirato la tua richiesta "{{practice.title}}". Non la esaminiamo più e non devi pagare nulla per questa richiesta.

Se cambi idea, puoi presentarne una nuova.$$, practice);

	perform seed_template('message.posted', 'messages', 'The office wrote in the conversation of a practice',
		'{{practice.title}}: l''ufficio ti ha scritto',
		$$Gentile {{person.name}},

l'ufficio che segue la tua richiesta "{{practice.title}}" ti ha mandato un messaggio.

Lo puoi leggere nella tua area personale, dove puoi anche rispondere.$$, practice);

	perform seed_template('position.created', 'payments', 'Something is to be paid',
		'Avviso di pagamento: {{position.reason}}',
		$$Gentile {{person.name}},

{{#position.payable}}
c'è un importo da pagare.

- Per: {{position.reason}}
- Importo: {{position.outstanding}}
{{#position.dueOn}}
- Scadenza: {{position.dueOn}}
{{/position.dueOn}}
{{#position.noticeNumber}}
- Codice avviso: {{position.noticeNumber}}
{{/position.noticeNumber}}

Puoi pagare dalla tua area personale, dall'app IO, in banca, alle Poste o in tabaccheria con il codice avviso.
{{/position.payable}}
{{^position.payable}}
l'avviso di pagamento "{{position.reason}}" di {{position.amount}} non è più da pagare.
{{/position.payable}}$$, bill);

	perform seed_template('position.paid', 'payments', 'A payment has arrived',
		'Pagamento ricevuto: {{position.reason}}',
		$$Gentile {{person.name}},

abbiamo ricevuto il tuo pagamento.

- Per: {{position.reason}}
- Importo: {{position.amount}}
{{#position.paidOn}}
- Data: {{position.paidOn}}
{{/position.paidOn}}

La ricevuta è nella tua area personale. Non devi fare altro.$$, bill);

	perform seed_template('position.expired', 'payments', 'A due date went by',
		'Avviso di pagamento scaduto: {{position.reason}}',
		$$Gentile {{person.name}},

non ci risulta il pagamento di {{position.outstanding}} per "{{position.reason}}"{{#position.dueOn}}, che scadeva {{position.dueOn}}{{/position.dueOn}}.

{{#position.payable}}
Puoi ancora pagare dalla tua area personale.
{{/position.payable}}
{{^position.payable}}
L'avviso non si può più pagare: chiedi all'ufficio che cosa fare.
{{/position.payable}}
Se hai pagato negli ultimi giorni, non tenere conto di questo messaggio.$$, bill);

	perform seed_template('appointment.confirmed', 'bookings', 'An appointment is booked',
		'Appuntamento confermato: {{appointment.startsAt}}',
		$$Gentile {{person.name}},

il tuo appuntamento è confermato.

- Quando: {{appointment.startsAt}}
- Dove: {{appointment.office}}{{#appointment.address}}, {{appointment.address}}{{/appointment.address}}
{{#appointment.reason}}
- Per: {{appointment.reason}}
{{/appointment.reason}}
{{#appointment.code}}
- Codice: {{appointment.code}}
{{/appointment.code}}

Se non puoi venire, spostalo o annullalo dalla tua area personale: un'altra persona potrà usare il tuo posto.$$, visit);

	perform seed_template('appointment.moved', 'bookings', 'An appointment has a new time',
		'Appuntamento spostato: {{appointment.startsAt}}',
		$$Gentile {{person.name}},

il tuo appuntamento è stato spostato.

- Nuova data: {{appointment.startsAt}}
- Dove: {{appointment.office}}{{#appointment.address}}, {{appointment.address}}{{/appointment.address}}

Se non puoi venire, spostalo o annullalo dalla tua area personale.$$, visit);

	perform seed_template('appointment.cancelled', 'bookings', 'An appointment was cancelled',
		'Appuntamento annullato: {{appointment.startsAt}}',
		$$Gentile {{person.name}},

il tuo appuntamento di {{appointment.startsAt}} presso {{appointment.office}} è stato annullato.

Puoi prenderne un altro dalla tua area personale.$$, visit);
end
$do$;

-- The frame of the e-mail's HTML part: readable without pictures, with a narrow column and strong contrast.
insert into templates (tenant_id, id, kind, topic, title, body, sample)
values ('*', 'layout.email', 'layout', 'messages', 'Frame of the HTML part of every e-mail', $$<!DOCTYPE html>
<html lang="it">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{subject}}</title>
</head>
<body style="margin:0;background:#f5f5f5;color:#19191a;font:17px/1.5 'Titillium Web',Arial,sans-serif">
<div style="max-width:600px;margin:0 auto;background:#fff;padding:24px">
<p style="margin:0 0 24px;font-weight:bold;color:#0066cc">{{municipality}}</p>
<h1 style="margin:0 0 16px;font-size:22px;line-height:1.3">{{subject}}</h1>
{{{content}}}
{{#link}}
<p style="margin:24px 0"><a href="{{link}}" style="display:inline-block;padding:12px 24px;background:#0066cc;color:#fff;text-decoration:none;border-radius:4px">Vai alla tua area personale</a></p>
{{/link}}
<hr style="border:0;border-top:1px solid #d9dadb">
<p style="font-size:14px;color:#5b6f82">Messaggio automatico di {{municipality}}. Puoi scegliere come ricevere questi messaggi nella tua area personale.</p>
</div>
</body>
</html>
$$, '{"municipality": "Comune di Bologna", "subject": "Passo carraio: il documento è pronto", "content": "<p>Gentile Anna Bianchi,</p>", "link": "https://area.comune.bologna.example"}');
