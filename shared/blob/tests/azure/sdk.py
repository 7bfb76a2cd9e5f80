"""Microsoft's own client, which writes what the Go original would write and reads what ours wrote.

The Go original (gocloud.dev v0.40, blob/azureblob) uploads in blocks and commits their list, sets the content type, and
escapes keys as `escape` does here.

  sdk.py write CONTAINER    make the container, and objects in it as the original does
  sdk.py read CONTAINER     check that the objects there are those that the test wrote
  sdk.py sas                print the signatures that the unit test of shared/blob/src/azure/sas.rs has
"""

import base64
import gzip
import os
import sys
from datetime import datetime, timezone

import azure.storage.blob
from azure.storage.blob import BlobBlock, BlobSasPermissions, BlobServiceClient, ContentSettings, generate_blob_sas

KEYS = ["checkout/default.pgo", "checkout/staging/1730075435311000000", 'odd/a b"c#d%e?f\\g\x7fh\nz/', "odd/../x", "d\u00e9j\u00e0/vu"]


def escape(key):
    """As gocloud.dev's escapeKey."""
    out = []
    for at, c in enumerate(key):
        last = at == len(key) - 1 and c == "/"
        parent = at > 1 and c == "/" and key[at - 2 : at] == ".."
        odd = ord(c) < 32 or ord(c) in (34, 35, 37, 63, 92, 127)
        out.append(f"__{ord(c):#x}__" if odd or last or parent else c)
    return "".join(out)


def content(key):
    # Without the time of its making, so that both sides have the same bytes.
    return gzip.compress(key.encode() * 1000, mtime=0)


def container(name):
    account, key, url = (os.environ["AUTOPGO_TEST_AZURITE_" + part] for part in ("KEY", "SECRET", "URL"))
    service = BlobServiceClient(f"{url}/{account}", credential={"account_name": account, "account_key": key})
    return service.get_container_client(name)


def write(name):
    client = container(name)
    client.create_container()
    for key in KEYS:
        blob, data = client.get_blob_client(escape(key)), content(key)
        half, blocks = len(data) // 2, []
        for number, part in enumerate([data[:half], data[half:]]):
            block = base64.b64encode(f"block-{number:08}".encode()).decode()
            blob.stage_block(block, part)
            blocks.append(BlobBlock(block))
        blob.commit_block_list(blocks, content_settings=ContentSettings(content_type="application/x-gzip"))


def read(name):
    client = container(name)
    names = sorted(blob.name for blob in client.list_blobs())
    assert names == sorted(escape(key) for key in KEYS), names
    for key in KEYS:
        got = client.get_blob_client(escape(key)).download_blob()
        assert got.readall() == content(key), key
        assert got.properties.content_settings.content_type == "application/x-gzip", got.properties


def sas():
    # Which version of the service it signs for cannot be said otherwise.
    azure.storage.blob._shared_access_signature.X_MS_VERSION = "2023-11-03"
    until = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    for blob, permission, protocol in [("checkout/incoming/1", "w", "https"), ("a b/d\u00e9j\u00e0+vu", "r", None)]:
        print(
            generate_blob_sas(
                "acme", "profiles", blob, account_key="a2V5", permission=BlobSasPermissions.from_string(permission),
                expiry=until, protocol=protocol,
            )
        )


if __name__ == "__main__":
    {"write": write, "read": read, "sas": sas}[sys.argv[1]](*sys.argv[2:])
