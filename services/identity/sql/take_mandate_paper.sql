SELECT take_mandate_paper($1::uuid, decode($2, 'hex'), $3::uuid)
