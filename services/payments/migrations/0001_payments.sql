-- What the tenants are owed, by which notice numbers it is paid, what pagoPA reported, and the payments under way.
-- Money is bigint cents. A position's `settled` never exceeds its amount; what came in beyond it stays in `received` of the instalment.

-- pagoPA's SACI, aux digit 3: two check digits, the remainder by 93 of 3 + segregation code + base.
create function iuv_of(segregation_code text, base bigint) returns text
	language sql immutable strict parallel safe as $$
	select code || lpad((('3' || code)::bigint % 93)::text, 2, '0')
	from (select segregation_code || lpad(base::text, 13, '0') as code) as numbered
$$;

create function rome_today() returns date
	language sql stable parallel safe as $$
	select (now() at time zone 'Europe/Rome')::date
$$;

create function money_json(cents bigint) returns json
	language sql immutable parallel safe as $$
	select json_build_object('amount', cents, 'currency', 'EUR') where cents is not null
$$;

-- Amounts in pagoPA's SOAP: euros with two decimals, as text.
create function euros(cents bigint) returns text
	language sql immutable strict parallel safe as $$
	select (cents / 100)::text || '.' || lpad((cents % 100)::text, 2, '0')
$$;

create function cents(euros text) returns bigint
	language sql immutable strict parallel safe as $$
	select replace(euros, '.', '')::bigint
$$;

-- ISO 13616: the first four characters go last, letters count from 10, the whole is 1 modulo 97.
create function iban_holds(iban text) returns boolean
	language sql immutable strict parallel safe as $$
	select string_agg(case when sign between 'A' and 'Z' then (ascii(sign) - 55)::text else sign end, '' order by place)::numeric % 97 = 1
	from regexp_split_to_table(substr(iban, 5) || left(iban, 4), '') with ordinality as signs(sign, place)
$$;

-- Who gets the money and how pagoPA knows them. No personal data: everyone may read it, the operator of the installation writes it.
create table creditors (
	tenant_id text primary key,
	name text not null check (length(name) between 1 and 140),
	fiscal_code text not null unique check (fiscal_code ~ '^[0-9]{11}$'),
	broker_fiscal_code text not null check (broker_fiscal_code ~ '^[0-9]{11}$'),
	station_id text not null check (length(station_id) between 1 and 35),
	segregation_code text not null check (segregation_code ~ '^[0-4][0-9]$'),
	iban text not null check (iban ~ '^IT[0-9]{2}[A-Z][0-9]{10}[0-9A-Z]{12}$'),
	constraint creditor_iban_check_digits check (iban_holds(iban)),
	transfer_category text not null check (length(transfer_category) between 1 and 140),
	pay_after_due boolean not null default true
);

-- The last base used for each segregation code. A number taken by a transaction that fails is not used again in effect: gaps are
-- allowed, two notices with one number are not.
create table notice_sequences (
	tenant_id text not null references creditors,
	segregation_code text not null,
	last_base bigint not null default 0 check (last_base between 0 and 9999999999999),
	primary key (tenant_id, segregation_code)
);

create table positions (
	tenant_id text not null references creditors,
	id uuid not null default uuid7(),
	person_id uuid,
	debtor_fiscal_code text not null,
	debtor_name text not null,
	reason text not null check (length(reason) between 1 and 140),
	amount bigint not null check (amount > 0),
	settled bigint not null default 0,
	state text not null default 'open' check (state in ('open', 'partly-paid', 'paid', 'expired', 'cancelled')),
	due_date date not null,
	reference_kind text not null,
	reference_id text not null,
	cancellation_reason text,
	created_at timestamptz not null default now(),
	paid_at timestamptz,
	expired_at timestamptz,
	cancelled_at timestamptz,
	primary key (tenant_id, id),
	constraint settled_within_amount check (settled between 0 and amount),
	constraint paid_when_settled check ((state = 'paid') = (settled = amount)),
	constraint partly_paid_when_some check ((state = 'partly-paid') = (settled > 0 and settled < amount))
);
-- By cancelled_at and not by state: money that arrives late on a cancelled position must never collide with its successor.
create unique index reference_already_due on positions (tenant_id, reference_kind, reference_id) where cancelled_at is null;
-- By hash: found by id whatever the tenant, and no temptation to walk all tenants in the order of ids.
create index on positions using hash (id);
create index on positions (person_id, id);
create index on positions (tenant_id, state, id);
create index on positions (tenant_id, debtor_fiscal_code, id);
create index on positions (reference_id, reference_kind);
create index on positions (due_date) where state = 'open';
create index on positions (debtor_fiscal_code) where person_id is null;

