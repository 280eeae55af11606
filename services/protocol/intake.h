/* What the suite registers by itself, told by the events of the dossier. */
#pragma once
#include "service.h"

event_handler register_submission, register_decision;
