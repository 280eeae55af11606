-- Demo data of payments: the two creditors and what the demo people (people.md) owe them. Run by psql as superuser into portico_payments after
-- the migrations, as often as one likes: what is there stays as it is, paid or not. The IBANs are invented, with valid check digits;
-- the emulator of pagoPA knows each creditor's station as FISCALCODE_01.
--
--   notice               debtor         what                                                   state
--   301000000000000144   Anna Bianchi   school canteen of Giulia                               open
--   301000000000000245   Anna Bianchi   waste tax 2026                                         paid
--   301000000000000346   Davide Conti   waste tax 2026 in three instalments                    partly paid, the first one
--   301000000000000649   Luca Ferrari   waste tax 2026, Bologna                                open
--   302000000000000184   Luca Ferrari   waste tax 2026, Bari, in two instalments               open
--   302000000000000386   Maria Lorusso  school canteen                                         open
--   301000000000000750   Paolo Greco    driveway fee 2026, ten days past its date              expired, still payable
\set ON_ERROR_STOP on

insert into creditors (tenant_id, name, fiscal_code, broker_fiscal_code, station_id, segregation_code, iban, transfer_category, pay_after_due)
values
	('c_a944', 'Comune di Bologna', '01232710374', '01232710374', '01232710374_01', '01', 'IT88R0200802435000020067156', '0101100IM', true),
	('c_a662', 'Comune di Bari', '80015010723', '80015010723', '80015010723_01', '02', 'IT22X0306904013100000046123', '0101100IM', false)
on conflict (tenant_id) do update set name = excluded.name, iban = excluded.iban;

-- The demo's own notices have the bases 1 to 99; those made by the service begin at 100.
insert into notice_sequences (tenant_id, segregation_code, last_base)
values ('c_a944', '01', 99), ('c_a662', '02', 99)
on conflict do nothing;

insert into known_persons (fiscal_code, person_id) values
	('BNCNNA85C52A944U', '0192f000-0000-7000-8000-000000000001'),
	('CNTDVD83P28A944Y', '0192f000-0000-7000-8000-000000000002'),
	('CNTGLI14H45A944S', '0192f000-0000-7000-8000-000000000003'),
	('CNTMTT18S21A944D', '0192f000-0000-7000-8000-000000000004'),
	('FRRLCU71L04A662B', '0192f000-0000-7000-8000-000000000005'),
	('LRSMRA90B57A662S', '0192f000-0000-7000-8000-000000000006'),
	('GRCPLA58R30A944T', '0192f000-0000-7000-8000-000000000007')
on conflict do nothing;

-- One line for each instalment.
create temporary table due (tenant_id text, position_id uuid, number smallint, base bigint, fiscal_code text, name text, kind text,
	reference text, reason text, amount bigint, due_date date, paid boolean) on commit drop;
insert into due values
	('c_a944', '0192f000-0000-7000-8000-000000000701', 1, 1, 'BNCNNA85C52A944U', 'Anna Bianchi', 'mensa-scolastica', '2026-10-GC14',
		'Mensa scolastica, ottobre 2026, Giulia Conti', 6840, current_date + 20, false),
	('c_a944', '0192f000-0000-7000-8000-000000000702', 1, 2, 'BNCNNA85C52A944U', 'Anna Bianchi', 'tari', '2026-000101',
		'TARI 2026, via dell''Indipendenza 12', 18600, current_date - 30, true),
	('c_a944', '0192f000-0000-7000-8000-000000000703', 1, 3, 'CNTDVD83P28A944Y', 'Davide Conti', 'tari', '2026-000102',
		'TARI 2026, via Zamboni 33', 12400, current_date - 20, true),
	('c_a944', '0192f000-0000-7000-8000-000000000703', 2, 4, 'CNTDVD83P28A944Y', 'Davide Conti', 'tari', '2026-000102',
		'TARI 2026, via Zamboni 33', 12400, current_date + 40, false),
	('c_a944', '0192f000-0000-7000-8000-000000000703', 3, 5, 'CNTDVD83P28A944Y', 'Davide Conti', 'tari', '2026-000102',
		'TARI 2026, via Zamboni 33', 12400, current_date + 100, false),
	('c_a944', '0192f000-0000-7000-8000-000000000704', 1, 6, 'FRRLCU71L04A662B', 'Luca Ferrari', 'tari', '2026-000103',
		'TARI 2026, via Saragozza 21', 24300, current_date + 15, false),
	('c_a662', '0192f000-0000-7000-8000-000000000705', 1, 1, 'FRRLCU71L04A662B', 'Luca Ferrari', 'tari', 'BA-2026-5501',
		'TARI 2026, corso Vittorio Emanuele II 54', 15750, current_date + 10, false),
	('c_a662', '0192f000-0000-7000-8000-000000000705', 2, 2, 'FRRLCU71L04A662B', 'Luca Ferrari', 'tari', 'BA-2026-5501',
		'TARI 2026, corso Vittorio Emanuele II 54', 15750, current_date + 100, false),
	('c_a662', '0192f000-0000-7000-8000-000000000706', 1, 3, 'LRSMRA90B57A662S', 'Maria Lorusso', 'mensa-scolastica', 'BA-2026-10-771',
		'Refezione scolastica, ottobre 2026', 5200, current_date + 25, false),
	('c_a944', '0192f000-0000-7000-8000-000000000707', 1, 7, 'GRCPLA58R30A944T', 'Paolo Greco', 'canone-unico', '2026-PC-0077',
		'Canone unico 2026, passo carraio di via Saragozza 77', 9800, current_date - 10, false);
