select json_build_object('needed', exists (select from documents d where d.sha256 = $1))
