select practice_json(p), etag(p.version) as etag from practices p where p.id = $1::uuid
