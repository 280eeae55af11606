-- One file that lost a row ten minutes ago (no upload lasts that long): doomed, so that no row comes to refer to it from
-- here on, and taken for the next ten minutes, so that no other replica still removes it after the same bytes have come
-- back. Whether a row refers to it is asked only when this is committed (needs_file.sql): an upload that was quicker is
-- seen then.
update loose_files l
set doomed = true, since = now()
from (
	select tenant_id, sha256
	from loose_files
	where since < now() - interval '10 minutes'
	order by since
	limit 1
	for update skip locked) as candidate
where l.tenant_id = candidate.tenant_id and l.sha256 = candidate.sha256
returning json_build_object('tenant', l.tenant_id, 'sha256', l.sha256, 'since', l.since)
