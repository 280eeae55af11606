/* The operations of openapi/notifications.yaml, in the order of that file (those of openapi/feed.yaml are in feed.c);
 * the events that become notices and the tasks that hand them over. When a handler runs the contract already holds: the
 * caller has the scope, the input matches its schema. */
#include <stdio.h>
#include <string.h>
#include "channel.h"
#include "consumers.h"
#include "delivery.h"
#include "feed.h"
#include "notifications.sql.h"
#include "service.h"
#include "shapes.h"
#include "template.h"
#include "webhook.h"
#include "wording.h"

static int list_notices(struct request *rq)
{
	const struct sql *statement = rq->subject ? SQL_LIST_OWN_NOTICES : SQL_LIST_NOTICES;

	return sql_reply(rq, 200, statement, query(rq, "state"), query(rq, "channel"), query(rq, "tenant"),
		query(rq, "personId"), query(rq, "after"), query(rq, "limit"));
}

static int create_notice(struct request *rq)
{
	json_t *made = sql_row(rq, SQL_CREATE_NOTICE, rq->body, rq->caller.subject);

	if (!made)
		return rq->status;
	reply_header(rq, "Location", arena_printf(rq->arena, "/notifications/v1/notices/%s", json_text(made, "id")));
	return sql_reply(rq, 201, SQL_SHOW_NOTICE, json_text(made, "id"));
}

static int show_notice(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_NOTICE, path(rq, "noticeId"));
}

static int read_notice(struct request *rq)
{
	if (!sql_done(rq, SQL_READ_NOTICE, path(rq, "noticeId")))
		return rq->status;
	return sql_reply(rq, 200, SQL_SHOW_NOTICE, path(rq, "noticeId"));
}

static int list_templates(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_TEMPLATES);
}

static int show_template(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_TEMPLATE, path(rq, "templateId"), query(rq, "language"));
}

static const char *first(const char *one, const char *other)
{
	return one ? one : other;
}

static int preview_template(struct request *rq)
{
	json_t *found = sql_row(rq, SQL_SHOW_TEMPLATE, path(rq, "templateId"), query(rq, "language"));
	const json_t *given = json_at(rq->json, "data");
	const char *subject, *text, *error = NULL;

	if (!found)
		return rq->status;
	given = given ? given : json_at(found, "sample");
	subject = template_render(rq->arena,
		first(json_text(rq->json, "subject"), first(json_text(found, "subject"), "")), given, ESCAPE_NONE,
		&error);
	if (!subject)
		return problem(rq, 422, "template-invalid", "subject, %s", error);
	text = template_render(
		rq->arena, first(json_text(rq->json, "text"), json_text(found, "text")), given, ESCAPE_NONE, &error);
	if (!text)
		return problem(rq, 422, "template-invalid", "text, %s", error);
	return reply_json(rq, 200,
		json_make(rq, "{s:s s:s s:s s:s}", "subject", subject, "text", text, "html",
			shape_html(rq->arena, text), "markdown", shape_markdown(rq->arena, text)));
}

static const struct operation operations[] = { { "showStatus", show_status }, { "listDeadLetters", list_dead_letters },
	{ "redriveDeadLetters", redrive_tenant_dead_letters }, { "redriveDeadLetter", redrive_dead_letter },
	{ "listNotices", list_notices }, { "createNotice", create_notice, .transaction = true },
	{ "showNotice", show_notice }, { "readNotice", read_notice, .transaction = true },
	{ "listTemplates", list_templates }, { "showTemplate", show_template }, { "previewTemplate", preview_template },
	{ 0 } };

static const struct task tasks[] = { { "deliver_app-io", 2, deliver_next }, { "deliver_email", 2, deliver_next },
	{ "collect-events", 1, collect_events }, { "wake-readers", 30, wake_readers },
	{ "load-subscriptions", 10, load_subscriptions }, { "keep-webhooks", 1, keep_webhooks },
	{ "send-webhooks", 1, send_webhooks }, { "tend-webhooks", 60, tend_webhooks },
	{ "sweep-feed", 3600, sweep_feed }, { "sweep-subscriptions", 3600, sweep_subscriptions }, { 0 } };

static const struct setting settings[] = {
	{ "PORTICO_SMTP_URL", "smtp://127.0.0.1:25",
		"SMTP server: smtp://host:port, or smtps:// for TLS from the start" },
	{ "PORTICO_SMTP_TLS", "required", "required: STARTTLS or no mail; none: a relay on this machine or a test" },
	{ "PORTICO_SMTP_CA", "",
		"file with the authorities that sign the server's certificate, when not the system's" },
	{ "PORTICO_SMTP_USER", "", "user at the SMTP server; empty: none" },
	{ "PORTICO_SMTP_PASSWORD", "", "password at the SMTP server", .secret = true },
	{ "PORTICO_APPIO_URL", "https://api.io.pagopa.it/api/v1", "App IO services API" },
	{ "PORTICO_SEAL_SECRET", "", "what the secrets of webhooks are encrypted with at rest, 32 characters or more",
		.secret = true },
	{ "PORTICO_WEBHOOK_NETWORKS", "",
		"private networks that webhooks may call, also without TLS: 10.1.0.0/16,…; empty: none" },
	{ "PORTICO_WEBHOOK_CA", "",
		"file with the authorities that sign the endpoints' certificates, when not the system's" },
	{ "PORTICO_FEED_READERS", "32", "readers of the feed that may wait for news at once", .number = true },
	{ "PORTICO_APPIO_KEYS", "{}", "subscription keys of App IO as a JSON object: tenant and key", .secret = true },
	{ 0 }
};

static bool start(const struct service *service)
{
	if (!wording_start()) {
		fprintf(stderr, "notifications: this system does not know the time zone Europe/Rome: install tzdata\n");
		return false;
	}
	for (const struct channel *const *channel = channels; *channel; channel++) {
		if ((*channel)->start && !(*channel)->start())
			return false;
	}
	if (strlen(config("PORTICO_SEAL_SECRET")) < 32) {
		fprintf(stderr, "notifications: PORTICO_SEAL_SECRET must have 32 characters or more\n");
		return false;
	}
	return feed_start();
}

static const struct api further_apis[] = { { "feed", feed_operations }, { 0 } };

int main(int argc, char **argv)
{
	static const struct service service = { .name = "notifications",
		.operations = operations,
		.more = further_apis,
		.consumers = consumers,
		.tasks = tasks,
		.sql = &notifications_sql,
		.settings = settings,
		.start = start };

	return service_main(argc, argv, &service);
}
