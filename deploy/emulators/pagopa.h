/* The parts of the pagoPA emulator: what it remembers, its node, its Checkout. A test product: everything is bounded
 * and in memory, only receipts that the creditor has not taken yet are written to a file. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include "service.h"

/* pagopa_state.c: everything under one lock. */
void state_start(const char *journal);
/* True when the knob is set; a counter counts down. */
bool knob_take(const char *name);
long long knob_value(const char *name);
/* New references. */
json_t *state_report(void);
bool knobs_change(const json_t *changes, const char **ret_unknown);
void knobs_reset(void);
/* A line in the list of calls made and received. */
void call_note(const char *direction, const char *name, const char *about, const char *outcome);
/* Carts by id; the oldest is forgotten when there are too many. */
void cart_keep(const char *id, const json_t *cart);
json_t *cart_find(const char *id);				  /* a copy, or NULL */
bool cart_move(const char *id, const char *from, const char *to); /* false when it is not in that state */
/* Receipts on their way to the creditor, or given up after 48 attempts. */
void receipt_queue(const json_t *receipt);
json_t *receipt_next(int wait_ms); /* a copy of one that is due, or NULL after waiting */
void receipt_attempted(const char *id, const char *outcome, bool delivered);

/* pagopa_node.c: calls the creditor's station as the node does. */
bool node_start(void);
/* Verifies and takes one notice, and queues its receipt. NULL, or why not: a fault code. */
const char *node_pay(struct request *rq, const char *creditor, const char *notice_number);

/* pagopa_checkout.c: carts and the payment page. */
bool checkout_start(void);
int checkout_make_cart(struct request *rq);
int checkout_show_page(struct request *rq, const char *id);
int checkout_take_form(struct request *rq, const char *id);
