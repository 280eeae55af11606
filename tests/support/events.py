"""What an event must be: as openapi/events.yaml says, and as the reader of the CloudEvents project wants it."""
import json
from functools import cache

from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from cloudevents.core.formats.json import JSONFormat

from . import contracts


@cache
def messages():
    """The messages of the AsyncAPI document by their type: payload schema, examples."""
    document = contracts.document("events.yaml")
    return {message["name"]: message for message in document["components"]["messages"].values()}


def violations(event):
    """What is wrong with the envelope by the schema of its type: a list of sentences."""
    known = messages().get(event["type"])
    if known is None:
        return [f"{event['type']} is not in openapi/events.yaml"]
    return contracts.violations("events.yaml", known["payload"], event)


def is_a_cloudevent(event):
    """Raises what the reader of the CloudEvents project says when it is none."""
    message = HTTPMessage({"content-type": "application/cloudevents+json"}, json.dumps(event).encode())
    read = from_structured_event(message, JSONFormat())
    return read.get_id() == event["id"] and read.get_extension("sequence") == event["sequence"]


def emitted(stack, service):
    """Every event in the log of the service, as the relay sends it."""
    rows = stack.sql(service, "SELECT e.envelope FROM event_log l, LATERAL event_batch(0, l.position, 1000000) e")
    return [json.loads(row) for row in rows.splitlines()]