create table instalments (
	tenant_id text not null,
	position_id uuid not null,
	number smallint not null check (number between 1 and 72),
	amount bigint not null check (amount > 0),
	received bigint not null default 0 check (received >= 0),
	due_date date not null,
	iuv text not null,
	notice_number text generated always as ('3' || iuv) stored,
	paid_at timestamptz,
	primary key (tenant_id, position_id, number),
	foreign key (tenant_id, position_id) references positions,
	constraint iuv_taken unique (tenant_id, iuv),
	constraint notice_number_taken unique (notice_number, tenant_id),
	constraint iuv_check_digits check (iuv = iuv_of(substr(iuv, 1, 2), substr(iuv, 3, 13)::bigint))
);

create table transfers (
	tenant_id text not null,
	position_id uuid not null,
	instalment smallint not null,
	number smallint not null check (number between 1 and 5),
	creditor_fiscal_code text not null check (creditor_fiscal_code ~ '^[0-9]{11}$'),
	creditor_name text not null,
	iban text not null,
	amount bigint not null check (amount > 0),
	category text not null,
	remittance_information text not null,
	primary key (tenant_id, position_id, instalment, number),
	foreign key (tenant_id, position_id, instalment) references instalments,
	constraint iban_check_digits check (iban_holds(iban))
);

-- No cent lost: instalments add up to their position and transfers to their instalment, when the transaction ends.
create function check_sums() returns trigger language plpgsql as $$
declare
	concerned uuid := (to_jsonb(new) ->> tg_argv[0])::uuid;
	held positions;
	total bigint;
	latest date;
begin
	select * into held from positions p where p.tenant_id = new.tenant_id and p.id = concerned;
	select sum(i.amount), max(i.due_date) into total, latest from instalments i
	where i.tenant_id = new.tenant_id and i.position_id = concerned;
	if total is distinct from held.amount or exists (
		select from instalments i where i.tenant_id = new.tenant_id and i.position_id = concerned
		and i.amount is distinct from (select sum(t.amount) from transfers t
			where t.tenant_id = i.tenant_id and t.position_id = i.position_id and t.instalment = i.number))
	then
		perform refuse(422, 'amounts-do-not-add-up', 'instalments or transfers do not sum up to their total');
	elsif latest <> held.due_date then
		perform refuse(422, 'due-date-mismatch', 'dueDate must be the latest due date of the instalments');
	end if;
	return null;
end
$$;
create constraint trigger amounts_add_up after insert or update of amount, due_date on positions
	deferrable initially deferred for each row execute function check_sums('id');
create constraint trigger amounts_add_up after update of amount, due_date on instalments
	deferrable initially deferred for each row execute function check_sums('position_id');
create constraint trigger amounts_add_up after update of amount on transfers
	deferrable initially deferred for each row execute function check_sums('position_id');

-- Which person a fiscal code is, as identity's events have told: a bill names its debtor by fiscal code only. No tenant owns this and no
-- caller reads it: person_of() answers for one code.
create table known_persons (
	tenant_id text not null default '' check (tenant_id = ''),
	fiscal_code text not null,
	person_id uuid not null,
	primary key (tenant_id, fiscal_code)
);

create function person_of(fiscal_code text) returns uuid
	language sql stable security definer set search_path = public, pg_temp as $$
	select k.person_id from known_persons k where k.tenant_id = '' and k.fiscal_code = $1
$$;

