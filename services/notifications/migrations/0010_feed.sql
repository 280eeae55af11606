-- The feed: the events of all services in one log, by tenant, and the webhooks that bring them to subscribers. A position in the
-- log is given under the lock of feed_head, by one transaction at a time, so positions become visible in order: whoever has read
-- up to one has missed nothing before it.

create table feed_events (
	tenant_id text not null,
	position bigint not null,
	id uuid not null,
	type text not null,                     -- as on the wire
	subject_id uuid,
	envelope text not null,                 -- as it came, to the byte: what is posted and signed
	collected_at timestamptz not null default now(),
	primary key (tenant_id, position)
);
create unique index feed_event_once on feed_events (tenant_id, id);

-- How far the log is. One row.
create table feed_head (
	tenant_id text not null default '' check (tenant_id = '') primary key,
	position bigint not null default 0
);
insert into feed_head default values;

-- Up to where the log of each service has been collected.
create table feed_sources (
	tenant_id text not null default '' check (tenant_id = ''),
	source text not null,
	position bigint not null,
	primary key (tenant_id, source)
);

create table feed_tenants (
	tenant_id text not null primary key,
	retention_days int not null default 30 check (retention_days between 1 and 90),
	swept bigint not null default 0         -- events up to here may be gone
);

-- Secrets are sealed by the service (seal.h). health: failures counts the failed attempts since the last success.
create table webhook_subscriptions (
	tenant_id text not null,
	id uuid not null default uuid7(),
	client_id text not null,
	url text not null,
	description text,
	types text[] not null default '{}',
	state text not null default 'active' check (state in ('active', 'paused', 'deleted')),
	concurrency int not null default 4 check (concurrency between 1 and 32),
	secret text not null,
	secondary_secret text,
	secondary_until timestamptz,
	failures int not null default 0,
	failing_since timestamptz,
	last_success_at timestamptz,
	last_error text,
	redrive boolean not null default false, -- asked for, or the endpoint is back: what is parked goes to it again
	probed_at timestamptz,                  -- when a parked delivery was last tried to see whether the endpoint is back
	version int not null default 1,
	created_at timestamptz not null default now(),
	updated_at timestamptz not null default now(),
	primary key (tenant_id, id)
);
create unique index already_subscribed on webhook_subscriptions (tenant_id, client_id, url) where state <> 'deleted';

-- One event for one subscriber. id is the event's; the envelope stands here only for test events, which no feed has.
create table webhook_deliveries (
	tenant_id text not null,
	subscription_id uuid not null,
	id uuid not null,
	position bigint,
	type text not null,
	envelope text,
	state text not null default 'waiting' check (state in ('waiting', 'delivered', 'parked')),
	attempts int not null default 0,
	next_attempt_at timestamptz not null default now(),
	expires_at timestamptz not null default now() + interval '3 days',
	history jsonb not null default '[]',
	created_at timestamptz not null default now(),
	settled_at timestamptz,
	primary key (tenant_id, subscription_id, id),
	foreign key (tenant_id, subscription_id) references webhook_subscriptions (tenant_id, id) on delete cascade
);
create index webhook_deliveries_due on webhook_deliveries (tenant_id, subscription_id, next_attempt_at, position)
	where state = 'waiting';
create index webhook_deliveries_parked on webhook_deliveries (tenant_id, subscription_id, id) where state = 'parked';
create index webhook_deliveries_test on webhook_deliveries (created_at) where envelope is not null;

do $$
declare
	name text;
begin
	foreach name in array array['feed_events', 'feed_tenants', 'webhook_subscriptions', 'webhook_deliveries', 'feed_head',
		'feed_sources']
	loop
		execute format('alter table %I enable row level security', name);
		execute format('alter table %I force row level security', name);
		execute format('create policy worker on %I to portico_notifications_worker using (true) with check (true)', name);
	end loop;
	foreach name in array array['feed_events', 'feed_tenants', 'webhook_subscriptions', 'webhook_deliveries'] loop
		execute format('create policy own on %I to portico_notifications using (tenant_id = app_tenant()) with check (tenant_id = app_tenant())', name);
	end loop;
end $$;
create policy known on feed_head for select to portico_notifications using (true);
revoke insert, update, delete on feed_events, feed_head from portico_notifications;
revoke all on feed_sources from portico_notifications;

-- Takes a batch of one service's log in: what was not collected before goes to the feed and to the subscribers. entries is an
-- array of {position, tenant, id, type, subject, envelope} in the order of position, last the position of the newest entry
-- read, wanted or not. Returns how many were taken.
create function collect_events(p_source text, p_last bigint, p_entries jsonb) returns int language plpgsql as $$
declare
	head bigint;
	done bigint;
	taken int;
