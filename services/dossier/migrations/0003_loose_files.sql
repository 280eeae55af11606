-- Files whose last row may be gone: what a citizen takes out of a draft does not stay on the disk. The same bytes may be another document
-- still, so a file is first doomed, when nobody refers to it any more, and then removed; meanwhile nobody may upload those bytes.
create table loose_files (
	tenant_id text not null,
	sha256 text not null,
	since timestamptz not null default now(),
	doomed boolean not null default false,
	primary key (tenant_id, sha256)
);
create index loose_files_since on loose_files (since);
create index loose_files_sha256 on loose_files (sha256);
create index documents_sha256 on documents (sha256);

-- Digests say nothing about persons, and the bytes of one tenant may be those of another.
alter table loose_files enable row level security;
alter table loose_files force row level security;
create policy everyone on loose_files using (true) with check (true);

do $$
begin
	execute format('create policy worker on documents for select to %I using (true)', current_database() || '_worker');
end
$$;

create function note_loose_file() returns trigger language plpgsql as $$
begin
	insert into loose_files (tenant_id, sha256) values (old.tenant_id, old.sha256)
	on conflict (tenant_id, sha256) do update set since = now();
	return null;
end
$$;

create trigger loose_file after delete on documents for each row execute function note_loose_file();