-- Everything that pagoPA reported, all elements in their order. Never changed, never deleted, stored before the node is answered.
create table receipts (
	tenant_id text not null references creditors,
	id uuid not null default uuid7(),
	receipt_id text not null,
	notice_number text not null,
	iuv text not null,
	match text not null check (match in ('matched', 'orphan', 'refused')),
	position_id uuid,
	instalment smallint,
	amount bigint not null check (amount >= 0),
	fee bigint check (fee >= 0),
	psp_name text,
	payment_method text,
	paid_at text,
	content json not null,
	received_at timestamptz not null default now(),
	primary key (tenant_id, id),
	foreign key (tenant_id, position_id, instalment) references instalments (tenant_id, position_id, number),
	constraint receipt_stored unique (tenant_id, receipt_id),
	check ((match = 'orphan') = (position_id is null) or match = 'refused')
);
create index on receipts (tenant_id, position_id);
create index on receipts (tenant_id, match, id);

create table checkouts (
	tenant_id text not null references creditors,
	id uuid not null default uuid7(),
	person_id uuid not null,
	state text not null default 'preparing' check (state in ('preparing', 'ready', 'failed', 'expired')),
	return_urls jsonb not null,
	payment_url text,
	failure text,
	attempts smallint not null default 0,
	next_attempt_at timestamptz not null default now(),
	created_at timestamptz not null default now(),
	expires_at timestamptz not null default now() + interval '30 minutes',
	primary key (tenant_id, id),
	check ((state = 'ready') <= (payment_url is not null)),
	check ((state = 'failed') = (failure is not null))
);
create index on checkouts (next_attempt_at) where state = 'preparing';
create index on checkouts (expires_at) where state in ('preparing', 'ready');
create index on checkouts (id);
create index on checkouts (person_id);

create table checkout_items (
	tenant_id text not null,
	checkout_id uuid not null,
	person_id uuid not null,
	position_id uuid not null,
	instalment smallint not null,
	amount bigint not null check (amount > 0),
	primary key (tenant_id, checkout_id, position_id, instalment),
	foreign key (tenant_id, checkout_id) references checkouts,
	foreign key (tenant_id, position_id, instalment) references instalments
);

-- Row security. A citizen sees what she owes, in every tenant; an operator or partner what belongs to the tenant; the tasks everything.
alter table creditors enable row level security, force row level security;
create policy everyone_reads on creditors for select using (true);

alter table notice_sequences enable row level security, force row level security;
create policy tenant_all on notice_sequences using (tenant_id = app_tenant());

alter table positions enable row level security, force row level security;
create policy tenant_all on positions using (tenant_id = app_tenant());
create policy debtor_reads on positions for select using (person_id = app_subject());
create policy worker_all on positions to portico_payments_worker using (true);

-- Parts of a position follow it: who sees the position sees them.
alter table instalments enable row level security, force row level security;
create policy tenant_all on instalments using (tenant_id = app_tenant());
create policy debtor_reads on instalments for select using (exists (select from positions p
	where p.tenant_id = instalments.tenant_id and p.id = instalments.position_id and p.person_id = app_subject()));
create policy worker_all on instalments to portico_payments_worker using (true);

alter table transfers enable row level security, force row level security;
create policy tenant_all on transfers using (tenant_id = app_tenant());

alter table receipts enable row level security, force row level security;
create policy tenant_reads on receipts for select using (tenant_id = app_tenant());
create policy tenant_stores on receipts for insert with check (tenant_id = app_tenant());
create policy debtor_reads on receipts for select using (exists (select from positions p
	where p.tenant_id = receipts.tenant_id and p.id = receipts.position_id and p.person_id = app_subject()));

alter table known_persons enable row level security, force row level security;
create policy owner_reads on known_persons for select to portico_payments_owner using (true);
create policy worker_all on known_persons to portico_payments_worker using (true);

alter table checkouts enable row level security, force row level security;
create policy payer_all on checkouts using (person_id = app_subject());
create policy worker_all on checkouts to portico_payments_worker using (true);

alter table checkout_items enable row level security, force row level security;
create policy payer_all on checkout_items using (person_id = app_subject());
create policy worker_all on checkout_items to portico_payments_worker using (true);

-- What is owed and what was received is never deleted; what pagoPA sent and where money goes is never changed.
revoke delete on positions, instalments, transfers, receipts, checkouts, checkout_items from portico_payments, portico_payments_worker;
revoke update on transfers, receipts, checkout_items from portico_payments, portico_payments_worker;

