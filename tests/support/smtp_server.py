"""An SMTP server with TLS, passwords and refusals, for tests. Run by the system's Python, which has aiosmtpd (Debian's package):

    python3 smtp_server.py PORT MAILDIR [--cert PEM [--implicit]] [--login USER:PASSWORD] [--refuse ADDRESS]

Notes in X-Session how each message came: "tls=TLSv1.3 user=portico". Says "ready" when it listens."""
import argparse
import mailbox
import signal
import ssl

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

options = argparse.ArgumentParser()
options.add_argument("port", type=int)
options.add_argument("maildir")
options.add_argument("--cert")
options.add_argument("--implicit", action="store_true")
options.add_argument("--login")
options.add_argument("--refuse")
options = options.parse_args()


class Keep:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address == options.refuse:
            return f"550 5.1.1 <{address}>: there is no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = mailbox.MaildirMessage(envelope.content)
        tls = server.transport.get_extra_info("ssl_object")
        user = session.auth_data.decode() if session.authenticated else None
        message["X-Session"] = f"tls={tls and tls.version()} user={user}"
        mailbox.Maildir(options.maildir).add(message)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    right = options.login.encode().split(b":", 1) == [data.login, data.password]
    return AuthResult(success=right, handled=False, auth_data=data.login)


context = None
if options.cert:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.cert)
settings = {}
if options.login:
    settings |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": not options.implicit}
if context and options.implicit:
    settings |= {"ssl_context": context}
elif context:
    settings |= {"tls_context": context, "require_starttls": True}
Controller(Keep(), hostname="127.0.0.1", port=options.port, **settings).start()
print("ready", flush=True)
signal.sigwait([signal.SIGTERM, signal.SIGINT])
