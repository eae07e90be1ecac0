"""Glue's optimistic lock in front of a Glue that has none: UpdateTable with another VersionId than the table's is refused.

https://docs.aws.amazon.com/glue/latest/webapi/API_UpdateTable.html: "The version ID at which to update the table contents."
"""

import json
import threading
import urllib.request

from .faulty_proxy import aws_json, make_answer

STALE = "ConcurrentModificationException"


class VersionGuard:
    """For HttpProxy(guard=…): checks each UpdateTable against the table's version at `glue_url`, one after the other, so
    nobody may update the tables past the proxy. `refused` counts. `before_update`(request) is called before each check: it may
    update tables itself."""

    def __init__(self, glue_url):
        self._glue_url = glue_url
        self._lock = threading.Lock()
        self.refused = 0
        self.before_update = lambda request: None

    def __call__(self, request, ask):
        if request.header("X-Amz-Target") != "AWSGlue.UpdateTable":
            return ask(request)
        self.before_update(request)
        asked = json.loads(request.body)
        with self._lock:
            if "VersionId" not in asked or asked["VersionId"] == current_version(request, asked, self._glue_url):
                return ask(request)
            self.refused += 1
            return make_answer(400, *aws_json(STALE))


def current_version(update, asked, glue_url):
    question = {"DatabaseName": asked["DatabaseName"], "Name": asked["TableInput"]["Name"]}
    if "CatalogId" in asked:
        question["CatalogId"] = asked["CatalogId"]
    request = urllib.request.Request(
        glue_url,
        data=json.dumps(question).encode(),
        headers={
            "X-Amz-Target": "AWSGlue.GetTable",
            "Content-Type": "application/x-amz-json-1.1",
            # Which service is asked is said by the signature, which moto does not check.
            "Authorization": update.header("Authorization"),
        },
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)["Table"]["VersionId"]
