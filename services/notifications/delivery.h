/* Plans which channels a notice takes, and the tasks that hand deliveries over. */
#pragma once
#include <jansson.h>

struct request;

/* Deliveries for add_notice and plan_notice, as JSON text. wanted: the channels that the template or the author limits
 * it to, NULL or a JSON null for all. Those that the person did not choose stand by. The person's quiet hours go along.
 */
const char *plan_deliveries(struct request *rq, const json_t *person, const json_t *sender, const json_t *wanted);

/* Task: hands over the delivery that waits longest on the channel that the task is named after ("deliver_email"). */
int deliver_next(struct request *rq);
