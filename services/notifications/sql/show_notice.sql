select notice_detail(n) from notices n where n.id = $1::uuid
