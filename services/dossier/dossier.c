/* The operations of openapi/dossier.yaml. When a handler runs the contract already holds: the caller has the scope, the
 * input matches its schema. Which rows there are for the caller, row security decides. */
#include "dossier.h"
#include "dossier.sql.h"
#include "store.h"

static int list_services(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_SERVICES, query(rq, "q"), query(rq, "tenant"), query(rq, "category"),
		query(rq, "limit"), query(rq, "after"));
}

static int show_service(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_SERVICE, path(rq, "serviceId"));
}

static int create_practice(struct request *rq)
{
	return sql_reply(rq, 201, SQL_CREATE_PRACTICE, rq->body);
}

static int list_practices(struct request *rq)
{
	return sql_reply(rq, 200, rq->subject ? SQL_OWN_PRACTICES : SQL_QUEUE_PRACTICES, query(rq, "state"),
		query(rq, "serviceId"), query(rq, "office"), query(rq, "assignee"), query(rq, "tenant"),
		query(rq, "limit"), query(rq, "after"));
}

static int show_practice(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_PRACTICE, path(rq, "practiceId"));
}

static int update_practice(struct request *rq)
{
	return sql_reply(rq, 200, SQL_UPDATE_PRACTICE, path(rq, "practiceId"), rq->body, header(rq, "If-Match"));
}

static int delete_practice(struct request *rq)
{
	if (!sql_done(rq, SQL_HOLD_PRACTICE, path(rq, "practiceId")) ||
		!sql_row(rq, SQL_DELETE_PRACTICE, path(rq, "practiceId")))
		return rq->status;
	return reply_empty(rq, 204);
}

static int withdraw_practice(struct request *rq)
{
	return sql_reply(rq, 200, SQL_WITHDRAW_PRACTICE, path(rq, "practiceId"), rq->body);
}

static int assign_practice(struct request *rq)
{
	return sql_reply(rq, 200, SQL_ASSIGN_PRACTICE, path(rq, "practiceId"), rq->body, rq->caller.subject);
}

static int request_integration(struct request *rq)
{
	return sql_reply(rq, 201, SQL_REQUEST_INTEGRATION, path(rq, "practiceId"), rq->body, rq->caller.subject);
}

static int answer_integration(struct request *rq)
{
	return sql_reply(rq, 201, SQL_ANSWER_INTEGRATION, path(rq, "practiceId"), rq->body);
}

static int show_document(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_DOCUMENT, path(rq, "documentId"));
}

static int list_messages(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_MESSAGES, path(rq, "practiceId"), query(rq, "limit"), query(rq, "after"));
}

static int post_message(struct request *rq)
{
	return sql_reply(rq, 201, SQL_POST_MESSAGE, path(rq, "practiceId"), rq->body,
		rq->subject ? "citizen" : "office", rq->caller.subject);
}

static int show_dossier(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_DOSSIER);
}

static const struct operation operations[] = {
	{ "showStatus", show_status },
	{ "listDeadLetters", list_dead_letters },
	{ "redriveDeadLetters", redrive_tenant_dead_letters },
	{ "redriveDeadLetter", redrive_dead_letter },
	{ "listServices", list_services },
	{ "showService", show_service },
	{ "showServiceForm", show_service_form },
	{ "listPractices", list_practices },
	{ "createPractice", create_practice },
	{ "showPractice", show_practice },
	{ "updatePractice", update_practice },
	{ "deletePractice", delete_practice, .transaction = true },
	{ "submitPractice", submit_practice, .transaction = true },
	{ "withdrawPractice", withdraw_practice },
	{ "assignPractice", assign_practice },
	{ "requestIntegration", request_integration },
	{ "answerIntegration", answer_integration },
	{ "approvePractice", approve_practice, .transaction = true },
	{ "rejectPractice", reject_practice, .transaction = true },
	{ "addDocument", add_document, .transaction = true },
	{ "showDocument", show_document },
	{ "deleteDocument", delete_document },
	{ "downloadDocument", download_document },
	{ "listMessages", list_messages },
	{ "postMessage", post_message },
	{ "showDossier", show_dossier },
	{ 0 },
};

static const struct task tasks[] = {
	{ "sweep_documents", 60, sweep_documents },
	{ 0 },
};

static const struct setting settings[] = {
	{ "PORTICO_DOCUMENTS", "/var/lib/portico/documents",
		"Folder of the documents; on the file system of PORTICO_SPOOL." },
	{ 0 },
};

static bool start(const struct service *service)
{
	return store_start();
}

int main(int argc, char **argv)
{
	static const struct service dossier = { .name = "dossier",
		.operations = operations,
		.consumers = dossier_consumers,
		.tasks = tasks,
		.sql = &dossier_sql,
		.settings = settings,
		.start = start };

	return service_main(argc, argv, &dossier);
}