-- Why pagoPA may not take money for an instalment now, in pagoPA's words; null when it may.
create function payment_fault(p positions, i instalments, c creditors) returns text language sql stable as $$
	select case
		when i.received >= i.amount then 'PAA_PAGAMENTO_DUPLICATO'
		when p.cancelled_at is not null then 'PAA_PAGAMENTO_ANNULLATO'
		when i.due_date < rome_today() and not c.pay_after_due then 'PAA_PAGAMENTO_SCADUTO'
	end
$$;

-- The API's shape of a position, for the statements that answer with one.
create function position_json(p positions) returns json language sql stable as $$
	select json_strip_nulls(json_build_object(
		'id', p.id,
		'tenant', p.tenant_id,
		'tenantName', c.name,
		'creditorFiscalCode', c.fiscal_code,
		'reference', json_build_object('kind', p.reference_kind, 'id', p.reference_id),
		'reason', p.reason,
		'debtor', json_build_object('fiscalCode', p.debtor_fiscal_code, 'name', p.debtor_name, 'personId', p.person_id),
		'amount', money_json(p.amount),
		'outstanding', money_json(p.amount - p.settled),
		'excess', money_json(nullif(parts.received - p.settled, 0)),
		'state', p.state,
		'payable', parts.payable,
		'paidLate', p.settled > 0 and (p.expired_at is not null or p.cancelled_at is not null),
		'dueDate', p.due_date,
		'noticeNumber', parts.next_notice_number,
		'instalments', parts.instalments,
		'createdAt', to_utc(p.created_at),
		'paidAt', to_utc(p.paid_at),
		'expiredAt', to_utc(p.expired_at),
		'cancelledAt', to_utc(p.cancelled_at),
		'cancellationReason', p.cancellation_reason))
	from creditors c
	cross join lateral (
		select
			sum(i.received)::bigint as received,
			bool_or(payment_fault(p, i, c) is null) as payable,
			(array_agg(i.notice_number order by i.number) filter (where i.received < i.amount))[1] as next_notice_number,
			json_agg(json_build_object(
				'number', i.number,
				'noticeNumber', i.notice_number,
				'iuv', i.iuv,
				'amount', money_json(i.amount),
				'received', money_json(i.received),
				'dueDate', i.due_date,
				'state', case when i.received >= i.amount then 'paid' when i.due_date < rome_today() then 'overdue' else 'open' end,
				'paidAt', to_utc(i.paid_at)) order by i.number) as instalments
		from instalments i
		where i.tenant_id = p.tenant_id and i.position_id = p.id) as parts
	where c.tenant_id = p.tenant_id
$$;

-- A page of the first `size` of them; that there is one more is how a next page is known.
create function position_page(found positions[], size int) returns json language sql stable as $$
	select json_strip_nulls(json_build_object(
		'items', coalesce(json_agg(position_json(found[place]) order by place) filter (where place <= size), '[]'),
		'next', case when count(*) > size then (found[size]).id end))
	from generate_subscripts(found, 1) as place
$$;

-- xsd:dateTime as the node writes it: the local time of Italy, unless it says its offset. The text itself stays in the receipt; what
-- is no moment is null, since a receipt is never refused for it.
create function moment_of(written text) returns timestamptz language plpgsql stable as $$
begin
	if written ~ '(Z|[+-]\d\d:\d\d)$' then
		return written::timestamptz;
	end if;
	return written::timestamp at time zone 'Europe/Rome';
exception when data_exception then
	return null;
end
$$;

create function receipt_json(r receipts) returns json language sql stable as $$
	select json_strip_nulls(json_build_object(
		'id', r.id,
		'receiptId', r.receipt_id,
		'positionId', r.position_id,
		'instalment', r.instalment,
		'noticeNumber', r.notice_number,
		'iuv', r.iuv,
		'match', r.match,
		'amount', money_json(r.amount),
		'fee', money_json(r.fee),
		'pspName', r.psp_name,
		'paymentMethod', r.payment_method,
		'paidAt', to_utc(moment_of(r.paid_at)),
		'receivedAt', to_utc(r.received_at)))
$$;
