-- Notices to citizens, one delivery row a channel, what each attempt was answered, the templates they are made from and the
-- senders they come from. The law is kept here: a notice once per event, a delivery once per channel, and an event for
-- every change of state.

-- How a tenant presents itself. No secrets: the keys of the channels are settings.
create table senders (
	tenant_id text not null primary key,
	name text not null,                     -- "Comune di Bologna"
	email text check (email ~ '^[^\s<>@]+@[^\s<>@]+$'),     -- no address: no e-mail leaves for this tenant
	reply_to text check (reply_to ~ '^[^\s<>@]+@[^\s<>@]+$'),
	area_url text not null,                 -- the citizen's area, where the links of the notices begin
	fiscal_code text                        -- of the body, as payee of what App IO lets one pay
);
alter table senders enable row level security;
alter table senders force row level security;
create policy own on senders using (tenant_id = app_tenant());
create policy worker on senders for select to portico_notifications_worker using (true);

-- A template has versions, one of them active; a tenant's own goes before the common one, whose tenant is '*'.
create table templates (
	tenant_id text not null,
	id text not null check (id ~ '^[a-z][a-z0-9.-]{1,59}$'),
	language text not null default 'it',
	version int not null default 1,
	kind text not null default 'notice' check (kind in ('notice', 'layout')),
	topic text not null,
	title text not null,                    -- what it is for, in English, for who edits it
	subject text,
	body text not null,
	channels text[],                        -- NULL: all that reach the person; '{}': only the inbox
	sample jsonb not null,
	active boolean not null default true,
	created_at timestamptz not null default now(),
	primary key (tenant_id, id, language, version)
);
create unique index one_active_template on templates (tenant_id, id, language) where active;
alter table templates enable row level security;
alter table templates force row level security;
create policy visible on templates for select using (tenant_id in ('*', app_tenant()));
create policy worker on templates for select to portico_notifications_worker using (true);
create policy seed on templates to portico_notifications_owner using (true) with check (true);

create table notices (
	tenant_id text not null,
	id uuid not null default uuid7(),
	subject_id uuid not null,               -- the person it is for
	event_id uuid,                          -- what it tells of; NULL: an operator wrote it
	author_id text,                         -- that operator
	template_id text,
	template_version int,
	topic text not null,
	subject text not null,
	body text not null,
	link text,
	reference jsonb,                        -- {"kind", "id"} of the practice, the position, the appointment
	due_at timestamptz,
	payment jsonb,                          -- {"noticeNumber", "amount"}
	channels text[],                        -- those that the author asked for
	state text not null check (state in ('created', 'sending', 'sent', 'delivered', 'read', 'temporary-failure',
		'permanent-failure', 'technical-failure')),
	created_at timestamptz not null default now(),
	updated_at timestamptz not null default now(),
	read_at timestamptz,
	primary key (tenant_id, id)
);
create unique index notice_once_per_event on notices (tenant_id, event_id) where event_id is not null;
create index notices_of_person on notices (subject_id, id desc);
create index notices_in_state on notices (tenant_id, state, id desc);
alter table notices enable row level security;
alter table notices force row level security;
create policy tenant on notices using (tenant_id = app_tenant());
create policy person_reads on notices for select using (subject_id = app_subject());
create policy person_marks on notices for update using (subject_id = app_subject()) with check (subject_id = app_subject());
create policy worker on notices to portico_notifications_worker using (true);

-- next_attempt_at is when a worker may take it: now, after a pause, or when the lease of the worker that has it ends.
-- NULL: there is nothing left to do. The address is kept only until then. In the quiet hours (Europe/Rome, as the person had them when
-- it was planned) nothing is handed over.
create table deliveries (
	tenant_id text not null,
	notice_id uuid not null,
	channel text not null,
	subject_id uuid not null,
	state text not null check (state in ('created', 'sending', 'sent', 'delivered', 'read', 'temporary-failure',
		'permanent-failure', 'technical-failure')),
	standby boolean not null default false, -- waits in case the others cannot reach the person
	address text,
	address_hint text,
	attempts int not null default 0,
	checks int not null default 0,          -- looks at what became of it after it was sent
	next_attempt_at timestamptz,
	quiet_from time,
	quiet_to time,
	claim uuid,                             -- of the worker that has it
	handed_over boolean not null default false,     -- the call that must not be repeated has begun
	provider_reference text,
	answer text,
	updated_at timestamptz not null default now(),
	primary key (tenant_id, notice_id, channel),
	foreign key (tenant_id, notice_id) references notices on delete cascade
);
create index deliveries_due on deliveries (channel, next_attempt_at) where next_attempt_at is not null;
alter table deliveries enable row level security;
alter table deliveries force row level security;
create policy tenant on deliveries using (tenant_id = app_tenant());
create policy person_reads on deliveries for select using (subject_id = app_subject());
create policy person_marks on deliveries for update using (subject_id = app_subject()) with check (subject_id = app_subject());
create policy worker on deliveries to portico_notifications_worker using (true);

