"""The batches of reports that share a bulk call."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st

from jira_ci_core import Site
from jira_ci_core.testing import reports
from jira_ci_delivery_celery.batcher import Batcher, PendingReport

REPORTS = reports(Site(url="https://a.example")) | reports(Site(url="https://b.example"))


def make_batcher(max_reports=3, max_bytes=1000, window=1, busy_window=10, *, reports=()):
    batcher = Batcher(max_reports, max_bytes, window, busy_window)
    for report in reports:
        batcher.add(pending(report))
    return batcher


def pending(report, since=0.0, size=10):
    return PendingReport(report.title, report, size, since)


def all_batches(batcher):
    while (key := batcher.next_batch(1e9, is_queue_empty=True)) is not None:
        yield batcher.take(key)


@settings(max_examples=25)
@given(taken=st.lists(REPORTS, max_size=8))
def test_every_report_is_sent_or_superseded_once(taken):
    batcher = make_batcher(reports=taken)
    assert len(batcher) == len(taken)
    batches = list(all_batches(batcher))
    answered = [one.report for batch in batches for newest in batch for one in (newest, *newest.older)]
    assert sorted(map(id, answered)) == sorted(map(id, taken))
    assert len(batcher) == 0


@settings(max_examples=25)
@given(taken=st.lists(REPORTS, max_size=8))
def test_a_batch_has_one_site_one_kind_the_same_properties_and_a_limited_size(taken):
    batcher = make_batcher(reports=taken)
    for batch in all_batches(batcher):
        assert len({(str(one.report.site), one.report.entity.kind, str(one.report.properties)) for one in batch}) == 1
        assert 1 <= len(batch) <= 3


@given(sequences=st.lists(st.integers(1, 9), min_size=1))
def test_only_the_newest_report_of_a_build_is_sent_whatever_their_order(make_report, sequences):
    batcher = make_batcher(reports=[make_report(sequence=sequence) for sequence in sequences])
    [[one]] = all_batches(batcher)
    assert one.report.entity.sequence == max(sequences)
    assert len(one.older) == len(sequences) - 1
    assert all(older.older == [] for older in one.older)


def test_a_full_batch_is_sent_at_once_and_another_waits_for_more_reports(make_report):
    batcher = make_batcher(max_reports=2)
    batcher.add(pending(make_report(1)))
    assert batcher.next_batch(0.5, is_queue_empty=True) is None
    batcher.add(pending(make_report(2)))
    assert batcher.is_full
    assert len(batcher.take(batcher.next_batch(0.5, is_queue_empty=False))) == 2


def test_a_batch_that_is_not_full_waits_longer_while_the_queue_is_not_empty(make_report):
    batcher = make_batcher()
    batcher.add(pending(make_report(1)))
    assert batcher.next_batch(1.0, is_queue_empty=False) is None
    assert batcher.next_batch(1.0, is_queue_empty=True) is not None
    assert batcher.next_batch(10.0, is_queue_empty=False) is not None


def test_bytes_limit_a_batch_as_well_but_one_report_always_fits(make_report):
    batcher = make_batcher(max_reports=100, max_bytes=25)
    for number in range(3):
        batcher.add(pending(make_report(number)))
    assert [len(batch) for batch in all_batches(batcher)] == [2, 1]
    batcher.add(pending(make_report(7), size=1000))
    assert [len(batch) for batch in all_batches(batcher)] == [1]


def test_other_properties_are_another_batch(make_report):
    batcher = make_batcher()
    batcher.add(pending(make_report(1)))
    batcher.add(pending(make_report(2, properties={"team": "pay"})))
    assert [len(batch) for batch in all_batches(batcher)] == [1, 1]
