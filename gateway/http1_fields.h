/* What http1.c asks about a field. */
#pragma once
#include "http1.h"

enum http1_direction { HTTP1_REQUEST = 1, HTTP1_ANSWER = 2 };

/* Gives the field its id, and says whether it is passed on. False when it may stand once only and stands twice. */
bool http1_classify(struct http1_head *head, struct http1_field *field, enum http1_direction direction);
