"""Drives the fake of an API Gateway by botocore, which signs for AWS's own command line: `gateway.py URL FOLDER`, where FOLDER
holds the keys that are good. It ends with the number of its checks."""

import json
import sys
import urllib.error
import urllib.request

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

url, folder = sys.argv[1:]
lasting, session = json.load(open(f"{folder}/keys.json"))
checks = 0


def same(what, left, right):
    global checks
    checks += 1
    if left != right:
        sys.exit(f"{what}: {left!r} is not {right!r}")


def signed(method, path, keys=lasting, body=b"", headers=None, service="execute-api", region="eu-central-1"):
    request = AWSRequest(method=method, url=url + path, data=body, headers=headers or {})
    credentials = Credentials(keys["id"], keys["secret"], keys["token"])
    SigV4Auth(credentials, service, region).add_auth(request)
    return request.prepare()


def send(request, **changed):
    parts = {"url": request.url, "method": request.method, "body": request.body, "headers": dict(request.headers)}
    parts.update(changed)
    sent = urllib.request.Request(parts["url"], data=parts["body"] or None, method=parts["method"])
    for name, value in parts["headers"].items():
        sent.add_header(name, value.decode() if isinstance(value, bytes) else value)
    # It would add one of its own to a body.
    if parts["body"] and not sent.has_header("Content-type"):
        sys.exit("give a body a content type")
    try:
        with urllib.request.urlopen(sent) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["message"]


def refused(what, answer, says):
    same(what, answer[0], 403)
    same(what, says in answer[1], True)


octets = {"Content-Type": "application/octet-stream"}
large = bytes(range(256)) * 16384
for keys in (lasting, session):
    same("a list", send(signed("GET", "/api/profile", keys)), (200, "0"))
    same("a query", send(signed("GET", "/api/profile/x?form=compact&b=%2F&a=1", keys)), (200, "0"))
    same("no value", send(signed("GET", "/api/profile/x?form", keys)), (200, "0"))
    same("an escape", send(signed("GET", "/api/a%20b/%C3%A4", keys)), (200, "0"))
    same("slashes", send(signed("GET", "//api///profile/", keys)), (200, "0"))
    same("a deletion", send(signed("DELETE", "/api/profile/x", keys)), (200, "0"))
    same("a body", send(signed("POST", "/api/profile/x", keys, b"profile", octets)), (200, "7"))
    same("a large body", send(signed("PUT", "/api/objects/x", keys, large, octets)), (200, str(len(large))))
    extra = {"X-Amz-Meta": "  a   b  ", "Idempotency-Key": "1"}
    same("headers", send(signed("GET", "/api/profile", keys, headers=extra)), (200, "0"))

good = signed("POST", "/api/profile/x?form=compact", session, b"profile", octets)
mismatch = "The request signature we calculated does not match"
refused("a body", send(good, body=b"profilf"), mismatch)
refused("a method", send(good, method="PUT"), mismatch)
refused("a path", send(good, url=good.url.replace("/x?", "/y?")), mismatch)
refused("a query", send(good, url=good.url.replace("compact", "full")), mismatch)


def changed(name, value):
    headers = dict(good.headers)
    if value is None:
        del headers[name]
    else:
        headers[name] = value
    return send(good, headers=headers)


refused("a content type", changed("Content-Type", "text/plain"), mismatch)
refused("no token", changed("X-Amz-Security-Token", None), "security token included in the request is invalid")
refused("another token", changed("X-Amz-Security-Token", "x"), "security token included in the request is invalid")
refused("nothing", changed("Authorization", None), "Missing Authentication Token")
refused("a header that is not signed", changed("X-Amz-Target", "x"), "must be a 'SignedHeader'")
refused("an old date", changed("X-Amz-Date", "20150830T123600Z"), "Signature expired: 20150830T123600Z is now earlier than")
refused("a late date", changed("X-Amz-Date", "20990830T123600Z"), "Signature not yet current: 20990830T123600Z")
stranger = dict(lasting, secret="x" + lasting["secret"])
refused("another secret", send(signed("GET", "/api/profile", stranger)), mismatch)
refused("another key", send(signed("GET", "/api/profile", dict(lasting, id="x"))), "security token")
refused("another region", send(signed("GET", "/api/profile", region="eu-west-1")), "valid region, not 'eu-west-1'")
refused("another service", send(signed("GET", "/api/profile", service="lambda")), "correct service: 'execute-api'")
print(checks)
