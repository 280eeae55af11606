-- Practices and what hangs on them. A row is seen by the citizen it is about and, once submitted, by the tenant that handles it.

-- The procedure as data: every change of state is a row here, or it does not happen.
create table transitions (
	action text not null,
	from_state text not null,
	to_state text not null,
	actor text not null,                    -- citizen, office, system
	event text not null,
	primary key (from_state, to_state),
	unique (action, from_state)
);

insert into transitions (action, from_state, to_state, actor, event) values
	('submit', 'draft', 'submitted', 'citizen', 'practice.submitted'),
	('register', 'submitted', 'registered', 'system', 'practice.registered'),
	('ask-fee', 'registered', 'payment-due', 'system', 'practice.payment-due'),
	('review', 'registered', 'in-review', 'system', 'practice.in-review'),
	('settle', 'payment-due', 'in-review', 'system', 'practice.in-review'),
	('request-integration', 'in-review', 'integration-requested', 'office', 'practice.integration-requested'),
	('integrate', 'integration-requested', 'in-review', 'citizen', 'practice.integrated'),
	('approve', 'in-review', 'approved', 'office', 'practice.approved'),
	('reject', 'in-review', 'rejected', 'office', 'practice.rejected'),
	('reject', 'integration-requested', 'rejected', 'office', 'practice.rejected'),
	('close', 'approved', 'closed', 'system', 'practice.closed'),
	('close', 'rejected', 'closed', 'system', 'practice.closed'),
	('withdraw', 'submitted', 'withdrawn', 'citizen', 'practice.withdrawn'),
	('withdraw', 'registered', 'withdrawn', 'citizen', 'practice.withdrawn'),
	('withdraw', 'payment-due', 'withdrawn', 'citizen', 'practice.withdrawn'),
	('withdraw', 'in-review', 'withdrawn', 'citizen', 'practice.withdrawn'),
	('withdraw', 'integration-requested', 'withdrawn', 'citizen', 'practice.withdrawn');

-- The persons that this service has met, as identity knows them: for prefilled forms and the names on practices.
create table applicants (
	subject_id uuid not null primary key,
	given_name text not null,
	family_name text not null,
	fiscal_code text not null,
	attributes jsonb not null,              -- by the names that x-prefill uses after "person."
	version bigint not null
);

create table practices (
	tenant_id text not null,
	id uuid not null default uuid7(),
	subject_id uuid not null,
	service_id uuid not null,
	office text not null,
	state text not null default 'draft',
	version int not null default 1,
	data jsonb not null default '{}',
	applicant_name text,
	applicant_fiscal_code text,
	assignee_id uuid,
	fee bigint not null default 0,
	created_at timestamptz not null default now(),
	updated_at timestamptz not null default now(),
	submitted_at timestamptz,
	-- legal term, law 241/1990 art. 2: days of the calendar in Italy
	term_days int not null,
	started_on date,
	original_due_on date,
	due_on date,
	suspended_on date,
	suspended_days int not null default 0,
	registration jsonb,                     -- of the submission
	outcome text check (outcome in ('approved', 'rejected')),
	decision_text text,
	decided_at timestamptz,
	-- who made the last change of state and why; note_transition() keeps them in the history
	changed_by text,
	changed_by_id uuid,
	reason text,
	primary key (tenant_id, id),
	foreign key (tenant_id, service_id) references services,
	constraint draft_too_large check (octet_length(data::text) <= 262144)
);

create index practices_id on practices (id);
create index practices_own on practices (subject_id, id);
create index practices_queue on practices (tenant_id, state, id);

create table practice_history (
	tenant_id text not null,
	practice_id uuid not null,
	id uuid not null default uuid7(),
	subject_id uuid not null,
	from_state text not null,
	to_state text not null,
	actor text not null,
	actor_id uuid,
	reason text,
	at timestamptz not null,
	primary key (tenant_id, practice_id, id),
	foreign key (tenant_id, practice_id) references practices,
	foreign key (from_state, to_state) references transitions
);
create index practice_history_practice on practice_history (practice_id, id);

