"""Which reports share a call."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st

from jira_ci_core import Site
from jira_ci_core.testing import reports
from jira_ci_delivery_celery.batcher import Batcher, PendingReport

REPORTS = reports(Site(url="https://a.example")) | reports(Site(url="https://b.example"))


def gathering(most=3, most_bytes=1000, window=1, hold=10, *, of=()):
    gathered = Batcher(most, most_bytes, window, hold)
    for report in of:
        gathered.add(held(report))
    return gathered


def held(report, since=0.0, size=10):
    return PendingReport(report.title, report, size, since)


def drained(gathered):
    while (call := gathered.next_batch(1e9, is_queue_empty=True)) is not None:
        yield gathered.take(call)


@settings(max_examples=25)
@given(taken=st.lists(REPORTS, max_size=8))
def test_every_report_is_sent_or_superseded_and_none_twice(taken):
    gathered = gathering(of=taken)
    assert len(gathered) == len(taken)
    calls = list(drained(gathered))
    answered = [one.report for call in calls for newest in call for one in (newest, *newest.older)]
    assert sorted(map(id, answered)) == sorted(map(id, taken))
    assert len(gathered) == 0


@settings(max_examples=25)
@given(taken=st.lists(REPORTS, max_size=8))
def test_a_call_is_of_one_site_and_kind_with_the_same_properties_and_not_too_many(taken):
    gathered = gathering(of=taken)
    for call in drained(gathered):
        assert len({(str(one.report.site), one.report.entity.kind, str(one.report.properties)) for one in call}) == 1
        assert 1 <= len(call) <= 3


@given(sequences=st.lists(st.integers(1, 9), min_size=1))
def test_of_one_build_only_the_newest_is_sent_in_whatever_order_they_come(make_report, sequences):
    gathered = gathering(of=[make_report(sequence=sequence) for sequence in sequences])
    [[one]] = drained(gathered)
    assert one.report.entity.sequence == max(sequences)
    assert len(one.older) == len(sequences) - 1
    assert all(older.older == [] for older in one.older)


def test_a_full_call_is_sent_at_once_and_another_waits_for_more(make_report):
    gathered = gathering(most=2)
    gathered.add(held(make_report(1)))
    assert gathered.next_batch(0.5, is_queue_empty=True) is None
    gathered.add(held(make_report(2)))
    assert gathered.is_full
    assert len(gathered.take(gathered.next_batch(0.5, is_queue_empty=False))) == 2


def test_while_there_is_more_in_the_queue_a_call_that_is_not_full_waits_longer(make_report):
    gathered = gathering()
    gathered.add(held(make_report(1)))
    assert gathered.next_batch(1.0, is_queue_empty=False) is None
    assert gathered.next_batch(1.0, is_queue_empty=True) is not None
    assert gathered.next_batch(10.0, is_queue_empty=False) is not None


def test_bytes_fill_a_call_as_well_and_one_report_always_fits(make_report):
    gathered = gathering(most=100, most_bytes=25)
    for number in range(3):
        gathered.add(held(make_report(number)))
    assert [len(call) for call in drained(gathered)] == [2, 1]
    gathered.add(held(make_report(7), size=1000))
    assert [len(call) for call in drained(gathered)] == [1]


def test_other_properties_are_another_call(make_report):
    gathered = gathering()
    gathered.add(held(make_report(1)))
    gathered.add(held(make_report(2, properties={"team": "pay"})))
    assert [len(call) for call in drained(gathered)] == [1, 1]
