/* The handlers of the dossier service, by file; each is the operation of its name in openapi/dossier.yaml. */
#pragma once
#include "service.h"

/* forms.c */
int show_service_form(struct request *rq);
int submit_practice(struct request *rq);

/* documents.c */
int add_document(struct request *rq);
int download_document(struct request *rq);
int delete_document(struct request *rq);
int sweep_documents(struct request *rq); /* a task */

/* decisions.c */
int approve_practice(struct request *rq);
int reject_practice(struct request *rq);

/* projections.c: what other services' events mean here */
extern const struct event_consumer dossier_consumers[];