create table documents (
	tenant_id text not null,
	id uuid not null default uuid7(),
	practice_id uuid not null,
	subject_id uuid not null,
	kind text not null,
	name text not null,                     -- a label; the file is found by its digest
	media_type text not null,
	size bigint not null,
	sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
	uploaded_by text not null,              -- citizen, office
	created_at timestamptz not null default now(),
	issued_at timestamptz,                  -- of a decision: when it was registered out, from when the citizen sees it
	registration jsonb,
	primary key (tenant_id, id),
	foreign key (tenant_id, practice_id) references practices
);
create index documents_id on documents (id);
create index documents_practice on documents (practice_id, id);
create index documents_subject on documents (subject_id, id);
create unique index one_decision on documents (tenant_id, practice_id) where kind = 'decision';

-- By law the office suspends the term once only (art. 2, paragraph 7): the key says so.
create table integrations (
	tenant_id text not null,
	practice_id uuid not null,
	subject_id uuid not null,
	text text not null,
	requested_at timestamptz not null default now(),
	answer_due_on date not null,
	answer text,
	answer_documents jsonb,
	answered_at timestamptz,
	constraint integration_already_requested primary key (tenant_id, practice_id),
	foreign key (tenant_id, practice_id) references practices
);
create index integrations_practice on integrations (practice_id);

create table messages (
	tenant_id text not null,
	id uuid not null default uuid7(),
	practice_id uuid not null,
	subject_id uuid not null,
	sender text not null check (sender in ('citizen', 'office')),
	sender_id uuid not null,
	text text not null,
	created_at timestamptz not null default now(),
	primary key (tenant_id, id),
	foreign key (tenant_id, practice_id) references practices
);
create index messages_practice on messages (practice_id, id);
create index messages_subject on messages (subject_id, id);

-- What other services hold about a person, as last heard: dues, appointments, notices. Only for the one-call view.
create table dossier_items (
	tenant_id text not null,
	kind text not null check (kind in ('due', 'appointment', 'notice')),
	id uuid not null,
	subject_id uuid not null,
	version bigint not null,                -- of the resource at its owner; an older one never overwrites a newer one
	practice_id uuid,
	section text not null,
	state text not null,
	title text not null,
	amount bigint,
	due_on date,
	starts_at timestamptz,
	data jsonb not null,                    -- what the API shows beyond the columns
	primary key (tenant_id, kind, id)
);
create index dossier_items_subject on dossier_items (subject_id, kind, id);

alter table transitions enable row level security;
alter table transitions force row level security;
create policy everyone on transitions for select using (true);

alter table applicants enable row level security;
alter table applicants force row level security;
create policy own on applicants using (subject_id = app_subject()) with check (subject_id = app_subject());

alter table practices enable row level security;
alter table practices force row level security;
create policy parties on practices
	using (subject_id = app_subject() or (tenant_id = app_tenant() and state <> 'draft'))
	with check (subject_id = app_subject() or tenant_id = app_tenant());

alter table practice_history enable row level security;
alter table practice_history force row level security;
create policy parties on practice_history
	using (subject_id = app_subject() or tenant_id = app_tenant())
	with check (subject_id = app_subject() or tenant_id = app_tenant());

-- The tenant sees the documents of the practices that it sees, so not those of drafts; the citizen sees a decision once it is issued.
alter table documents enable row level security;
alter table documents force row level security;
create policy parties on documents
	using ((subject_id = app_subject() and (kind <> 'decision' or issued_at is not null))
		or (tenant_id = app_tenant() and exists (select from practices p
			where p.tenant_id = documents.tenant_id and p.id = documents.practice_id)))
	with check ((subject_id = app_subject() and kind <> 'decision') or tenant_id = app_tenant());

alter table integrations enable row level security;
alter table integrations force row level security;
create policy parties on integrations
	using (subject_id = app_subject() or tenant_id = app_tenant())
	with check (subject_id = app_subject() or tenant_id = app_tenant());

alter table messages enable row level security;
alter table messages force row level security;
create policy parties on messages
	using (subject_id = app_subject() or tenant_id = app_tenant())
	with check (subject_id = app_subject() or tenant_id = app_tenant());

