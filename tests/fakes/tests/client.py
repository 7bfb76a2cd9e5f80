"""Drives the fake of Google Cloud Storage by Google's own client: `client.py URL FOLDER`, where FOLDER holds the key files
that the fake has written. It ends with the number of its checks."""

import hashlib
import io
import sys
import time
import urllib.error
import urllib.request
from datetime import timedelta

from google.api_core import exceptions
from google.auth import credentials as anonymous
from google.auth import exceptions as auth
from google.cloud import storage
from google.oauth2 import service_account

url, folder = sys.argv[1:]
checks = 0


def same(what, left, right):
    global checks
    checks += 1
    if left != right:
        sys.exit(f"{what}: {left!r} is not {right!r}")


def refused(what, kind, call):
    global checks
    checks += 1
    try:
        result = call()
    except kind:
        return
    except Exception as error:
        sys.exit(f"{what}: {error!r} is no {kind.__name__}")
    sys.exit(f"{what}: it was let through and gave {result!r}")


def client(name, own=False):
    found = service_account.Credentials.from_service_account_file(f"{folder}/{name}.json")
    if own:
        # Tokens that it signs itself, in the place of those that it asks for.
        found = found.with_always_use_jwt_access(True)
    options = {"api_endpoint": url}
    return storage.Client(project="fake", credentials=found, client_options=options)


