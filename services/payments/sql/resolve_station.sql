-- $1 idPA, $2 idBrokerPA, $3 idStation: whose money the pagoPA node speaks of, or the fault when it is not ours
select json_strip_nulls(json_build_object(
	'tenant', max(tenant_id) filter (where fiscal_code = $1 and broker_fiscal_code = $2 and station_id = $3),
	'fault', case
		when count(*) filter (where fiscal_code = $1) = 0 then 'PAA_ID_DOMINIO_ERRATO'
		when count(*) filter (where fiscal_code = $1 and broker_fiscal_code = $2) = 0 then 'PAA_ID_INTERMEDIARIO_ERRATO'
		when count(*) filter (where fiscal_code = $1 and station_id = $3) = 0 then 'PAA_STAZIONE_INT_ERRATA'
	end))
from creditors