create table delivery_attempts (
	tenant_id text not null,
	notice_id uuid not null,
	channel text not null,
	number int not null,
	outcome text not null,
	answer text,
	at timestamptz not null default now(),
	primary key (tenant_id, notice_id, channel, number),
	foreign key (tenant_id, notice_id, channel) references deliveries on delete cascade
);
alter table delivery_attempts enable row level security;
alter table delivery_attempts force row level security;
create policy tenant on delivery_attempts for select using (tenant_id = app_tenant());
create policy worker on delivery_attempts to portico_notifications_worker using (true);

-- A provider said "too many requests": until then nobody asks it for this tenant.
create table channel_pauses (
	tenant_id text not null,
	channel text not null,
	until timestamptz not null,
	primary key (tenant_id, channel)
);
alter table channel_pauses enable row level security;
alter table channel_pauses force row level security;
create policy worker on channel_pauses to portico_notifications_worker using (true);

create function tell_notice() returns trigger language plpgsql as $$
begin
	perform emit_event(new.tenant_id, 'notice.updated', new.id, new.subject_id,
		jsonb_build_object('noticeId', new.id));
	return null;
end $$;
create trigger notice_made after insert on notices for each row execute function tell_notice();
create trigger notice_changed after update of state on notices for each row
	when (old.state is distinct from new.state) execute function tell_notice();

create function wake_channel() returns trigger language plpgsql as $$
begin
	perform pg_notify('tasks', 'deliver_' || new.channel);
	return null;
end $$;
create trigger delivery_due after insert or update of next_attempt_at on deliveries for each row
	when (new.next_attempt_at <= now() and new.claim is null) execute function wake_channel();

-- The state of a notice is the best that any channel beyond the inbox has reached; when there is none, the inbox's.
create function state_of_deliveries(p_tenant text, p_notice uuid) returns text language sql stable as $$
	select coalesce(
		(array_agg(state order by array_position(array['read', 'delivered', 'sent', 'sending', 'created',
			'temporary-failure', 'technical-failure', 'permanent-failure'], state)))[1], 'delivered')
	from deliveries
	where tenant_id = p_tenant and notice_id = p_notice and channel <> 'inbox' and not standby
$$;

create function refresh_notice(p_tenant text, p_notice uuid) returns void language sql as $$
	update notices n set state = s.state, updated_at = now()
	from (select case state_of_deliveries(p_tenant, p_notice) when 'created' then 'sending'
		else state_of_deliveries(p_tenant, p_notice) end as state) s
	where n.tenant_id = p_tenant and n.id = p_notice and n.read_at is null and n.state <> s.state
$$;

-- The moment itself, or the end of the quiet hours that it falls into. They are one stretch of time from the one to the other hour of the
-- clock in Rome, the next day's when the end is not later: of an hour that comes twice the first begins and the second ends them, and one
-- that is left out counts as the hour after. From and to the same: there are none.
create function after_quiet(p_moment timestamptz, p_from time, p_to time) returns timestamptz language sql stable as $$
	select coalesce(max(q.ends), p_moment)
	from (
		select least((day + p_from) at time zone 'Europe/Rome',
				(day + p_from - interval '1 hour') at time zone 'Europe/Rome' + interval '1 hour') as begins,
			(day + p_to + case when p_to < p_from then interval '1 day' else '0' end) at time zone 'Europe/Rome' as ends
		from (values (0), (1)) as days (back), lateral (
			select (p_moment at time zone 'Europe/Rome')::date - back as day) which
	) q
	where p_from <> p_to and q.begins <= p_moment and p_moment < q.ends
$$;

-- 5 s, 10 s, 20 s … 1 h, a fifth more or less so that what failed together does not come back together.
create function retry_pause(p_attempts int) returns interval language sql volatile as $$
	select make_interval(secs => least(5 * 2 ^ least(greatest(p_attempts - 1, 0), 20), 3600) * (0.8 + random() * 0.4))
$$;

-- When nobody else is on the way to the person, the first that stood by goes.
create function release_standby(p_tenant text, p_notice uuid) returns void language sql as $$
	update deliveries d set standby = false, next_attempt_at = after_quiet(now(), d.quiet_from, d.quiet_to), updated_at = now()
	where d.tenant_id = p_tenant and d.notice_id = p_notice and d.channel = (
		select channel from deliveries
		where tenant_id = p_tenant and notice_id = p_notice and standby order by channel limit 1)
	and not exists (
		select from deliveries
		where tenant_id = p_tenant and notice_id = p_notice and channel <> 'inbox' and not standby
		and state not in ('permanent-failure', 'technical-failure'))
$$;

-- Writes what became of one attempt. False when the claim is no longer the caller's: somebody else has the delivery.
create function settle_delivery(p_tenant text, p_notice uuid, p_channel text, p_claim uuid, p_outcome text, p_answer text,
	p_reference text, p_retry_after int) returns boolean language plpgsql as $$
declare
	d deliveries;
	next_state text;
	next_at timestamptz;
