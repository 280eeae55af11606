/* Owns the look and the headers of the pages that a person sees. No script runs on them, nothing is loaded, nobody may
 * frame them. */
#include <string.h>
#include "identity.h"
#include "text.h"

static const char style[] =
	"body{font:1.125rem/1.5 system-ui,sans-serif;color:#17324d;background:#fff;margin:0}"
	"main{max-width:40rem;margin:0 auto;padding:1.5rem}"
	"h1{font-size:1.75rem;line-height:1.2}h2{font-size:1.25rem;margin:2rem 0 .5rem}"
	"ul{list-style:none;margin:0;padding:0}li{margin:.5rem 0}"
	"button,.button{display:block;box-sizing:border-box;text-decoration:none;font:inherit;width:100%;"
	"padding:.75rem 1rem;text-align:left;color:#0055ad;background:#fff;"
	"border:2px solid #0066cc;border-radius:4px;cursor:pointer}"
	"button:hover,.button:hover{background:#e6f0fa}"
	"a:focus-visible,button:focus-visible{outline:3px solid #ff9900;outline-offset:2px}"
	"button span,.button span{display:block;color:#455a70;font-size:1rem}"
	"label{display:block;margin:1rem 0 .25rem}"
	"input{font:inherit;box-sizing:border-box;width:100%;padding:.5rem;border:2px solid #5c6f82;border-radius:4px}"
	"input:focus-visible{outline:3px solid "
	"#ff9900;outline-offset:2px}code{font-size:1.125rem;overflow-wrap:anywhere}"
	".note{border-left:4px solid #a66300;padding:.5rem 1rem;background:#fff6e5}";

const char *html(struct request *rq, const char *text)
{
	return text_escaped(rq->arena, text);
}

int reply_page(struct request *rq, int status, const char *title, const char *body, const char *form_origin)
{
	const char *nonce = random_token(rq);

	reply_header(rq, "Content-Security-Policy",
		arena_printf(rq->arena,
			"default-src 'none'; style-src 'nonce-%s'; form-action 'self'%s%s; frame-ancestors 'none'; "
			"base-uri 'none'",
			nonce, form_origin ? " " : "", form_origin ? form_origin : ""));
	reply_header(rq, "Cache-Control", "no-store");
	reply_header(rq, "Referrer-Policy", "no-referrer");
	reply_header(rq, "X-Frame-Options", "DENY");
	reply_header(rq, "X-Content-Type-Options", "nosniff");
	return reply_text(rq, status, "text/html; charset=utf-8",
		arena_printf(rq->arena,
			"<!DOCTYPE html>\n<html lang=\"it\">\n<head>\n<meta charset=\"utf-8\">\n"
			"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>%s</title>\n"
			"<style "
			"nonce=\"%s\">%s</style>\n</head>\n<body>\n<main>\n<h1>%s</h1>\n%s</main>\n</body>\n</html>\n",
			html(rq, title), nonce, style, html(rq, title), body));
}

int reply_error_page(struct request *rq, int status, const char *explanation)
{
	return reply_page(rq, status, "Accesso non riuscito",
		arena_printf(rq->arena, "<p>%s</p>\n", html(rq, explanation)), NULL);
}
