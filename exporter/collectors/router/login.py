"""The exporter's own login at the router: a token in memory, renewed before it ends.

`POST /api/auth/login {"username", "password"}` gives `{"token", "expires_in", "user"}`; the token, a JWT, is
then sent as a key is. The password goes into that request's body and nowhere else: redirects are not
followed, and neither it nor an answer's text is in a log, an error or a metric.
"""

import logging
import math
import re
from typing import Any

from exporter.clock import Clock
from exporter.collectors.router.no_answer import NoAnswerError
from exporter.collectors.router.nodes_api import usable_count
from exporter.collectors.router.probe import Answer, HttpProbe
from exporter.errors import ConfigurationError
from exporter.settings.router_api import RouterApi, RouterLogin
from exporter.settings.strict_yaml import read_text

LOGIN_PATH = "/api/auth/login"
_LOG = logging.getLogger(__name__)
_WHAT = "router.login.password_file"

_TOKEN = re.compile(r"[!-~]{1,8192}", re.ASCII)
"""what a header can carry; a real one has some 250 characters"""
_UNSAID_LIFETIME_SECONDS = 3600.0
"""of a token that came without a usable `expires_in`"""
_MAX_LIFETIME_SECONDS = 30 * 86400.0
_RENEWED_AFTER = 0.8
"""of its lifetime: a day's token is renewed nearly five hours before it ends"""

_MIN_SECONDS_BETWEEN = 5.0
"""between two logins, whatever the router says: each costs it a hash made to be slow"""
_BACK_OFF_SECONDS = (15.0, 30.0, 60.0, 120.0, 240.0, 480.0, 900.0)
_SAY_AGAIN_SECONDS = 3600.0


class _FailedError(Exception):
    """Why there is no token, in words that no answer has a part in."""


class Login:
    """Holds the token of one user. Raises ConfigurationError where the password cannot be read."""

    def __init__(self, api: RouterApi, login: RouterLogin, clock: Clock) -> None:
        self._url = api.url
        self._username = login.username
        self._file = login.password_file
        self._clock = clock
        self._token: str | None = None
        self._ends_at = self._renew_at = -math.inf
        self._tried_at = self._try_at = -math.inf
        self._tried_file: tuple[int, ...] | None = None
        self._failures = 0
        """logins in a row that gave no token, or none that the router takes"""
        self._unproven = False
        """whether the last login's token has not been taken yet"""
        self._is_news = True
        self._said: dict[str, float] = {}
        self._password()

    @property
    def token(self) -> str | None:
        """That of the last login, until it ends."""
        return self._token if self._now() < self._ends_at else None

    def due(self) -> bool:
        """Whether a login is to be made now."""
        now = self._now()
        if now < self._renew_at or now < self._tried_at + _MIN_SECONDS_BETWEEN:
            return False
        return now >= self._try_at or self._mark() != self._tried_file

    def log_in(self, probe: HttpProbe, timeout_seconds: float) -> None:
        """One login; where it fails, an earlier token stays until it ends, and the log says it once."""
        self._tried_at, self._tried_file = self._now(), self._mark()
        try:
            document = {"username": self._username, "password": self._password()}
            token, lifetime_seconds, closed = _granted(probe.post_json(LOGIN_PATH, document, timeout_seconds))
        except NoAnswerError as error:
            detail = f" ({error.detail})" if error.detail else ""
            self._failed(error.result.sentences(timeout_seconds)[0] + detail)
        except (ConfigurationError, _FailedError) as error:
            self._failed(str(error))
        else:
            self._token = token
            self._ends_at = self._tried_at + lifetime_seconds
            self._renew_at = self._tried_at + _RENEWED_AFTER * lifetime_seconds
            self._unproven = True
            if closed:
                self._say("logged in, but this user has to change the password first: no totals until then")

    def accepted(self) -> None:
        """The router took the token."""
        if self._unproven:
            if self._is_news:
                _LOG.info("router %s: logged in", self._url)
            self._unproven = self._is_news = False
            self._failures = 0
            recently = self._now() - _SAY_AGAIN_SECONDS
            self._said = {text: at for text, at in self._said.items() if at > recently}

    def refused(self, token: str) -> None:
        """The router answered this token by 401: it has ended early, or the router no longer knows it."""
        if token != self._token:
            return
        self._token, self._ends_at, self._renew_at = None, -math.inf, -math.inf
        # One that was taken before is replaced without a word: a restarted router may have a new secret.
        if self._unproven:
            self._failed_again()
            self._say("login: it does not take the token that it has just given")
        else:
            self._try_at = self._tried_at

    def _failed(self, reason: str) -> None:
        self._failed_again()
        self._is_news = True
        self._say(
            f"login failed: {reason}; it is tried again ever less often, and at once when the password file "
            "changes"
        )

    def _failed_again(self) -> None:
        self._unproven = False
        self._failures += 1
        self._try_at = self._tried_at + _BACK_OFF_SECONDS[min(self._failures, len(_BACK_OFF_SECONDS)) - 1]

    def _say(self, text: str) -> None:
        """Log it: once until a token is taken again, and not twice within an hour."""
        if text not in self._said:
            self._said[text] = self._now()
            _LOG.warning("router %s: %s", self._url, text)

    def _now(self) -> float:
        # A token goes on ageing while the machine sleeps.
        return self._clock.since_boot()

    def _mark(self) -> tuple[int, ...] | None:
        """By which a changed password file is known."""
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def _password(self) -> str:
        password = read_text(self._file, _WHAT).strip()
        if not password:
            raise ConfigurationError(f"{self._file}: the password file is empty; check {_WHAT}")
        return password


def _granted(answer: Answer) -> tuple[str, float, bool]:
    """Token, lifetime in seconds, and whether its user may see nothing yet; raises _FailedError."""
    if answer.status != 200:
        raise _FailedError(_refusal(answer.status))
    document: Any = answer.json()
    token = document.get("token") if isinstance(document, dict) else None
    if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
        raise _FailedError("its answer has no token that can be used")
    said = usable_count(document.get("expires_in"))
    lifetime = min(said, _MAX_LIFETIME_SECONDS) if said else _UNSAID_LIFETIME_SECONDS
    user = document.get("user")
    return token, lifetime, isinstance(user, dict) and user.get("must_change_password") is True


def _refusal(status: int) -> str:
    if status in (401, 403):
        return f"HTTP {status}: check username and password"
    if status in (404, 405, 501):
        return f"HTTP {status}: it has no {LOGIN_PATH}"
    if 300 <= status < 400:
        return f"HTTP {status}: a redirect, which the password does not follow"
    return f"HTTP {status}"