alter table dossier_items enable row level security;
alter table dossier_items force row level security;
create policy parties on dossier_items
	using (subject_id = app_subject() or tenant_id = app_tenant())
	with check (subject_id = app_subject() or tenant_id = app_tenant());

-- A change of state that is no row of transitions is refused; one that is leaves its line in the history and its event. It runs before the
-- row is written, so that the statement's own answer already shows the line.
create function note_transition() returns trigger language plpgsql as $$
declare
	step transitions;
begin
	select * into step from transitions t
	where t.from_state = old.state and t.to_state = new.state and t.actor = new.changed_by;
	if not found then
		perform refuse(409, 'wrong-state', format('A practice that is %s does not become %s.', old.state, new.state));
	end if;
	insert into practice_history (tenant_id, practice_id, subject_id, from_state, to_state, actor, actor_id, reason, at)
	values (new.tenant_id, new.id, new.subject_id, old.state, new.state, new.changed_by, new.changed_by_id, new.reason, now());
	perform emit_event(new.tenant_id, step.event, new.id, new.subject_id, jsonb_build_object('practiceId', new.id));
	return new;
end
$$;

create trigger transition before update of state on practices
	for each row when (old.state is distinct from new.state) execute function note_transition();

-- RFC 7396.
create function merge_patch(target jsonb, patch jsonb) returns jsonb language plpgsql immutable as $$
declare
	merged jsonb := case when jsonb_typeof(target) = 'object' then target else '{}' end;
	member record;
begin
	if jsonb_typeof(patch) <> 'object' then
		return patch;
	end if;
	for member in select key, value from jsonb_each(patch) loop
		if member.value = 'null' then
			merged := merged - member.key;
		else
			merged := merged || jsonb_build_object(member.key, merge_patch(merged -> member.key, member.value));
		end if;
	end loop;
	return merged;
end
$$;

create function today_in_italy() returns date language sql stable as $$
	select (now() at time zone 'Europe/Rome')::date
$$;

create function etag(version int) returns text language sql immutable as $$
	select '"' || version || '"'
$$;

-- Why a guarded statement did not touch a practice that the caller does see: it is not in a state that the action begins from, or (when it
-- is, in p, which is as the statement found it) somebody else was faster.
create function refuse_change(p practices, wanted text, if_match text default null) returns json language plpgsql as $$
begin
	if exists (select from transitions t where t.action = wanted and t.from_state = p.state) then
		if if_match is not null then
			perform refuse(412, 'version-conflict', 'The practice has changed since the version in If-Match.');
		end if;
		perform refuse(409, 'wrong-state', 'The practice has just been changed by somebody else.');
	end if;
	perform refuse(409, 'wrong-state', format('The practice is in state %s.', p.state));
	return null;
end
$$;

create function document_json(d documents) returns json language sql stable as $$
	select json_strip_nulls(json_build_object('id', d.id, 'practiceId', d.practice_id, 'kind', d.kind, 'name', d.name,
		'mediaType', d.media_type, 'size', d.size, 'sha256', d.sha256, 'uploadedBy', d.uploaded_by,
		'createdAt', to_utc(d.created_at), 'issuedAt', to_utc(d.issued_at), 'registration', d.registration))
$$;

create function message_json(m messages) returns json language sql stable as $$
	select json_build_object('id', m.id, 'practiceId', m.practice_id, 'from', m.sender, 'text', m.text,
		'createdAt', to_utc(m.created_at))
$$;

create function terms_json(p practices) returns json language sql stable as $$
	select case when p.started_on is not null then json_build_object('days', p.term_days, 'startedOn', p.started_on,
		'originalDueOn', p.original_due_on, 'dueOn', p.due_on, 'suspendedOn', p.suspended_on,
		'suspendedDays', p.suspended_days) end
$$;

