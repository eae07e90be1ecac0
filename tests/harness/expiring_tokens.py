"""An S3 store that takes the session tokens of RestServer.java for a while and refuses them afterwards, as AWS does."""

import time

from .faulty_proxy import make_answer, s3_error_text


class ExpiringTokens:
    """For HttpProxy(guard=…). `used` are the tokens that were taken; `refused` counts requests."""

    PREFIX = "session"

    def __init__(self, seconds):
        self._seconds = seconds
        self.used = set()
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
        return ask(request)
