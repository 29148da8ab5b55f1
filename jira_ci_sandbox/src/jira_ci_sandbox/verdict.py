"""The verdict on a call, for readers of the request log: what became of it, and which rules it broke."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from jira_ci_sandbox.buffered_response import BufferedResponse
from jira_ci_sandbox.faults import Fault

Tone: TypeAlias = Literal["good", "mixed", "bad", "planned"]

# The rule that a call has broken, by the status of its response.
RULES = {
    400: "the request as a whole must have the shape that the contract says, or nothing of it is taken",
    401: "every call carries the token of a credential that works here, of the kind that belongs to the address:"
    " OAuth under /jira/, the app's under /rest/",
    403: "the app must be installed on this site and may write builds and deployments",
    404: "the address must name this site's cloud id, and an entity that is stored",
    405: "the method must be one that the address knows; a POST that was redirected arrives as a GET",
    413: "a request may be only so large; send fewer entities at once",
    415: "a body is JSON and its Content-Type is application/json",
    429: "a site takes only so many calls in a period; wait as long as Retry-After says",
}


@dataclass(frozen=True)
class Verdict:
    """The outcome of a call. Each problem is a pair: the field, entity or header in question, and a sentence."""

    tone: Tone
    words: str
    problems: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {"tone": self.tone, "words": self.words, "problems": [list(problem) for problem in self.problems]}


def call_verdict(response: BufferedResponse, fault: Fault | None, handler_verdict: Verdict | None) -> Verdict:
    """Return the verdict on a call: `handler_verdict` if there is one, else what the response's status says."""
    if fault is None:
        return handler_verdict or _by_status(response)
    words = f"went wrong on demand ({f'answer {fault.status}' if fault.action == 'answer' else fault.action})"
    if not fault.handles_request:
        return Verdict("planned", words)
    verdict = handler_verdict or _by_status(response)
    return Verdict("planned", f"{words}, after it {verdict.words}", verdict.problems)


def bulk_verdict(
    noun: str, accepted: int, stale: int, rejected: list[tuple[str, list[str]]], unknown: list[str], known: str
) -> Verdict:
    """Return the verdict on a bulk call whose response is 202.

    `rejected` are entities with their problems, `unknown` are keys that do not exist, and `known` says which ones do.
    """
    problems = [(key, sentence) for key, sentences in rejected for sentence in sentences]
    problems += [(key, f"is not known here; {known}") for key in unknown]
    parts = [f"accepted {_count(accepted, noun)}"] if accepted or not rejected else []
    parts += [f"{stale} of them ignored as stale"] if stale else []
    parts += [f"rejected {_count(len(rejected), noun)}"] if rejected else []
    tone: Tone = "good" if not problems and not stale else "mixed" if accepted else "bad"
    if stale:
        problems.append(("updateSequenceNumber", "is not higher than the stored one; only a higher one replaces it"))
    return Verdict(tone, ", ".join(parts), tuple(problems))


def _by_status(response: BufferedResponse) -> Verdict:
    if response.status < 400:
        return Verdict("good", "was answered")
    rule = RULES.get(response.status, "")
    sentences = _sentences(response.body) or [f"answered {response.status}"]
    problems = [(about, f"{said}; {rule}" if rule else said) for about, said in map(_split_field, sentences)]
    return Verdict("bad", "was refused", tuple(problems))


def _split_field(sentence: str) -> tuple[str, str]:
    path, colon, rest = sentence.partition(": ")
    return (path, rest) if colon and " " not in path else ("", sentence)


def _sentences(body: bytes) -> list[str]:
    """Return the messages of a response, which Jira writes in one of several shapes."""
    try:
        decoded = json.loads(body)
    except ValueError:
        return []
    if isinstance(decoded, list):
        return [str(element["message"]) for element in decoded]
    return [str(text) for text in decoded.get("errorMessages", [])] or [
        str(decoded[name]) for name in ("message", "error_description") if name in decoded
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun if number == 1 else noun + 's'}"
