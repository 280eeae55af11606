-- Demo data of protocol: the organisational area (AOO) of each city, with IPA-style codes. Run as a superuser, as often as one likes.
INSERT INTO aoos (tenant_id, code, name) VALUES
	('c_a944', 'A944BO1', 'Comune di Bologna'),
	('c_a662', 'A662BA1', 'Comune di Bari')
ON CONFLICT (tenant_id, code) DO UPDATE SET name = excluded.name;
