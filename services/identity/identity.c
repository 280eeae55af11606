/* The operations of openapi/identity.yaml, in the order of that file. When a handler runs the contract already holds.
 * The steps of the protocols stand in files of their own; what is one statement stands here. */
#include "identity.h"
#include <stdlib.h>
#include <string.h>
#include "mail.h"
#include "outside.h"
#include "saml.h"
#include "identity.sql.h"

const char issuer_setting[] = "PORTICO_ISSUER", key_secret_setting[] = "PORTICO_KEY_SECRET",
	   key_lifetime_setting[] = "PORTICO_KEY_LIFETIME", key_published_setting[] = "PORTICO_KEY_PUBLISHED";

const char *issuer(void)
{
	return config(issuer_setting);
}

static int show_userinfo(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_USERINFO, rq->caller.session, rq->caller.subject,
		auth_scope_held(rq->caller.scope, "profile") ? "true" : "false");
}

static int show_me(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_ME);
}

static int change_me(struct request *rq)
{
	return sql_reply(rq, 200, SQL_CHANGE_ME, rq->body, header(rq, "If-Match"));
}

static int show_preferences(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_PREFERENCES);
}

static int replace_preferences(struct request *rq)
{
	return sql_reply(rq, 200, SQL_REPLACE_PREFERENCES, rq->body, header(rq, "If-Match"));
}

static int list_preference_versions(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_PREFERENCE_VERSIONS, query(rq, "limit"), query(rq, "after"));
}

static int list_journal(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_JOURNAL, query(rq, "limit"), query(rq, "after"));
}

static int list_sessions(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_SESSIONS, rq->caller.subject, rq->caller.session, query(rq, "limit"),
		query(rq, "after"));
}

static int end_session(struct request *rq)
{
	return sql_row(rq, SQL_END_SESSION, path(rq, "sessionId"), rq->caller.subject) ? reply_empty(rq, 204)
										       : rq->status;
}

static int show_person(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_PERSON, path(rq, "personId"), query(rq, "topic"));
}

static int list_revocations(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_REVOCATIONS, query(rq, "after"));
}

static int list_tenants(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_TENANTS, query(rq, "limit"), query(rq, "after"));
}

static int show_tenant(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_TENANT, path(rq, "tenantId"));
}

static int list_operators(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_OPERATORS, query(rq, "limit"), query(rq, "after"));
}

static int create_operator(struct request *rq)
{
	return sql_reply(rq, 201, SQL_CREATE_OPERATOR, rq->body);
}

static int remove_operator_role(struct request *rq)
{
	return sql_row(rq, SQL_REMOVE_OPERATOR_ROLE, path(rq, "operatorId"), path(rq, "role")) ? reply_empty(rq, 204)
											       : rq->status;
}

static int sweep_logins(struct request *rq)
{
	return sql_done(rq, SQL_SWEEP_LOGINS) ? reply_empty(rq, 204) : rq->status;
}

static int sweep_revocations(struct request *rq)
{
	return sql_done(rq, SQL_SWEEP_REVOCATIONS) ? reply_empty(rq, 204) : rq->status;
}

static int sweep_logout_notices(struct request *rq)
{
	return sql_done(rq, SQL_SWEEP_LOGOUT_NOTICES) ? reply_empty(rq, 204) : rq->status;
}

/* Task. Whoever keeps the log elsewhere can tell later whether the journal was written anew from some line on. */
static int link_journal(struct request *rq)
{
	const json_t *done = sql_row(rq, SQL_LINK_JOURNAL);

	if (!done)
		return rq->status;
	if (json_int(done, "linked") == 0)
		return reply_empty(rq, 204);
	log_info("journal", "{s:O s:O}", "link", json_at(done, "link"), "head", json_at(done, "head"));
	return reply_empty(rq, 200);
}

/* One line each, so that two who add one at the same time do not meet. */
/* clang-format off */
static const struct operation operations[] = {
	{ "showStatus", show_status },
	{ "authorize", authorize },
	{ "pushRequest", push_request },
	{ "showDemoProvider", show_demo_provider },
	{ "chooseDemoPerson", choose_demo_person },
	{ "showOperatorLogin", show_operator_login },
	{ "logOperatorIn", log_operator_in },
	{ "showOperatorActivation", show_operator_activation },
	{ "activateOperator", activate_operator },
	{ "issueToken", issue_token },
	{ "revokeToken", revoke_token },
	{ "introspectToken", introspect_token },
	{ "showUserinfo", show_userinfo },
	{ "logOut", log_out },
	{ "logOutByForm", log_out },
	{ "showOpenidConfiguration", show_metadata },
	{ "showServerMetadata", show_metadata },
	{ "showKeys", show_keys },
	{ "showMe", show_me },
	{ "changeMe", change_me },
	{ "beginContactVerification", begin_contact_verification },
	{ "confirmContact", confirm_contact },
	{ "showPreferences", show_preferences },
	{ "replacePreferences", replace_preferences },
	{ "listPreferenceVersions", list_preference_versions },
	{ "listJournal", list_journal },
	{ "listSessions", list_sessions },
	{ "endSession", end_session },
	{ "listLoginProviders", list_login_providers },
	{ "showLoginProviders", show_login_providers },
	{ "beginSamlLogin", begin_saml_login },
	{ "takeSamlResponse", take_saml_response },
	{ "followSamlLogout", follow_saml_logout },
	{ "takeSamlLogout", take_saml_logout },
	{ "showSpidMetadata", show_spid_metadata },
	{ "showAggregatedMetadata", show_aggregated_metadata },
	{ "showCieMetadata", show_cie_metadata },
	{ "showPerson", show_person },
	{ "listRevocations", list_revocations },
	{ "listTenants", list_tenants },
	{ "showTenant", show_tenant },
	{ "listOperators", list_operators },
	{ "createOperator", create_operator },
	{ "removeOperatorRole", remove_operator_role },
	{ "inviteOperator", invite_operator },
	{ "listMandates", list_mandates },
	{ "createMandate", create_mandate },
	{ "showMandate", show_mandate },
	{ "endMandate", end_mandate },
	{ "renewMandate", renew_mandate },
	{ "takeMandatePaper", take_mandate_paper },
	{ "showMandatePaper", show_mandate_paper },
	{ "listDelegations", list_delegations },
	{ "createDelegation", create_delegation },
	{ "changeDelegation", change_delegation },
	{ "endDelegation", end_delegation },
	{ "acceptDelegation", accept_delegation },
	{ 0 },
};

