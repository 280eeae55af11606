select document_json(d), '"' || d.sha256 || '"' as etag from documents d where d.id = $1::uuid
