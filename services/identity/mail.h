/* E-mail that identity sends itself: codes, which pass through no other service. */
#pragma once
#include "service.h"

extern const char smtp_url_setting[], smtp_tls_setting[], smtp_user_setting[], smtp_password_setting[],
	mail_from_setting[];

enum mail_outcome { MAIL_SENT, MAIL_LATER, MAIL_NEVER };

/* Sends a short plain text; id makes the Message-ID. Subject in ASCII. MAIL_NEVER: the mailbox or the message was
 * refused. */
enum mail_outcome mail_send(struct request *rq, const char *id, const char *to, const char *subject, const char *text);