static const struct task tasks[] = {
	{ "signing-keys", 60, rotate_keys },
	{ "sweep-logins", 60, sweep_logins },
	{ "contact-codes", 60, send_contact_code },
	{ "sweep-contact-codes", 3600, sweep_contact_codes },
	{ "invitations", 60, send_invitation },
	{ "sweep-operator-logins", 3600, sweep_operator_logins },
	{ "link-journal", 2, link_journal },
	{ "sweep-mandates", 3600, sweep_mandates },
	{ "sweep-revocations", 60, sweep_revocations },
	{ "backchannel-logout", 30, tell_logout },
	{ "sweep-logout-notices", 3600, sweep_logout_notices },
	{ "saml-registries", 3600, refresh_saml_registries },
	{ "seal-saml-log", 5, seal_saml_log },
	{ 0 },
};
/* clang-format on */

static const struct setting settings[] = {
	{ issuer_setting, NULL, "Public address of this service and issuer of its tokens: https://host/identity/v1." },
	{ key_secret_setting, NULL, "What the signing keys are sealed with in the database; at least 32 characters.",
		.secret = true },
	{ key_lifetime_setting, "2592000", "Seconds that a signing key is used before the next takes over.",
		.number = true },
	{ key_published_setting, "3600", "Seconds that the next signing key is published before it is used.",
		.number = true },
	{ "PORTICO_SAML_KEY", "", "RSA key, PEM, that signs for us towards SPID and CIE.", .secret = true },
	{ "PORTICO_SAML_CERTIFICATE", "", "Its certificate, PEM, as AgID wants it (Avviso 29).", .secret = true },
	{ "PORTICO_SPID_TENANT", "", "The tenant that is the SPID service provider; empty: no SPID." },
	{ "PORTICO_SPID_REGISTRY", "", "Address of the metadata of the SPID identity providers." },
	{ "PORTICO_SPID_REGISTRY_CERTIFICATE", "", "PEM of the certificate that signs them.", .secret = true },
	{ "PORTICO_SPID_AGGREGATOR", "",
		"Our name as an aggregator of public services (\"full\"): each other tenant is a service provider of "
		"its own." },
	{ "PORTICO_SPID_AGGREGATOR_VAT", "", "The aggregator's VAT number, with the country: IT01234567890." },
	{ "PORTICO_SPID_AGGREGATOR_EMAIL", "", "The aggregator's e-mail address." },
	{ "PORTICO_SPID_AGGREGATOR_PHONE", "", "The aggregator's telephone, +39…" },
	{ "PORTICO_CIE_TENANT", "", "The tenant that is the CIE service provider; empty: no CIE." },
	{ "PORTICO_CIE_MUNICIPALITY", "", "ISTAT code of the seat of the CIE service provider: 037006." },
	{ "PORTICO_CIE_PROVINCE", "", "Its province: BO." },
	{ "PORTICO_CIE_REGISTRY", "", "Address of the metadata of the CIE identity provider." },
	{ "PORTICO_CIE_REGISTRY_CERTIFICATE", "",
		"PEM of the certificate that signs them; without one, the address must be https.", .secret = true },
	{ smtp_url_setting, "smtp://127.0.0.1:25",
		"SMTP server for codes: smtp://host:port, or smtps:// for TLS from the start." },
	{ smtp_tls_setting, "required", "required: STARTTLS or no mail; none: a relay on this machine or a test." },
	{ smtp_user_setting, "", "User at the SMTP server; empty: none." },
	{ smtp_password_setting, "", "Password at the SMTP server.", .secret = true },
	{ mail_from_setting, "noreply@portico.example", "Sender address of codes." },
	{ callbacks_inside_setting, "0",
		"1: the back ends of front ends may be called at private addresses and without TLS; only for "
		"demonstrations.",
		.number = true },
	{ 0 }
};

static bool start(const struct service *service)
{
	const char *host = strstr(issuer(), "://");
	size_t length = strlen(issuer());

	if (!host || strncmp(issuer(), "http", 4) != 0 || issuer()[length - 1] == '/') {
		log_error("PORTICO_ISSUER must be an http(s) address without a slash at its end", "{s:s}", "value",
			issuer());
		return false;
	}
	if (strlen(config(key_secret_setting)) < 32) {
		log_error("PORTICO_KEY_SECRET must have at least 32 characters", "{}");
		return false;
	}
	return saml_start();
}

int main(int argc, char **argv)
{
	static const struct service service = {
		.name = "identity",
		.operations = operations,
		.tasks = tasks,
		.sql = &identity_sql,
		.settings = settings,
		.start = start,
	};

	return service_main(argc, argv, &service);
}