def send(method, signed, body=None, headers=None):
    request = urllib.request.Request(signed, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


google = client("account")
bucket = google.create_bucket("made-by-python")
refused("making it again", exceptions.Conflict, lambda: google.create_bucket("made-by-python"))
same("a bucket that is there", bucket.exists(), True)
refused("a bucket that is not", exceptions.NotFound, lambda: google.get_bucket("none"))
refused("an object of it", exceptions.NotFound, lambda: google.bucket("none").blob("k").upload_from_string("x"))

# Conditions on every call.
blob = bucket.blob("app/a b+c%2F?#\u00e9.pgo")
blob.upload_from_string(b"first", content_type="application/x-gzip", if_generation_match=0)
first = blob.generation
refused(
    "creating it again",
    exceptions.PreconditionFailed,
    lambda: bucket.blob(blob.name).upload_from_string(b"x", if_generation_match=0),
)
same("what is there", bucket.blob(blob.name).download_as_bytes(), b"first")
blob.upload_from_string(b"second", if_generation_match=first)
second = blob.generation
same("generations grow", second > first, True)
for what, call in [
    ("replacing", lambda: blob.upload_from_string(b"x", if_generation_match=first)),
    ("reading", lambda: blob.download_as_bytes(if_generation_match=first)),
    ("looking", lambda: blob.reload(if_generation_match=first)),
    ("deleting", lambda: blob.delete(if_generation_match=first)),
    ("copying", lambda: bucket.copy_blob(blob, bucket, "x", if_source_generation_match=first)),
    ("copying over", lambda: bucket.copy_blob(blob, bucket, blob.name, if_generation_match=0)),
]:
    refused(f"{what} what is gone", exceptions.PreconditionFailed, call)
fresh = bucket.get_blob(blob.name)
same("its description", (fresh.size, fresh.generation, fresh.metageneration), (6, second, 1))
same("its content", fresh.download_as_bytes(if_generation_match=second), b"second")
same("a part of it", fresh.download_as_bytes(start=1, end=3), b"eco")
same("a look at nothing", bucket.get_blob("app"), None)
refused("a read of nothing", exceptions.NotFound, lambda: bucket.blob("app").download_as_bytes())
refused("a generation that is gone", exceptions.NotFound, lambda: bucket.blob(blob.name, generation=first).reload())

# Copies, in one step and in several.
copy = bucket.copy_blob(blob, bucket, "copy", if_generation_match=0)
same("a copy", (copy.download_as_bytes(), copy.content_type), (b"second", blob.content_type))
large = bytes(hashlib.sha256(b"%d" % n).digest()[0] for n in range(1 << 20))
source = bucket.blob("large", chunk_size=256 * 1024)
source.upload_from_file(io.BytesIO(large), size=len(large), if_generation_match=0)
same("a session of several requests", bucket.blob("large").download_as_bytes(checksum="crc32c") == large, True)
refused(
    "a session on what is there",
    exceptions.PreconditionFailed,
    lambda: source.upload_from_file(io.BytesIO(large), size=len(large), if_generation_match=0),
)
target, steps, token = bucket.blob("large-copy"), 0, None
while steps == 0 or token:
    token, done, total = target.rewrite(source, token=token)
    steps += 1
same("a copy in steps", (steps, done, total), (2, len(large), len(large)))
same("what it copied", bucket.blob("large-copy").download_as_bytes() == large, True)

# Listings.
names = sorted(f"list/{n:04}" for n in range(25))
for name in names:
    bucket.blob(name).upload_from_string(name)
pages = [[blob.name for blob in page] for page in google.list_blobs(bucket, prefix="list/", page_size=10).pages]
same("pages", [len(page) for page in pages], [10, 10, 5])
same("their order", sum(pages, []), names)
offset = google.list_blobs(bucket, prefix="list/", start_offset="list/0020")
same("an offset", [blob.name for blob in offset], names[20:])
same("an end", [blob.name for blob in google.list_blobs(bucket, end_offset="copy~")], [blob.name, "copy"])
most = google.list_blobs(bucket, prefix="list/", max_results=3)
same("no more than these", [blob.name for blob in most], names[:3])
same("nothing", list(google.list_blobs(bucket, prefix="none/")), [])
refused("a list of no bucket", exceptions.NotFound, lambda: list(google.list_blobs("none")))

# Who asks.
same("a token of its own", client("account", own=True).bucket(bucket.name).get_blob("copy").size, 6)
stranger = client("stranger", own=True).bucket(bucket.name)
refused("a stranger", exceptions.Unauthorized, lambda: stranger.get_blob("copy"))
refused("a stranger's write", exceptions.Unauthorized, lambda: stranger.blob("copy").upload_from_string("evil"))
nobody = storage.Client(
    project="fake", credentials=anonymous.AnonymousCredentials(), client_options={"api_endpoint": url}
)
# It takes a 401 for a token that has ended, and has no way to another.
refused("nobody", auth.InvalidOperation, lambda: nobody.bucket(bucket.name).get_blob("copy"))


# Signed URLs.
def sign(who, name, **more):
    more.setdefault("expiration", timedelta(minutes=1))
    return who.bucket(bucket.name).blob(name).generate_signed_url(version="v4", api_access_endpoint=url, **more)


get = sign(google, blob.name)
same("a signed GET", send("GET", get), (200, b"second"))
same("the same as a PUT", send("PUT", get, b"evil")[0], 403)
same("of another object", send("GET", get.replace("second", "x").replace(".pgo", ".pgx"))[0], 403)
same("with another signature", send("GET", get[:-1] + ("0" if get[-1] != "0" else "1"))[0], 403)
same("for longer", send("GET", get.replace("X-Goog-Expires=60", "X-Goog-Expires=61"))[0], 403)
same("with a header that is not signed", send("GET", get, headers={"x-goog-if-generation-match": "1"})[0], 400)
same("a stranger's", send("GET", sign(client("stranger"), blob.name))[0], 403)
past = sign(google, blob.name, expiration=timedelta(seconds=1))
deadline = time.monotonic() + 10
while send("GET", past)[0] == 200 and time.monotonic() < deadline:
    pass
same("one that has ended", send("GET", past)[0], 400)
length = {"x-goog-content-length-range": "5,5"}
put = sign(google, "signed", method="PUT", headers=length)
same("a signed PUT", send("PUT", put, b"12345", length)[0], 200)
same("what it put", bucket.blob("signed").download_as_bytes(), b"12345")
same("one byte fewer", send("PUT", put, b"1234", length)[0], 400)
same("one byte more", send("PUT", put, b"123456", length)[0], 400)
same("a length of one's own", send("PUT", put, b"123456", {"x-goog-content-length-range": "6,6"})[0], 403)
same("without the length", send("PUT", put, b"12345")[0], 403)
same("what is there still", bucket.blob("signed").download_as_bytes(), b"12345")

# Deletions.
blob.delete(if_generation_match=second)
refused("deleting it again", exceptions.NotFound, blob.delete)
same("it is gone", blob.exists(), False)
blob.upload_from_string(b"third", if_generation_match=0)
same("a generation is never used again", blob.generation > second, True)
print(checks)
