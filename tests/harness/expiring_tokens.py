"""Guards before an S3 store: one that takes the session tokens of RestServer.java for a while and refuses them afterwards, as
AWS does, and one that only looks at who asks."""

import collections
import re
import time

from .faulty_proxy import make_answer, s3_error_text


class ExpiringTokens:
    """For HttpProxy(guard=…). `used` are the tokens that were taken, `of_upload` those of each upload in parts; `refused`
    counts requests."""

    PREFIX = "session"

    def __init__(self, seconds):
        self._seconds = seconds
        self.used = set()
        self.of_upload = collections.defaultdict(set)
        self.refused = 0

    def __call__(self, request, ask):
        token = request.header("X-Amz-Security-Token") or ""
        kind, _, rest = token.partition(".")
        if kind != self.PREFIX:
            return make_answer(403, *s3_error_text("AccessDenied"))
        if time.time() - int(rest.split(".")[0]) / 1000 > self._seconds:
            self.refused += 1
            return make_answer(400, *s3_error_text("ExpiredToken"))
        self.used.add(token)
        if upload := re.search(r"uploadId=([^&]+)", request.path):
            self.of_upload[upload[1]].add(token)
        return ask(request)


class WhoAsks:
    """For HttpProxy(guard=…). `seen` are (access key, whether with a session token) of the requests of C++ programs and firn;
    `parts` counts the parts of uploads."""

    def __init__(self):
        self.seen = set()
        self.parts = 0

    def __call__(self, request, ask):
        key = re.search(r"Credential=([^/]+)/", request.header("Authorization") or "")
        if key and re.match(r"aws-sdk-cpp|firn", request.header("User-Agent") or ""):
            self.seen.add((key[1], request.header("X-Amz-Security-Token") is not None))
            self.parts += "partNumber=" in request.path
        return ask(request)
