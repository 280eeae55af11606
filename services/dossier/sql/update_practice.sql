-- $2 the body, $3 If-Match.
with changed as (
	update practices p
	set data = merge_patch(p.data, $2::jsonb -> 'data'), version = p.version + 1, updated_at = now()
	where p.id = $1::uuid and p.state = 'draft' and ($3::text is null or $3 in ('*', etag(p.version)))
	returning p as practice
)
select practice_json(practice), etag((practice).version) as etag from changed
union all
select refuse_change(p, 'submit', $3), null from practices p where p.id = $1::uuid and not exists (select from changed)
