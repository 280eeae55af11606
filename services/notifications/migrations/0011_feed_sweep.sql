-- What is swept goes by ranges of positions.
create index webhook_deliveries_position on webhook_deliveries (tenant_id, position);
