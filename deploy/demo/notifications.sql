-- How the demo municipalities present themselves. The keys of App IO and the password of the SMTP server are settings, not data.
insert into senders (tenant_id, name, email, reply_to, area_url, fiscal_code) values
	('c_a944', 'Comune di Bologna', 'non-rispondere@comune.bologna.example', 'urp@comune.bologna.example',
		'https://area.comune.bologna.example', '01232710374'),
	('c_a662', 'Comune di Bari', 'non-rispondere@comune.bari.example', 'urp@comune.bari.example',
		'https://area.comune.bari.example', '80015010723')
on conflict (tenant_id) do update set name = excluded.name, email = excluded.email, reply_to = excluded.reply_to,
	area_url = excluded.area_url, fiscal_code = excluded.fiscal_code;
