-- The queue of an office and that of an operator are read all day: each walks its own index (queue_practices.sql).
create index practices_office on practices (tenant_id, office, state, id);
create index practices_assignee on practices (tenant_id, assignee_id, state, id) where assignee_id is not null;

-- By id alone one practice is looked up and no list is read: a hash index cannot lure the planner into walking all tenants in the order
-- of ids for a page of one queue.
drop index practices_id;
create index practices_id on practices using hash (id);