begin
	select h.position into head from feed_head h for update;
	select s.position into done from feed_sources s where s.source = p_source;
	if coalesce(done, 0) >= p_last then
		return 0;
	end if;
	with fresh as (
		select head + row_number() over (order by e.position) as place, e.*
		from jsonb_to_recordset(p_entries) as e(position bigint, tenant text, id uuid, type text, subject uuid, envelope text)
		where e.position > coalesce(done, 0)
	), logged as (
		insert into feed_events (tenant_id, position, id, type, subject_id, envelope)
		select tenant, place, id, type, subject, envelope from fresh
		returning tenant_id, position, id, type
	), queued as (
		insert into webhook_deliveries (tenant_id, subscription_id, id, position, type)
		select l.tenant_id, s.id, l.id, l.position, l.type
		from logged l
		join webhook_subscriptions s on s.tenant_id = l.tenant_id and s.state <> 'deleted'
			and (s.types = '{}' or l.type = any (s.types))
	)
	select count(*) into taken from logged;
	insert into feed_tenants (tenant_id)
	select distinct e.tenant from jsonb_to_recordset(p_entries) as e(tenant text)
	on conflict do nothing;
	update feed_head set position = head + taken where taken > 0;
	insert into feed_sources as s (source, position) values (p_source, p_last)
	on conflict (tenant_id, source) do update set position = excluded.position;
	if taken > 0 then
		perform pg_notify('tasks', 'wake-readers');
	end if;
	return taken;
end $$;

-- The pause after so many attempts: 5 s, doubled up to four hours, a fifth more or less, so that those that failed together do not
-- come back together.
create function webhook_pause(attempts int) returns interval language sql volatile
return least(5 * 2 ^ least(greatest(attempts - 1, 0), 20), 14400) * (0.8 + 0.4 * random()) * interval '1 second';

create function subscription_etag(version int) returns text language sql immutable return '"' || version || '"';

create function delivery_json(d webhook_deliveries) returns json language sql stable
return json_strip_nulls(json_build_object('id', d.id, 'type', d.type, 'state', d.state, 'attempts', d.attempts,
	'nextAttemptAt', case when d.state = 'waiting' then to_utc(d.next_attempt_at) end, 'createdAt', to_utc(d.created_at),
	'settledAt', to_utc(d.settled_at), 'history', d.history));

create function subscription_json(s webhook_subscriptions) returns jsonb language sql stable
return jsonb_strip_nulls(jsonb_build_object('id', s.id, 'client', s.client_id, 'url', s.url, 'description', s.description,
	'types', s.types, 'state', s.state, 'concurrency', s.concurrency,
	'secondaryUntil', case when s.secondary_until > now() then to_utc(s.secondary_until) end,
	'health', jsonb_build_object(
		'state', case when s.failures = 0 then 'up' when s.failures < 5 then 'failing' else 'down' end,
		'failures', s.failures, 'failingSince', to_utc(s.failing_since), 'lastSuccessAt', to_utc(s.last_success_at),
		'lastError', case when s.failures > 0 then s.last_error end,
		'waiting', (select count(*) from (select from webhook_deliveries d where d.tenant_id = s.tenant_id
			and d.subscription_id = s.id and d.state = 'waiting' limit 10000) w),
		'parked', (select count(*) from (select from webhook_deliveries d where d.tenant_id = s.tenant_id
			and d.subscription_id = s.id and d.state = 'parked' limit 10000) p)),
	'createdAt', to_utc(s.created_at), 'updatedAt', to_utc(s.updated_at)));

-- A client has at most 20: counted one at a time.
create function add_subscription(p_client text, p_body jsonb, p_secret text) returns webhook_subscriptions language plpgsql as $$
declare
	made webhook_subscriptions;
begin
	perform pg_advisory_xact_lock(hashtextextended(concat_ws(chr(10), 'subscriptions', app_tenant(), p_client), 0));
	perform refuse(409, 'too-many-subscriptions', 'This client has 20 already.')
	from webhook_subscriptions where tenant_id = app_tenant() and client_id = p_client and state <> 'deleted'
	having count(*) >= 20;
	insert into webhook_subscriptions (tenant_id, client_id, url, description, types, concurrency, secret)
	values (app_tenant(), p_client, p_body ->> 'url', p_body ->> 'description',
		array(select jsonb_array_elements_text(p_body -> 'types')), coalesce((p_body ->> 'concurrency')::int, 4), p_secret)
	returning * into made;
	perform pg_notify('tasks', 'load-subscriptions');
	return made;
end $$;
