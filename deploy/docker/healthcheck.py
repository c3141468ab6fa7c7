"""Ends with 0 when the server of this container answers well, with or without TLS: healthcheck.py [PATH]

Without a PATH it asks /livez, which is open to everybody. Where access control is on, /readyz wants a token, though
without any grant: that of INDELIBLE_TOKEN. Needs Python alone, not the package, so that it is quick.
"""

import http.client
import os
import ssl
import sys

TIMEOUT_S = 2


def answers_well(port: int, path: str, token: str | None) -> bool:
    # Whether the certificate is good for this name does not matter here: nobody stands between a server and itself.
    context = ssl._create_unverified_context()  # noqa: S323, SLF001
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    for connection in (
        http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S),
        http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT_S, context=context),
    ):
        try:
            connection.request("GET", path, headers=headers)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
    return False


if __name__ == "__main__":
    address = os.environ.get("INDELIBLE_HTTP", "127.0.0.1:8080")
    path = sys.argv[1] if len(sys.argv) > 1 else "/livez"
    sys.exit(not answers_well(int(address.rpartition(":")[2]), path, os.environ.get("INDELIBLE_TOKEN")))
