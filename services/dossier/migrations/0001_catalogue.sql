-- What the municipalities offer: tenants, their offices, and the services one can ask for. No personal data: all may read it.

create table tenants (
	tenant_id text not null primary key,
	name text not null
);

create table offices (
	tenant_id text not null references tenants,
	code text not null,
	name text not null,
	handles text not null,
	primary key (tenant_id, code)
);

-- What a citizen typed, each word as the beginning of a stem: "pass carr" finds "passo carraio".
create function search_query(typed text) returns tsquery language sql immutable as $$
	select to_tsquery('italian', coalesce(string_agg(word || ':*', ' & '), ''))
	from regexp_split_to_table(lower(typed), '[^[:alnum:]]+') word
	where word <> ''
$$;

create table services (
	tenant_id text not null,
	id uuid not null,
	code text not null,                             -- the same kind of service has the same code in every city
	title text not null,
	summary text not null,
	description text not null,
	who text not null,                              -- who may ask
	needs jsonb not null,                           -- what one must have at hand, a list of sentences
	legal_basis text not null,
	office text not null,
	category text not null,
	section text not null check (section in ('io-cittadino', 'io-genitore', 'io-mi-muovo', 'io-contribuente', 'io-pago')),
	keywords jsonb not null default '[]',
	fee bigint not null default 0 check (fee >= 0), -- cents, due before the review
	fee_title text,
	term_days int not null check (term_days between 1 and 180),
	form jsonb not null,                            -- schema object of OpenAPI 3.0
	ui jsonb not null default '{}',                 -- order of the fields, widgets, hints
	attachments jsonb not null default '[]',        -- [{kind, title, description, required}]
	online boolean not null default true,           -- false: on appointment only
	active boolean not null default true,
	search tsvector generated always as (
		setweight(to_tsvector('italian', title), 'A')
		|| setweight(jsonb_to_tsvector('italian', keywords, '["string"]'), 'B')
		|| setweight(to_tsvector('italian', summary), 'C')
		|| setweight(to_tsvector('italian', description), 'D')) stored,
	spelling text generated always as (lower(title || ' ' || summary || ' ' || (keywords #>> '{}'))) stored,
	primary key (tenant_id, id),
	unique (tenant_id, code),
	foreign key (tenant_id, office) references offices
);

create index services_id on services (id);
create index services_search on services using gin (search);
create index services_spelling on services using gin (spelling gin_trgm_ops);

alter table tenants enable row level security;
alter table tenants force row level security;
alter table offices enable row level security;
alter table offices force row level security;
alter table services enable row level security;
alter table services force row level security;
create policy everyone on tenants for select using (true);
create policy everyone on offices for select using (true);
create policy everyone on services for select using (true);

create function service_summary_json(s services) returns json language sql stable as $$
	select json_build_object('id', s.id, 'code', s.code, 'tenant', s.tenant_id, 'title', s.title, 'summary', s.summary,
		'category', s.category, 'section', s.section, 'online', s.online,
		'fee', json_build_object('amount', s.fee, 'currency', 'EUR'), 'termDays', s.term_days)
$$;
