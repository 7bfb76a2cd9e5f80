"""Drives the fake of a metadata server, of the IAM Credentials API and of Cloud Run by Google's own client:
`identity.py URL FOLDER`, where FOLDER holds what the fake has written. It ends with the number of its checks."""

import json
import os
import sys
import urllib.error
import urllib.request

url, folder = sys.argv[1:]
# Read when the client is imported.
os.environ["GCE_METADATA_HOST"] = os.environ["GCE_METADATA_IP"] = url.removeprefix("http://")

from google.auth import compute_engine, jwt
from google.auth.transport.requests import Request
from google.oauth2 import service_account

service = open(f"{folder}/service").read()
impersonated = json.load(open(f"{folder}/impersonated.json"))
checks = 0


def same(what, left, right):
    global checks
    checks += 1
    if left != right:
        sys.exit(f"{what}: {left!r} is not {right!r}")


def machine(audience):
    found = compute_engine.IDTokenCredentials(Request(), audience, use_metadata_identity_endpoint=True)
    found.refresh(Request())
    return found.token


def call(**headers):
    request = urllib.request.Request(service + "/api/profile")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode().split("\n")
    except urllib.error.HTTPError as error:
        return error.code, None


token = machine(service)
claims = jwt.decode(token, verify=False)
same("the audience", claims["aud"], service)
same("the issuer", claims["iss"], "https://accounts.google.com")
same("who asks", claims["email"], "machine@fake.iam.gserviceaccount.com")
same("how long", claims["exp"] - claims["iat"], 3600)
same("the algorithm", jwt.decode_header(token)["alg"], "RS256")

removed = f"Bearer {token.rsplit('.', 1)[0]}.SIGNATURE_REMOVED_BY_GOOGLE"
same("its header", call(Authorization=f"Bearer {token}"), (200, [removed, "none"]))
beside = call(Authorization="Bearer ours", X_Serverless_Authorization=f"Bearer {token}")
same("its own header", beside, (200, ["Bearer ours", removed]))
same("nothing", call()[0], 403)
same("no token", call(Authorization="Bearer x")[0], 401)
same("another's token", call(Authorization=f"Bearer {machine('https://other.example.com')}")[0], 401)
same("an audience of its own", call(Authorization=f"Bearer {machine('https://pgo.example.com')}")[0], 200)
same("a broken signature", call(Authorization=f"Bearer {token[:-8]}AAAAAAAA")[0], 401)
wrong = call(Authorization=f"Bearer {token}", X_Serverless_Authorization="Bearer x")
same("the first header counts", wrong[0], 401)

scopes = ["https://www.googleapis.com/auth/cloud-platform"]
source = service_account.Credentials.from_service_account_info(impersonated["source_credentials"], scopes=scopes)
source = source.with_always_use_jwt_access(True)
target = impersonated["service_account_impersonation_url"].rsplit("/", 1)[1].split(":")[0]
endpoint = f"{url}/v1/projects/-/serviceAccounts/{{}}:generateIdToken"
source.refresh(Request())


def ask(bearer, audience, email=True):
    body = json.dumps({"audience": audience, "includeEmail": email}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {bearer}"}
    request = urllib.request.Request(endpoint.format(target), data=body, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)["token"]
    except urllib.error.HTTPError as error:
        return error.code, None


status, token = ask(source.token, service)
same("impersonated", (status, jwt.decode(token, verify=False)["email"]), (200, target))
same("let through", call(Authorization=f"Bearer {token}")[0], 200)
same("without a name", call(Authorization=f"Bearer {ask(source.token, service, False)[1]}")[0], 403)
same("by nobody", ask("x", service)[0], 401)
print(checks)
