"""Drives the peer of Azure Service Bus by azure-servicebus 0.21.1, the last client of Microsoft's that speaks REST.

servicebus.py URL FOLDER: the folder has the connection strings. Prints the number of checks that held.
"""

import json
import pathlib
import sys
import time

import requests
from azure.common import AzureHttpError
from azure.servicebus import AzureServiceBusResourceNotFound, Message, ServiceBusService

url, folder = sys.argv[1], pathlib.Path(sys.argv[2])
checks = 0


def check(condition, what):
    global checks
    assert condition, what
    checks += 1


def refused(status, call):
    try:
        call()
    except AzureHttpError as error:
        check(error.status_code == status, f"{error.status_code} and not {status}: {error}")
        return str(error)
    raise AssertionError(f"not refused with {status}")


class Here(requests.Session):
    """What is meant for Azure goes to the peer, with the host that is meant: it is what was signed."""

    def request(self, method, address, **kwargs):
        host, path = address.removeprefix("https://").split("/", 1)
        headers = dict(kwargs.pop("headers", None) or {})
        headers["Host"] = host
        return super().request(method, f"{url}/{path}", headers=headers, **kwargs)


def service(rule, key=None):
    parts = dict(part.split("=", 1) for part in (folder / rule).read_text().split(";") if part)
    return ServiceBusService(
        "acme",
        shared_access_key_name=rule,
        shared_access_key_value=key or parts["SharedAccessKey"],
        request_session=Here(),
    )


manager, sender, listener = service("manager"), service("sender"), service("listener")

check(manager.get_topic("topic").requires_duplicate_detection is False, "the topic can be looked at")
check(manager.get_subscription("topic", "brief").max_delivery_count == 2, "the subscription can be looked at")
try:
    raise AssertionError(f"it is not there: {manager.get_topic('nothing')}")
except AzureServiceBusResourceNotFound:
    check(True, "it is not there")
check(manager.get_subscription("topic", "nothing").max_delivery_count is None, "it is not there")
refused(401, lambda: sender.get_topic("topic"))

# Sent, received, and as it was.
sent = Message(
    b'{"a": 1}',
    broker_properties={"PartitionKey": "app", "MessageId": "m-1", "Label": "x"},
    type="application/json",
)
sender.send_topic_message("topic", sent)
refused(401, lambda: listener.send_topic_message("topic", sent))
refused(401, lambda: sender.peek_lock_subscription_message("topic", "worker", 0))
refused(401, lambda: service("manager", "wrong").send_topic_message("topic", sent))
refused(404, lambda: sender.send_topic_message("nothing", sent))
refused(404, lambda: listener.peek_lock_subscription_message("topic", "nothing", 0))
passing = listener.peek_lock_subscription_message("topic", "passing", 5)
passing.renew_lock()
manager.delete_subscription("topic", "passing")
check(manager.get_subscription("topic", "passing").max_delivery_count is None, "it is gone")
refused(410, lambda: listener.peek_lock_subscription_message("topic", "passing", 0))
for settle in (passing.unlock, passing.renew_lock, passing.delete):
    check("The messaging entity" in refused(410, settle), "it is the subscription that is gone")
got = listener.peek_lock_subscription_message("topic", "worker", 5)
check(got.body == b'{"a": 1}', got.body)
check(got.type == "application/json", got.type)
properties = got.broker_properties
check(properties["PartitionKey"] == "app" and properties["MessageId"] == "m-1", properties)
check(properties["Label"] == "x" and properties["State"] == "Active", properties)
check(properties["DeliveryCount"] == 1, properties)
check(isinstance(properties["SequenceNumber"], int), properties)
until = time.strptime(properties["LockedUntilUtc"], "%a, %d %b %Y %H:%M:%S GMT")
since = time.strptime(properties["EnqueuedTimeUtc"], "%a, %d %b %Y %H:%M:%S GMT")
check(58 <= time.mktime(until) - time.mktime(since) <= 75, properties)
# The client finds topic and subscription in the place that it is told.
check(got.location.startswith("https://acme.servicebus.windows.net"), got.location)
check(f"/messages/{properties['SequenceNumber']}/{properties['LockToken']}" in got.location, got.location)

# It is nobody else's, and then it is again.
nothing = listener.peek_lock_subscription_message("topic", "worker", 0)
check(nothing.body is None, "it is locked")
got.renew_lock()
check(True, "renewed")
got.unlock()
again = listener.peek_lock_subscription_message("topic", "worker", 0)
check(again.broker_properties["DeliveryCount"] == 2, again.broker_properties)
check(again.broker_properties["LockToken"] != properties["LockToken"], "a new lock")
check(again.broker_properties["SequenceNumber"] == properties["SequenceNumber"], "the same message")
number = properties["SequenceNumber"]
old, new = properties["LockToken"], again.broker_properties["LockToken"]
for settle in (
    listener.unlock_subscription_message,
    listener.delete_subscription_message,
    listener.renew_lock_subscription_message,
):
    check("The lock supplied" in refused(404, lambda: settle("topic", "worker", number, old)), "it is the lock")
    check("Endpoint not found" in refused(404, lambda: settle("topic", "nothing", number, new)), "it never was")
again.delete()
check(True, "deleted")
refused(404, lambda: again.delete())

# One that waits gets what comes, and one that waits in vain is told so when its time is over.
begun = time.monotonic()
check(listener.peek_lock_subscription_message("topic", "worker", 1).body is None, "nothing is there")
check(0.9 <= time.monotonic() - begun < 5, "it waited")

# By the message's own id.
sender.send_topic_message("topic", Message(b"2", broker_properties={"MessageId": "m-2"}))
got = listener.peek_lock_subscription_message("topic", "worker", 5)
listener.delete_subscription_message("topic", "worker", "m-2", got.broker_properties["LockToken"])
check(listener.peek_lock_subscription_message("topic", "worker", 0).body is None, "it is done with")

# A subscription has all messages, whatever others did with theirs; locks run out; too many deliveries are the last.
first = listener.peek_lock_subscription_message("topic", "brief", 0)
check(first.body == b'{"a": 1}' and first.broker_properties["DeliveryCount"] == 1, first.broker_properties)
second = listener.peek_lock_subscription_message("topic", "brief", 0)
check(second.body == b"2", second.body)
begun = time.monotonic()
back = listener.peek_lock_subscription_message("topic", "brief", 10)
check(back.body == b'{"a": 1}' and 1 < time.monotonic() - begun < 6, "it came back when its lock ran out")
check(back.broker_properties["DeliveryCount"] == 2, back.broker_properties)
refused(404, lambda: first.delete())
back.unlock()
rest = listener.peek_lock_subscription_message("topic", "brief", 10)
check(rest.body == b"2", "the first is a dead letter")
rest.delete()
check(listener.peek_lock_subscription_message("topic", "brief", 0).body is None, "nothing is left")

# The rules of what is sent.
long = Message(b"3", broker_properties={"MessageId": "x" * 129})
refused(400, lambda: sender.send_topic_message("topic", long))
refused(403, lambda: sender.send_topic_message("topic", Message(b"x" * (300 << 10))))
check("Detail" in refused(404, lambda: sender.send_topic_message("nothing", sent)), "an error has words")
plain = Message(b"4")
sender.send_topic_message("topic", plain)
got = listener.peek_lock_subscription_message("topic", "worker", 5)
check(len(got.broker_properties["MessageId"]) > 0, "an id is made for it")
check(json.loads(json.dumps(got.broker_properties)) == got.broker_properties, "plain JSON")
got.delete()

print(checks)
