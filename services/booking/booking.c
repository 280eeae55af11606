/* The operations of openapi/booking.yaml, in the order of that file. What may be booked, and that no place is given
 * twice, is the database's business: see migrations/0002_appointments.sql. */
#include "booking.sql.h"
#include "service.h"

static int list_offices(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_OFFICES, query(rq, "tenant"), query(rq, "limit"), query(rq, "after"));
}

static int show_office(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_OFFICE, path(rq, "officeId"));
}

static int list_agendas(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_AGENDAS, query(rq, "tenant"), query(rq, "officeId"), query(rq, "service"),
		query(rq, "limit"), query(rq, "after"));
}

static int list_slots(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_SLOTS, path(rq, "agendaId"), query(rq, "from"), query(rq, "to"));
}

/* One statement each, so that each is planned for its own index. */
static int list_appointments(struct request *rq)
{
	const struct sql *list = rq->subject ? SQL_OWN_APPOINTMENTS : SQL_DESK_APPOINTMENTS;

	return sql_reply(rq, 200, list, query(rq, "tenant"), query(rq, "officeId"), query(rq, "state"),
		query(rq, "from"), query(rq, "limit"), query(rq, "after"));
}

static int create_appointment(struct request *rq)
{
	return sql_reply(rq, 201, SQL_CREATE_APPOINTMENT, rq->body, rq->caller.subject);
}

static int show_appointment(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_APPOINTMENT, path(rq, "appointmentId"));
}

static int confirm_appointment(struct request *rq)
{
	return sql_reply(rq, 200, SQL_CONFIRM_APPOINTMENT, path(rq, "appointmentId"));
}

static int cancel_appointment(struct request *rq)
{
	return sql_reply(rq, 200, SQL_CANCEL_APPOINTMENT, path(rq, "appointmentId"));
}

static int move_appointment(struct request *rq)
{
	return sql_reply(rq, 200, SQL_MOVE_APPOINTMENT, path(rq, "appointmentId"), rq->body);
}

/* A hold that ended is free for others at once; this only tells its owner so, and tidies up. */
static int expire_holds(struct request *rq)
{
	const json_t *ended = sql_maybe(rq, SQL_EXPIRE_HOLDS);

	if (!ended)
		return rq->status;
	return reply_empty(rq, json_is_null(ended) ? 204 : 200);
}

static const struct operation operations[] = {
	{ "showStatus", show_status },
	{ "listOffices", list_offices },
	{ "showOffice", show_office },
	{ "listAgendas", list_agendas },
	{ "listSlots", list_slots },
	{ "listAppointments", list_appointments },
	{ "createAppointment", create_appointment },
	{ "showAppointment", show_appointment },
	{ "confirmAppointment", confirm_appointment },
	{ "cancelAppointment", cancel_appointment },
	{ "moveAppointment", move_appointment },
	{ 0 },
};

static const struct task tasks[] = {
	{ "expire-holds", 15, expire_holds },
	{ 0 },
};

static const struct service booking = {
	.name = "booking", .operations = operations, .tasks = tasks, .sql = &booking_sql
};

int main(int argc, char **argv)
{
	return service_main(argc, argv, &booking);
}
