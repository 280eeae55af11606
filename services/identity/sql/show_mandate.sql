SELECT mandate_json(m) FROM mandates m WHERE m.id = $1::uuid