delete from due d using positions p where p.tenant_id = d.tenant_id and p.id = d.position_id;

insert into positions (tenant_id, id, person_id, debtor_fiscal_code, debtor_name, reason, amount, settled, state, due_date, reference_kind,
	reference_id, created_at, paid_at)
select tenant_id, position_id, person_of(fiscal_code), fiscal_code, name, reason, sum(amount), coalesce(sum(amount) filter (where paid), 0),
	case when bool_and(paid) then 'paid' when bool_or(paid) then 'partly-paid' else 'open' end, max(due_date), kind, reference,
	now() - interval '60 days', case when bool_and(paid) then now() - interval '31 days' end
from due
group by tenant_id, position_id, fiscal_code, name, reason, kind, reference;

insert into instalments (tenant_id, position_id, number, amount, received, due_date, iuv, paid_at)
select d.tenant_id, d.position_id, d.number, d.amount, case when d.paid then d.amount else 0 end, d.due_date,
	iuv_of(c.segregation_code, d.base), case when d.paid then now() - interval '31 days' end
from due d join creditors c on c.tenant_id = d.tenant_id;

-- Of the waste tax five percent is the province's (TEFA).
insert into transfers (tenant_id, position_id, instalment, number, creditor_fiscal_code, creditor_name, iban, amount, category,
	remittance_information)
select d.tenant_id, d.position_id, d.number, part.number, part.fiscal_code, part.name, part.iban, part.amount, part.category,
	'/RFB/' || i.iuv || '/' || euros(part.amount) || '/TXT/' || d.reason
from due d
join creditors c on c.tenant_id = d.tenant_id
join instalments i on i.tenant_id = d.tenant_id and i.position_id = d.position_id and i.number = d.number
cross join lateral (
	select 1::smallint as number, c.fiscal_code, c.name, c.iban, d.amount - case when d.kind = 'tari' then d.amount / 21 else 0 end as amount,
		c.transfer_category as category
	union all
	select 2::smallint, case d.tenant_id when 'c_a944' then '80022230371' else '80000110728' end,
		case d.tenant_id when 'c_a944' then 'Città metropolitana di Bologna' else 'Città metropolitana di Bari' end,
		case d.tenant_id when 'c_a944' then 'IT94K0200802435000020067999' else 'IT47B0306904013100000046999' end, d.amount / 21, '0201102IM'
	where d.kind = 'tari') as part;

insert into receipts (tenant_id, receipt_id, notice_number, iuv, match, position_id, instalment, amount, fee, psp_name, payment_method, paid_at,
	content, received_at)
select d.tenant_id, md5(i.notice_number), i.notice_number, i.iuv, 'matched', d.position_id, d.number, d.amount, 150, 'PSP di prova',
	'creditCard', to_char(now() at time zone 'Europe/Rome' - interval '31 days', 'YYYY-MM-DD"T"HH24:MI:SS'),
	json_build_object('receiptId', md5(i.notice_number)), now() - interval '31 days'
from due d join instalments i on i.tenant_id = d.tenant_id and i.position_id = d.position_id and i.number = d.number
where d.paid;

select count(emit_event(p.tenant_id, 'position.' || case p.state when 'open' then 'created' else p.state end, p.id, p.person_id,
	jsonb_build_object('positionId', p.id, 'reference', jsonb_build_object('kind', p.reference_kind, 'id', p.reference_id)))) as made
from positions p
where (p.tenant_id, p.id) in (select tenant_id, position_id from due);
