/* The handlers of openapi/payments.yaml by resource, and what brings dues in from elsewhere. */
#pragma once
#include "service.h"

/* positions.c */
int list_positions(struct request *rq);
int create_position(struct request *rq);
int show_position(struct request *rq);
int cancel_position(struct request *rq);
int show_position_receipt(struct request *rq);
int list_receipts(struct request *rq);
int expire_positions(struct request *rq);

/* checkouts.c */
int create_checkout(struct request *rq);
int show_checkout(struct request *rq);
int prepare_checkout(struct request *rq);
int expire_checkouts(struct request *rq);

/* station.c */
int call_station(struct request *rq);

/* events.c */
int practice_payment_due(struct request *rq);
int practice_withdrawn(struct request *rq);
int person_updated(struct request *rq);