begin
	-- a statement of its own, before all others: of two channels that settle at once, the second must see what the first wrote
	perform from notices where tenant_id = p_tenant and id = p_notice for update;
	select * into d from deliveries
	where tenant_id = p_tenant and notice_id = p_notice and channel = p_channel and claim = p_claim for update;
	if not found then
		return false;
	end if;

	if p_outcome = 'limited' then
		next_state := case when d.provider_reference is null then 'created' else d.state end;
		next_at := now() + make_interval(secs => greatest(p_retry_after, 1));
		insert into channel_pauses values (p_tenant, p_channel, next_at)
		on conflict (tenant_id, channel) do update set until = greatest(channel_pauses.until, excluded.until);
		next_at := case when next_state = 'created' then after_quiet(next_at, d.quiet_from, d.quiet_to) else next_at end;
	elsif p_outcome = 'pending' then
		next_state := 'sent';
		next_at := case when d.checks < 30 then now() + retry_pause(d.checks + 1) end;
	elsif p_outcome = 'sent' then
		next_state := 'sent';
		next_at := case when p_reference is not null then now() + interval '2 seconds' end;
	elsif p_outcome = 'temporary' and d.attempts + 1 < 80 then
		next_state := 'temporary-failure';
		next_at := after_quiet(now() + greatest(retry_pause(d.attempts + 1), make_interval(secs => p_retry_after)),
			d.quiet_from, d.quiet_to);
	else
		next_state := case p_outcome when 'delivered' then 'delivered' when 'unavailable' then 'permanent-failure'
			when 'permanent' then 'permanent-failure' else 'technical-failure' end;
	end if;

	update deliveries set state = next_state, next_attempt_at = next_at, claim = null, handed_over = false,
		attempts = attempts + case when p_outcome in ('pending', 'limited') or d.provider_reference is not null
			then 0 else 1 end,
		checks = checks + case when p_outcome = 'pending' then 1 else 0 end,
		address = case when next_at is not null then address end,
		provider_reference = coalesce(p_reference, provider_reference),
		answer = p_answer, updated_at = now()
	where tenant_id = p_tenant and notice_id = p_notice and channel = p_channel;

	insert into delivery_attempts (tenant_id, notice_id, channel, number, outcome, answer)
	select p_tenant, p_notice, p_channel, 1 + (select count(*) from delivery_attempts
		where tenant_id = p_tenant and notice_id = p_notice and channel = p_channel), p_outcome, p_answer
	where p_outcome <> 'pending';

	if next_state in ('permanent-failure', 'technical-failure') then
		perform release_standby(p_tenant, p_notice);
	elsif next_state = 'delivered' or (next_state = 'sent' and next_at is null) then
		delete from deliveries where tenant_id = p_tenant and notice_id = p_notice and standby;
	end if;
	perform refresh_notice(p_tenant, p_notice);
	return true;
end $$;

create function delivery_json(d deliveries) returns json language sql stable as $$
	select json_strip_nulls(json_build_object(
		'channel', d.channel,
		'state', d.state,
		'address', d.address_hint,
		'attempts', d.attempts,
		'answer', d.answer,
		'nextAttemptAt', case when d.state in ('created', 'temporary-failure') then to_utc(d.next_attempt_at) end,
		'updatedAt', to_utc(d.updated_at)))
$$;

-- A notice as it stands in a list, without its text.
create function notice_summary(n notices) returns jsonb language sql stable as $$
	select jsonb_strip_nulls(jsonb_build_object(
		'id', n.id,
		'tenant', n.tenant_id,
		'personId', n.subject_id,
		'topic', n.topic,
		'template', n.template_id,
		'subject', n.subject,
		'reference', n.reference,
		'state', n.state,
		'createdAt', to_utc(n.created_at),
		'readAt', to_utc(n.read_at)))
$$;

create function notice_detail(n notices) returns jsonb language sql stable as $$
	select notice_summary(n) || jsonb_strip_nulls(jsonb_build_object(
		'text', n.body,
		'link', n.link,
		'dueAt', to_utc(n.due_at),
		'payment', n.payment,
		'templateVersion', n.template_version,
		'deliveries', (
			select jsonb_agg(delivery_json(d) order by d.channel)
			from deliveries d
			where d.tenant_id = n.tenant_id and d.notice_id = n.id and not d.standby)))
$$;

create function sender_json(p_tenant text) returns json language sql stable as $$
	select json_build_object('name', coalesce(s.name, p_tenant), 'email', s.email, 'replyTo', s.reply_to,
		'areaUrl', s.area_url, 'fiscalCode', s.fiscal_code)
	from (select) always left join senders s on s.tenant_id = p_tenant
$$;

-- A page of what was found (one more than the limit when there is a next page), newest first.
create function notice_page(found notices[], size int) returns jsonb language sql stable as $$
	select jsonb_strip_nulls(jsonb_build_object(
		'items', coalesce((
			select jsonb_agg(notice_summary(n) order by n.id desc)
			from (select * from unnest(found) order by id desc limit size) n), '[]'),
		'next', case when cardinality(found) > size then (
			select min(id::text) from (select id from unnest(found) order by id desc limit size) n) end))
$$;
