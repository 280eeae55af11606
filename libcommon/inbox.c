/* The inbox on top of the function of migrations/0001_common.sql. */
#include <string.h>
#include "common.sql.h"
#include "inbox.h"
#include "scope.h"

enum inbox_state inbox_enter(
	struct db_transaction *transaction, const char *source, const char *event_id, struct db_failure *failure)
{
	const char *values[] = { source, event_id };

	auto_result PGresult *result = db_query(transaction, SQL_INBOX_ENTER, 2, values, failure);
	if (!result)
		return INBOX_FAILED;
	return strcmp(PQgetvalue(result, 0, 0), "t") == 0 ? INBOX_FRESH : INBOX_DUPLICATE;
}
