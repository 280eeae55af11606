/* The events that become notices. */
#pragma once
#include "service.h"

extern const struct event_consumer consumers[];