-- A practice in a list.
create function practice_summary_json(p practices, s services) returns json language sql stable as $$
	select json_strip_nulls(json_build_object('id', p.id, 'tenant', p.tenant_id, 'state', p.state,
		'service', json_build_object('id', s.id, 'code', s.code, 'title', s.title), 'section', s.section,
		'office', p.office, 'assignee', p.assignee_id, 'applicant', json_build_object('personId', p.subject_id,
			'name', p.applicant_name), 'createdAt', to_utc(p.created_at), 'updatedAt', to_utc(p.updated_at),
		'submittedAt', to_utc(p.submitted_at), 'terms', terms_json(p), 'registration', p.registration,
		'outcome', p.outcome))
$$;

-- A practice whole. In PL/pgSQL because its plan is then kept by the session, and volatile because it must show what the calling statement
-- has just changed.
create function practice_json(p practices) returns json language plpgsql as $$
begin
	return (select json_strip_nulls(json_build_object(
		'id', p.id, 'tenant', p.tenant_id, 'state', p.state,
		'service', json_build_object('id', s.id, 'code', s.code, 'title', s.title), 'section', s.section,
		'object', s.title || coalesce(' - ' || p.applicant_name, ''),
		'office', p.office, 'assignee', p.assignee_id,
		'applicant', json_build_object('personId', p.subject_id, 'name', p.applicant_name,
			'fiscalCode', p.applicant_fiscal_code),
		'data', p.data, 'createdAt', to_utc(p.created_at), 'updatedAt', to_utc(p.updated_at),
		'submittedAt', to_utc(p.submitted_at), 'terms', terms_json(p),
		'fee', case when p.fee > 0 then json_build_object('amount', p.fee, 'currency', 'EUR', 'title', s.fee_title,
			'dueDate', p.started_on + 30) end,
		'registration', p.registration,
		'integration', (select json_build_object('text', i.text, 'requestedAt', to_utc(i.requested_at),
				'answerDueOn', i.answer_due_on, 'answer', i.answer, 'documents', i.answer_documents,
				'answeredAt', to_utc(i.answered_at))
			from integrations i where i.practice_id = p.id),
		'decision', case when p.outcome is not null then json_build_object('outcome', p.outcome, 'text', p.decision_text,
			'decidedAt', to_utc(p.decided_at), 'document', (select document_json(d) from documents d
				where d.practice_id = p.id and d.kind = 'decision')) end,
		'documents', (select coalesce(json_agg(document_json(d) order by d.id), '[]') from documents d
			where d.practice_id = p.id and d.kind <> 'decision'),
		'history', (select coalesce(json_agg(json_build_object('from', h.from_state, 'to', h.to_state, 'by', h.actor,
				'at', to_utc(h.at), 'reason', h.reason) order by h.id), '[]')
			from practice_history h where h.practice_id = p.id)))
	from services s where s.tenant_id = p.tenant_id and s.id = p.service_id);
end
$$;

-- What was heard of a resource of another service, unless something newer was heard already.
create function keep_item(item dossier_items) returns boolean language plpgsql as $$
begin
	insert into dossier_items select (item).*
	on conflict (tenant_id, kind, id) do update
	set subject_id = excluded.subject_id, version = excluded.version, practice_id = excluded.practice_id,
		section = excluded.section, state = excluded.state, title = excluded.title, amount = excluded.amount,
		due_on = excluded.due_on, starts_at = excluded.starts_at, data = excluded.data
	where dossier_items.version < excluded.version;
	return found;
end
$$;

create function item_json(i dossier_items) returns jsonb language sql stable as $$
	select jsonb_strip_nulls(jsonb_build_object('id', i.id, 'tenant', i.tenant_id, 'section', i.section, 'state', i.state,
		'title', i.title, 'practiceId', i.practice_id, 'dueOn', i.due_on, 'startsAt', to_utc(i.starts_at)) || i.data)
$$;

-- The part of the dossier that an item belongs to: that of its practice's service, else what is usual for its kind.
create function section_of(practice uuid, usual text) returns text language sql stable as $$
	select coalesce((select s.section from practices p join services s on s.tenant_id = p.tenant_id and s.id = p.service_id
		where p.id = practice), usual)
$$;
